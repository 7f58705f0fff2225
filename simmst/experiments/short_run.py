"""A run on a file that is too short to train on: pretrained network and simple rows, chosen on held-back days."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime
from itertools import count
from typing import Any

import torch

from simmst.errors import DataError
from simmst.evaluation.coverage import coverage
from simmst.evaluation.reliability import reliability
from simmst.evaluation.target import Target
from simmst.experiments.config import RunConfig
from simmst.experiments.rundir import RunDirectory, note_versions
from simmst.experiments.target import load_target
from simmst.forecasting.selected import FEWEST_DAYS, Selected
from simmst.io.versions import versions
from simmst.reports.answer import answer
from simmst.reports.right import beside, how_right, sentences
from simmst.reports.selected import render
from simmst.traffic.hourly_units import hourly_units
from simmst.traffic.split import Protocol

#: Folder of the forecaster in the run directory.
SELECTED = "selected"


def too_short(config: RunConfig) -> bool:
    """Whether a run's file has too few days to train, validate and test; a synthetic city is as long as told.

    Raises
    ------
    SimmstError
        If the file cannot be used, or has less than a day.
    """
    if config.data is None:
        return False
    target = load_target(config)
    if not _days(target):
        raise DataError(f"data {config.data}: {len(target.data.values)} hours; a day of history is needed")
    return not _fits(_days(target), config.horizon)


def run_short(config: RunConfig, directory: RunDirectory) -> Mapping[str, Any]:
    """Fit `Selected` on a file, and write it, its table and a report into the directory; it takes seconds.

    Called again after an interruption it begins anew; a finished run is only read.

    Parameters
    ----------
    config : RunConfig
        Its `data`, `services` and `horizon` are read.
    directory : RunDirectory

    Returns
    -------
    mapping
        The content of metrics.json.

    Raises
    ------
    SimmstError
        If the file cannot be used or has less than a day, or another process is at work in the directory.
    """
    with directory.held():
        if (directory.path / "metrics.json").is_file():
            return directory.read_json("metrics.json")
        torch.set_num_threads(1)
        changed = note_versions(directory)
        target = load_target(config)
        selected = Selected(horizon=config.horizon).fit(target.data)
        assert selected.choice is not None
        folder = directory.path / SELECTED
        if folder.exists():  # begun, and stopped before the end
            shutil.rmtree(folder)
        selected.save(folder)
        hours, nodes, services = target.data.values.shape
        metrics = {
            "target": {"name": target.name, "synthetic": False, "shape": [hours, nodes, services]},
            "notices": [_notice(target, config.horizon), *target.notices, *changed],
            "forecast_by": selected.said(),
            "held_back": {"forecasts": selected.choice.origins, "errors": selected.choice.frame().to_dicts()},
            **_judged(selected),
        }
        page = render(
            f"Forecasts of {target.name}", metrics, _facts(target, config), hourly_units(target.data),
            selected.choice, *_answer(selected, metrics, target),
        )  # fmt: skip
        directory.write("report.html", page)
        directory.write_json("metrics.json", metrics)
        return metrics


def _judged(selected: Selected) -> dict[str, Any]:
    """How right intervals and probabilities were on the held-back days, where there are such."""
    held = selected.held_back
    return {} if held is None else {"intervals": coverage(held), "reliability": reliability(held)}


def _answer(
    selected: Selected, metrics: Mapping[str, Any], target: Target
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What the page begins with, and how right it was."""
    forecast = selected.predict(target.data)
    held = selected.held_back
    if held is None:
        return answer(forecast, ["Too short a history to hold days back: nothing says how sure it is."]), None
    days = f"{len(held.origins)} forecasts of the last days, held back"
    judged = days, metrics["intervals"], metrics["reliability"]
    said = [*sentences(*judged), *beside(selected.choice, selected.horizon)]
    return answer(forecast, said, held), how_right(*judged)


def _days(target: Target) -> int:
    return len(target.data.values) // 24


def _fits(days: int, horizon: int) -> bool:
    return Protocol.fits(days, 24, horizon)


def _notice(target: Target, horizon: int) -> str:
    days = _days(target)
    needed = next(more for more in count(days) if _fits(more, horizon))
    chosen = "" if days >= FEWEST_DAYS else f" Fewer than {FEWEST_DAYS} whole days choose nothing among the rows."
    return (
        f"{target.name} has {days} whole days; {needed} are needed to train on, validate and test a horizon of "
        f"{horizon} hours. Nothing was trained: the pretrained network and simple rows forecast.{chosen}"
    )


def _facts(target: Target, config: RunConfig) -> dict[str, str]:
    hours, nodes, services = target.data.values.shape
    times = target.data.times
    return {
        "Target": f"{target.name}: {hours} h x {nodes} nodes x {services} services",
        "Services": ", ".join(target.data.services),
        "Hours": f"{times[0]} to {times[-1]} (local time)",
        "Forecast": f"{config.horizon} h ahead",
        "Versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
        "Written": f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
    }
