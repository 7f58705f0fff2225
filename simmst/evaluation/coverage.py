"""How often the truth lay within intervals: by node, by hours ahead and by the hour of the day."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from simmst.forecasting.held_back import HeldBack
from simmst.pretraining.reading import LEVELS

#: A node is called right if its intervals, of nominal 90 %, hold at least this share.
ENOUGH = 0.8
_WORST = 10


def coverage(held: HeldBack) -> dict[str, Any]:
    """Count how often 90 % intervals held the truth.

    Parameters
    ----------
    held : HeldBack

    Returns
    -------
    dict
        `level`; `pooled`, `by_service` {name: share}; `nodes_right`, the share of nodes and services of which
        `ENOUGH` is held; `by_hours_ahead` [H]; `by_hour_of_day` [24]; and `worst`, those of which least is,
        {node, service, covered, hours}. None where nothing is known.
    """
    known = np.isfinite(held.truth)
    inside = (held.quantiles[..., 0] <= held.truth) & (held.truth <= held.quantiles[..., -1])
    by_node = _shares(inside, known, (0, 1))  # [N, S]
    hours = held.hour_of_day()
    services, nodes = held.before.services, held.before.node_ids
    order = np.argsort(np.where(np.isnan(by_node), np.inf, by_node), axis=None, kind="stable")
    order = order[: min(_WORST, int(np.isfinite(by_node).sum()))]
    right = by_node[np.isfinite(by_node)] >= ENOUGH
    return {
        "level": round(LEVELS[-1] - LEVELS[0], 9),
        "pooled": _plain(_shares(inside, known, None)),
        "by_service": {
            one: _plain(_shares(inside[..., s], known[..., s], None)) for s, one in enumerate(services)
        },
        "nodes_right": float(right.mean()) if len(right) else None,
        "by_hours_ahead": [_plain(one) for one in _shares(inside, known, (0, 2, 3))],
        "by_hour_of_day": [_plain(_shares(inside[hours == h], known[hours == h], None)) for h in range(24)],
        "worst": [
            {
                "node": nodes[n],
                "service": services[s],
                "covered": float(by_node[n, s]),
                "hours": int(known[:, :, n, s].sum()),
            }
            for n, s in zip(*np.unravel_index(order, by_node.shape), strict=True)
        ],
    }


def _shares(
    inside: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_], axes: tuple[int, ...] | None
) -> npt.NDArray[np.float64]:
    """Share of what is known that is inside, NaN where nothing is."""
    count = known.sum(axis=axes)
    held = (inside & known).sum(axis=axes)
    return np.asarray(np.divide(held, count, out=np.full(np.shape(count), np.nan), where=count > 0))


def _plain(share: npt.NDArray[np.float64]) -> float | None:
    return None if np.isnan(share) else float(share)
