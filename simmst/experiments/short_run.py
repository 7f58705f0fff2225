"""A run without training Sim-MSTNet: the pretrained network, as it is and adapted, and simple rows."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime
from itertools import count
from typing import Any

import torch

from simmst.errors import ConfigError, DataError
from simmst.evaluation.coverage import coverage
from simmst.evaluation.reliability import reliability
from simmst.evaluation.target import Target
from simmst.experiments.config import RunConfig
from simmst.experiments.rundir import RunDirectory, note_versions
from simmst.experiments.target import load_target
from simmst.forecasting.adapted import Adapted
from simmst.forecasting.selected import FEWEST_DAYS, Selected
from simmst.io.versions import versions
from simmst.pretraining.adapt import Steps
from simmst.reports.answer import answer
from simmst.reports.right import beside, how_right, sentences
from simmst.reports.selected import render
from simmst.traffic.hourly_units import hourly_units
from simmst.traffic.split import Protocol

#: Folder of the forecaster in the run directory.
SELECTED = "selected"


def by_pretrained(config: RunConfig) -> bool:
    """Whether a run is one of the pretrained network: because it is told so, or for want of days to train on.

    Raises
    ------
    SimmstError
        If the file cannot be used, has less than a day, or is too short for the model that is asked for.
    """
    if config.data is None:  # a synthetic city is as long as told
        return config.model == "pretrained"
    target = load_target(config)
    days = _days(target)
    if not days:
        raise DataError(f"data {config.data}: {len(target.data.values)} hours; a day of history is needed")
    if config.model is not None:
        if config.model == "simmstnet" and not _fits(days, config.horizon):
            raise ConfigError(
                f"model simmstnet: {target.name} has {days} whole days, {_needed(days, config.horizon)} are "
                "needed to train it; give more days, or model pretrained"
            )
        return config.model == "pretrained"
    return not _fits(days, config.horizon)


def run_short(config: RunConfig, directory: RunDirectory) -> Mapping[str, Any]:
    """Fit `Selected` on a file, and write it, its table and a report into the directory.

    It takes seconds, and from a week of history on, where the network is adapted too, about a minute. Called again
    after an interruption it begins anew; a finished run is only read.

    Parameters
    ----------
    config : RunConfig
        Its `data`, `services`, `horizon` and `seed` are read; the preset `smoke` adapts by two steps.
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
        selected = Selected(others=_adapted(config, _days(target)), horizon=config.horizon).fit(target.data)
        assert selected.choice is not None
        folder = directory.path / SELECTED
        if folder.exists():  # begun, and stopped before the end
            shutil.rmtree(folder)
        selected.save(folder)
        hours, nodes, services = target.data.values.shape
        metrics = {
            "target": {"name": target.name, "synthetic": config.data is None, "shape": [hours, nodes, services]},
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


def _adapted(config: RunConfig, days: int) -> tuple[Adapted, ...]:
    """The adapted network, where there are days to choose it by."""
    if days < FEWEST_DAYS:
        return ()
    if config.preset == "smoke":
        return (Adapted(seed=config.seed, worlds=4, steps=Steps(2, 8)),)
    return (Adapted(seed=config.seed),)


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


def _needed(days: int, horizon: int) -> int:
    return next(more for more in count(days) if _fits(more, horizon))


def _notice(target: Target, horizon: int) -> str:
    days = _days(target)
    chosen = (
        "The pretrained network, as it is and adapted, and simple rows forecast, by held-back days."
        if days >= FEWEST_DAYS
        else "Nothing was trained: the pretrained network and simple rows forecast. "
        f"Fewer than {FEWEST_DAYS} whole days choose nothing among the rows."
    )
    enough = f"{target.name} has {days} whole days"
    if _fits(days, horizon):
        return f"{enough}. Sim-MSTNet was not trained. {chosen}"
    return (
        f"{enough}; {_needed(days, horizon)} are needed to train on, validate and test a horizon of "
        f"{horizon} hours. Sim-MSTNet was not trained. {chosen}"
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
