"""The main job: simulate, re-weight, train, fine-tune, evaluate; each stage is kept, so a run can be resumed."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from simmst.errors import DataError
from simmst.evaluation.coverage import coverage
from simmst.evaluation.evaluate import evaluate
from simmst.evaluation.reliability import reliability
from simmst.experiments.config import TrainConfig
from simmst.experiments.job import Job
from simmst.experiments.origin_counts import count_origins, origins_in_metrics
from simmst.experiments.reweight_stage import learn_weights
from simmst.experiments.run_report import notices, report_page
from simmst.experiments.rundir import RunDirectory, note_versions
from simmst.forecasting.from_run import forecast_traffic
from simmst.forecasting.held_back import HeldBack
from simmst.forecasting.network import forecast_windows, network_forecast
from simmst.forecasting.pretrained import Pretrained, known_hours
from simmst.forecasting.saved import CHECKPOINT, SERVING, Serving
from simmst.models.simmstnet import SimMSTNet
from simmst.pretraining.reading import MEDIAN
from simmst.reweighting.diagnostics import effective_sample_size
from simmst.traffic.windows import WindowSource
from simmst.training.checkpoint import save_model
from simmst.training.config import Progress, TrainingResult
from simmst.training.raw_scale import RawScale, RawWindows, RealScales, SimulatedScales
from simmst.training.stages import BestStage
from simmst.training.trainer import Trainer

#: ``watch(stage, done, total, note)``: called as a stage goes on, and with ``done == total`` at its end.
Watch = Callable[[str, int, int, str], None]
STAGES = ("simulate", "re-weight", "train", "fine-tune", "evaluate")
_TIMINGS = "stages/timings.json"
_APART = 7  # hours between the forecasts of the test days that intervals are judged by


def run(job: Job, directory: RunDirectory, watch: Watch) -> Mapping[str, Any]:
    """Do all the stages that the directory does not hold yet, and write metrics and report.

    A KeyboardInterrupt at any moment leaves a directory from which the same call goes on; on one thread the
    metrics are then the same to the bit as without the interruption. The training worlds are not kept: they
    are drawn again, from the seed, in seconds.

    Parameters
    ----------
    job : Job
    directory : RunDirectory
    watch : callable

    Returns
    -------
    mapping
        The content of metrics.json.

    Raises
    ------
    LockedError
        If another process is at work in the directory.
    """
    with directory.held():
        return _stages(job, directory, watch)


def _stages(job: Job, directory: RunDirectory, watch: Watch) -> Mapping[str, Any]:
    # The network's operations are small: a second thread made them 5 to 10 times slower on two busy cores [M].
    torch.set_num_threads(1)
    changed = note_versions(directory)
    with _timed(directory, "simulate"):
        simulated = job.simulate(lambda done, total: watch("simulate", done, total, ""))
    with _timed(directory, "re-weight"):
        learned = learn_weights(
            job, directory, simulated, lambda done, total, note: watch("re-weight", done, total, note)
        )
    network = SimMSTNet(job.network, job.config.seed)
    # As in the tables: the network forecasts z-scores, its loss and its best epoch are of traffic.
    model, best = RawScale(network), BestStage()
    known = job.protocol.train.steps
    scales = RealScales.of(job.scaler, job.target.data.values[known], job.target.data.unrecorded[known])
    drawn = RawWindows(simulated, SimulatedScales.of(simulated))
    real, held_out = RawWindows(job.train, scales), RawWindows(job.validation, scales)
    with _timed(directory, "train"):
        trainer = Trainer(job.trainer(job.config.train))
        best.keep_starts(
            model, network, simulated, learned.weights, lambda: float(trainer.errors(model, held_out).mean())
        )
        trained = _train(job, directory, "train", model, drawn, held_out, job.config.train, watch, learned.weights)
        best.keep("train", model, trained.best_error)
    with _timed(directory, "fine-tune"):
        tuned = _train(job, directory, "fine-tune", model, real, held_out, job.config.finetune, watch)
        best.keep("fine-tune", model, tuned.best_error)
    note = {"services": job.target.data.services, "units": job.target.data.units}
    save_model(directory.path / CHECKPOINT, network, note)
    serving = Serving.of(job.target.data, job.scaler, job.train, network, job.validation)
    serving.save(directory.path / SERVING)
    with _timed(directory, "evaluate"):
        forecast = _test_forecast(job, directory, network, watch)
        data = job.target.data
        beside = {Pretrained.name: _pretrained_forecast(job, directory, watch)}
        horizons = evaluate(data.values, data.services, job.protocol, forecast, data.unrecorded, beside)
        held = _held_back(job, serving, forecast)
    metrics = {
        "target": {"name": job.target.name, "synthetic": job.config.data is None, "shape": data.values.shape},
        "notices": [*notices(job), *changed],
        "origins": origins_in_metrics(count_origins(job)),
        "horizons": {str(horizon): rows for horizon, rows in horizons.items()},
        "weights": _spread(learned.weights, simulated.world),
        "re-weighting": learned.summary,
        "training": _record(trained, job.config.train),
        "fine-tuning": _record(tuned, job.config.finetune),
        "intervals": coverage(held),
        "reliability": reliability(held),
        "kept_stage": best.stage,
        "validation_errors": best.errors,
        "parameters": sum(p.numel() for p in network.parameters()),
    }
    directory.write_json("metrics.json", metrics)
    seconds = directory.read_json(_TIMINGS)
    try:
        next_day = forecast_traffic(network, serving, data, serving.horizon)
    except DataError:  # nothing of a service was recorded in the hours that the network reads
        next_day = None
    page = report_page(job, metrics, forecast, learned, simulated.world, seconds, next_day, held)
    directory.write("report.html", page)
    return metrics


def _train(
    job: Job,
    directory: RunDirectory,
    stage: str,
    model: RawScale,
    windows: WindowSource,
    held_out: WindowSource,
    config: TrainConfig,
    watch: Watch,
    weights: npt.NDArray[np.floating] | None = None,
) -> TrainingResult:
    """Train in place, going on from the stage's checkpoint; a finished one is only read."""

    def show(progress: Progress) -> None:
        if progress.record is None:
            done = progress.epoch * progress.steps + progress.step
            watch(stage, done, progress.epochs * progress.steps, f"epoch {progress.epoch + 1}")

    result = Trainer(job.trainer(config)).fit(
        model,
        windows,
        held_out,
        sample_weights=weights,
        checkpoint=directory.stage(f"{stage}.safetensors"),
        resume=True,
        run=directory.digest,
        callback=show,
        show_progress=False,  # the job shows its stages itself
    )
    watch(stage, 1, 1, f"best epoch {result.best_epoch + 1} of {len(result.history)}")
    return result


def _test_forecast(job: Job, directory: RunDirectory, model: SimMSTNet, watch: Watch) -> npt.NDArray[np.float32]:
    """Forecast from every step of the test days: the one time that the run reads them."""
    kept = directory.load_arrays("forecast")
    if kept is None:
        origins = job.protocol.test.origins(1)
        windows = forecast_windows(job.target.data, job.scaler, origins, job.config.lookback, job.config.horizon)
        forecast = network_forecast(
            model, windows, job.scaler, lambda done, total: watch("evaluate", done, total, "")
        )
        directory.save_arrays("forecast", {"forecast": forecast})
        return forecast
    return kept["forecast"]


def _pretrained_forecast(job: Job, directory: RunDirectory, watch: Watch) -> npt.NDArray[np.float32]:
    """Forecast from every step of the test days by the pretrained network, from all that lies before it."""
    kept = directory.load_arrays("pretrained")
    if kept is not None:
        return kept["forecast"]
    network, data = Pretrained(), job.target.data
    known, origins, found = known_hours(data), job.protocol.test.origins(1), []
    for done, at in enumerate(origins.tolist()):
        quantiles = network.quantiles(data.values[:at], known[:at], data.start_hour + at, job.config.horizon)
        found.append(quantiles[..., MEDIAN])
        watch("evaluate", done + 1, len(origins), "the pretrained network")
    forecast = np.stack(found)
    directory.save_arrays("pretrained", {"forecast": forecast})
    return forecast


def _held_back(job: Job, serving: Serving, forecast: npt.NDArray[np.floating]) -> HeldBack:
    """Quantiles of forecasts from the test days, so far apart that each lead meets all hours, and the truth."""
    data, steps = job.target.data, forecast.shape[1]
    origins = job.protocol.test.origins(steps)[::_APART]
    issued = forecast[: len(origins) * _APART : _APART].astype(np.float64)
    quantiles = [serving.intervals.quantiles(serving.scaler, one).astype(np.float32) for one in issued]
    spans = origins[:, None] + np.arange(steps)
    truth = np.where(data.known[spans], data.values[spans], np.nan)
    return HeldBack(data.select(stop=int(origins[0])), origins, data.start_hour, np.stack(quantiles), truth)


def _record(result: TrainingResult, config: TrainConfig) -> dict[str, Any]:
    return {
        "windows": len(result.history) * config.epoch_samples,
        "epochs": len(result.history),
        "best_epoch": result.best_epoch + 1,
        "validation_error": result.best_error,
        "stopped_early": result.stopped_early,
    }


def _spread(weights: npt.NDArray[np.floating], world: npt.NDArray[np.integer]) -> dict[str, Any]:
    means = [float(weights[world == w].mean()) for w in np.unique(world)]
    return {
        "windows": len(weights),
        "effective_sample_size": effective_sample_size(weights),
        "mean": float(weights.mean()),
        "standard_deviation": float(weights.std()),
        "world_means": means,
    }


@contextmanager
def _timed(directory: RunDirectory, stage: str) -> Iterator[None]:
    """Add the block's time to the stage's, also when it is interrupted."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        path = directory.path / _TIMINGS
        seconds = directory.read_json(_TIMINGS) if path.is_file() else {}
        seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - begun
        directory.write_json(_TIMINGS, seconds)
