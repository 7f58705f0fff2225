"""Nodes of a file that a run does not have: the pretrained network forecasts them beside the run's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simmst.forecasting.forecast import Forecast
from simmst.forecasting.pretrained import Pretrained
from simmst.traffic.anomalies import few
from simmst.traffic.dataset import TrafficData

#: What forecast a node, as a table of forecasts says it.
RUN, PRETRAINED = "run", "pretrained"


def with_new_nodes(found: Forecast, traffic: TrafficData) -> Forecast:
    """Add the nodes of a file that the forecast lacks.

    They are new, or were left out when the run was made: it has no scale of theirs, nor has it learnt their
    neighbours. The pretrained network needs a day of history; its intervals are not calibrated for them, and widen
    where little is known.

    Parameters
    ----------
    found : Forecast
        Of a run, of some of the nodes.
    traffic : TrafficData
        What it was made from, with all nodes.

    Returns
    -------
    Forecast
        The run's nodes first, unchanged, then the new ones; `made_by` says which is which. The same forecast where
        there are none.
    """
    known = set(found.history.node_ids)
    new = [name for name in traffic.node_ids if name not in known]
    if not new:
        return found
    both = traffic.select(services=found.history.services, nodes=[*found.history.node_ids, *new]).hourly()
    added = Pretrained().predict(both.select(nodes=new), len(found.times), found.level)
    notice = (
        f"{len(new)} nodes of the file are not among the {len(known)} that the run was trained on ({few(new)}): "
        "the pretrained network forecasts them, by intervals that are not calibrated for them; the column `by` "
        "says which is which"
    )
    quantiles = None
    if found.quantiles is not None and added.quantiles is not None:
        quantiles = np.concatenate([found.quantiles, added.quantiles], axis=1)
    return replace(
        found,
        history=both,
        values=np.concatenate([found.values, added.values], axis=1),
        lower=np.concatenate([found.lower, added.lower], axis=1),
        upper=np.concatenate([found.upper, added.upper], axis=1),
        quantiles=quantiles,
        notices=(*found.notices, notice, *added.notices),
        made_by=(*[RUN] * len(known), *[PRETRAINED] * len(new)),
    )
