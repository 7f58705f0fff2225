"""Which rows a table has, and what each is trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from simmst.errors import ConfigError
from simmst.evaluation.cell import Cell
from simmst.experiments.tables.training import Kind
from simmst.models.registry import CLOSED_FORM, REGISTRY

KINDS: tuple[str, ...] = get_args(Kind)
TITLES: Mapping[int, str] = {
    1: "single-task forecasting",
    2: "multi-task forecasting",
    3: "ablations of Sim-MSTNet",
}


def table_models(table: int, everything: bool = False) -> tuple[str, ...]:
    """Rows of a table: closed forms first, ours last.

    Parameters
    ----------
    table : int
        1, 2 or 3.
    everything : bool
        What else the table can have: single-task models in table 2.
    """
    if table == 3:
        return ("ridge", "ointer", "ospatial", "average", "stnet", "simmstnet")
    others = [card for card in REGISTRY.values() if not card.ours]
    single = [card.name for card in others if not card.multi_task]
    multi = [card.name for card in others if card.multi_task]
    if table == 1:
        return (*CLOSED_FORM, *single, "stnet")
    if everything:
        return (*CLOSED_FORM, *single, *multi, "stnet", "simmstnet")
    return (*CLOSED_FORM, *multi, "simmstnet")


def chosen_models(table: int, names: str | None) -> tuple[str, ...]:
    """Read ``--models``: comma-separated names, "all", or None for the table's own.

    Raises
    ------
    ConfigError
        If a name is unknown.
    """
    if names is None:
        return table_models(table)
    if names == "all":
        return table_models(table, everything=True)
    wanted = tuple(name.strip() for name in names.split(",") if name.strip())
    known = (*CLOSED_FORM, *REGISTRY)
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise ConfigError(f"models {names}: unknown {', '.join(unknown) or '(none)'}; known: {', '.join(known)}")
    return tuple(dict.fromkeys(wanted))


def cells(models: Sequence[str], seeds: int, scarce: int | None, kinds: Sequence[str] | None) -> list[Cell]:
    """List a table's cells, row by row.

    Without `scarce`, baselines train on all real days, Sim-MSTNet and its kin on them and on re-weighted
    simulated windows before them. With it, every row is also trained on the last days alone, those that can
    take simulated windows on both together, unweighted, and Sim-MSTNet and its kin on re-weighted ones before
    either.

    Parameters
    ----------
    models : sequence of str
        Names.
    seeds : int
        Seeds 0 .. seeds - 1.
    scarce : int or None
        Training days that may be used.
    kinds : sequence of str or None
        Kinds of training windows; None for the rule above.
    """
    found = []
    for model in models:
        if model in CLOSED_FORM:
            fitted = (scarce, None) if model == "ridge" else (None,)
            found += [Cell(model, "real", days, None) for days in dict.fromkeys(fitted)]
            continue
        card = REGISTRY[model]
        sources: list[tuple[str, int | None]] = [("real", scarce), ("real", None)]
        if kinds is not None:
            sources = [(kind, scarce) for kind in kinds] + [("real", None)] * ("real" in kinds)
        else:
            sources += [("pooled", scarce)] * (scarce is not None and card.feed != "graph")
            sources += [("reweighted", scarce), ("reweighted", None)] * card.ours
        for kind, days in dict.fromkeys(sources):
            found += [Cell(model, kind, days, seed) for seed in range(seeds)]
    return found
