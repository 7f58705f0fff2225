"""What a finished run says about itself: its page, from the job and what its stages left."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from simmst.evaluation.evaluate import issued_daily
from simmst.evaluation.target import PRIOR_NOTICE, prior_has_seen
from simmst.experiments.config import SMOKE
from simmst.experiments.job import Job
from simmst.experiments.origin_counts import count_origins, origin_notices
from simmst.experiments.reweight_stage import Weighting
from simmst.forecasting.forecast import Forecast
from simmst.forecasting.held_back import HeldBack
from simmst.io.versions import versions
from simmst.reports.answer import answer
from simmst.reports.right import how_right, sentences
from simmst.reports.run import render, verdict
from simmst.traffic.hourly_units import hourly_units
from simmst.traffic.split import Span


def report_page(
    job: Job,
    metrics: Mapping[str, Any],
    forecast: npt.NDArray[np.floating],
    learned: Weighting,
    world: npt.NDArray[np.integer],
    seconds: Mapping[str, float],
    next_day: Forecast | None,
    held: HeldBack,
) -> str:
    """Write the report of a run.

    Parameters
    ----------
    job : Job
    metrics : mapping
        The content of metrics.json.
    forecast : array [O, H, N, S]
        From every step of the test days.
    learned : Weighting
    world : int array [n]
        World of each simulated window.
    seconds : mapping of str to float
        Time of each stage.
    next_day : Forecast, optional
        After the end of the traffic, where that can be forecast.
    held : HeldBack
        Of the test days.

    Returns
    -------
    str
        A self-contained HTML page.
    """
    per_hour = hourly_units(job.target.data)
    judged = f"{len(held.origins)} forecasts of the test days", metrics["intervals"], metrics["reliability"]
    longest = metrics["horizons"][max(metrics["horizons"], key=int)]
    return render(
        {
            "title": f"Sim-MSTNet on {job.target.name}",
            "notices": metrics["notices"],
            "facts": _facts(job, metrics, seconds),
            "units": per_hour,
            "horizons": {int(h): rows for h, rows in metrics["horizons"].items()},
            "origins": {one.horizon: str(one) for one in count_origins(job) if one.part == "test"},
            **_forecasts(job, forecast),
            "history": learned.history,
            "epsilon": metrics["re-weighting"]["epsilon"],
            "weights": learned.weights,
            "weights_note": _worth(metrics["re-weighting"]),
            "world": world,
            "answer": next_day and answer(next_day, [*sentences(*judged), verdict(longest)], held),
            "right": how_right(*judged),
        }
    )


def notices(job: Job) -> list[str]:
    """What a reader must know before the figures of a run."""
    found = [*origin_notices(job), *job.target.notices]
    if job.config.data is not None and prior_has_seen(job.target.data):
        found.append(PRIOR_NOTICE)
    if job.config.preset == "smoke":
        found.append(SMOKE)
    return found


def _facts(job: Job, metrics: Mapping[str, Any], seconds: Mapping[str, float]) -> dict[str, str]:
    config, data, parts = job.config, job.target.data, job.protocol
    hours, nodes, services = data.values.shape
    train, tune = metrics["training"], metrics["fine-tuning"]
    left = {one.part: one for one in count_origins(job)}
    return {
        "Target": f"{job.target.name}: {hours} h x {nodes} nodes x {services} services",
        "Services": ", ".join(data.services),
        "Training days": f"{_days(job, parts.train)}, {left['training']}",
        "Validation days": f"{_days(job, parts.validation)}, {left['validation']}",
        "Test days, read once at the end of the run": _days(job, parts.test),
        "Forecast": f"{config.horizon} h ahead from the last {config.lookback} h of a node and its neighbours",
        "Simulated": (
            f"{config.simulate.worlds} worlds of {config.world_hours} h, {metrics['weights']['windows']} windows, "
            "which training draws from"
        ),
        "Re-weighting": (
            f"{metrics['re-weighting']['iterations']} iterations over {metrics['re-weighting']['real_windows']} "
            f"windows of the training days; {metrics['re-weighting']['stopped']}"
        ),
        "Training on the weighted simulated windows": _training(train),
        "Fine-tuning on the real training windows": _training(tune),
        "Network": f"Sim-MSTNet, {metrics['parameters']} parameters; {_kept(metrics)}",
        "Preset and seed": f"{config.preset}, seed {config.seed}",
        "Versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
        "Written": f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        "Time": f"{sum(seconds.values()):.0f} s ({', '.join(f'{k} {v:.0f}' for k, v in seconds.items())})",
    }


def _worth(record: Mapping[str, Any]) -> str:
    """Say what the weights are worth: the error of a model retrained from them, not the solver's own."""
    return (
        "A ridge fitted to the weighted simulated windows, which never sees a real one, has an error of "
        f"{record['learned_validation']:.4f} on the validation days with the learned weights and of "
        f"{record['uniform_validation']:.4f} with equal ones (smoothed absolute error of windows scaled to "
        "mean 0 and deviation 1)."
    )


def _training(record: Mapping[str, Any]) -> str:
    last = record["best_epoch"] == record["epochs"] > 1
    return (
        f"{record['windows']} draws of windows in all; epoch {record['best_epoch']} of {record['epochs']} was "
        f"best on validation{': the last one, so more epochs might help' if last else ''}"
    )


_STAGES = {
    "yesterday": "as “same hour yesterday”",
    "start": "as the closed-form start",
    "train": "after training on simulated windows",
    "fine-tune": "after fine-tuning",
}


def _kept(metrics: Mapping[str, Any]) -> str:
    errors = metrics["validation_errors"]
    each = ", ".join(f"{error:.4f} {_STAGES[stage]}" for stage, error in errors.items())
    return f"kept {_STAGES[metrics['kept_stage']]}: the lowest error on the validation days ({each})"


def _days(job: Job, part: Span) -> str:
    times = job.target.data.times
    first, last = (str(times[step].astype("datetime64[D]")) for step in (part.start, part.stop - 1))
    return f"{first} to {last} ({(part.stop - part.start) // job.protocol.steps_per_day} days)"


def _forecasts(job: Job, forecast: npt.NDArray[np.floating]) -> dict[str, Any]:
    data = job.target.data
    steps, rows = issued_daily(data.values, job.protocol, forecast, data.unrecorded)
    # The node of median traffic over the training days: chosen before any forecast is seen.
    level = data.values[job.protocol.train.steps].mean(axis=(0, 2))
    node = int(np.argsort(level, kind="stable")[len(level) // 2])
    pictures = []
    for s, service in enumerate(data.services):
        one = {name: row[:, node, s] for name, row in rows.items()}
        over = np.mean if service in data.averaged else np.sum
        everything = {name: over(row[:, :, s], axis=1) for name, row in rows.items()}
        # A single node's hole is no hole of all: there its filled value stands in the sum.
        total = over(data.values[steps][:, :, s], axis=1)
        everything["truth"] = np.where(data.unrecorded[steps][:, :, s].all(axis=1), np.nan, total)
        shared = {"times": data.times[steps], "units": hourly_units(data, service)}
        pictures += [
            {"title": f"{service}: all {len(level)} nodes", "lines": everything, **shared},
            {"title": f"{service}: node {data.node_ids[node]}", "lines": one, **shared},
        ]
    every = min(forecast.shape[1], job.protocol.steps_per_day)
    note = (
        f"Each forecast is issued every {every} h from the first hour of the test days, and drawn for its whole "
        f"{every} h. The single node is the one of median traffic on the training days."
        + " The truth is broken where it was not recorded."
        * bool(data.unrecorded[steps].any())
    )
    return {"forecasts": pictures, "forecast_note": note}
