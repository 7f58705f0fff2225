"""The re-weighting stage: weights for the simulated windows, learned by cutting planes on a linear proxy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from simmst.experiments.job import Job
from simmst.experiments.rundir import RunDirectory
from simmst.reweighting.learn import default_solver, reweight
from simmst.reweighting.problems import Sim2Real, proxy_problem
from simmst.reweighting.proxy import SmoothAbsoluteError, window_samples
from simmst.reweighting.weights import SampleWeights
from simmst.simulator.windows import SimulatedWindows
from simmst.traffic.window_subset import WindowSubset

#: Columns of history.csv, and the names the solver's records have for them.
COLUMNS = {
    "iteration": "iteration",
    "phase": "phase",
    "upper": "fun",
    "gap": "lower_gap",
    "planes": "planes",
    "added": "added",
    "dropped": "dropped",
    "violation": "violation",
}


@dataclass(frozen=True, slots=True)
class Weighting:
    """Learned weights [n], the solver's path, and what is said about them."""

    weights: npt.NDArray[np.float64]
    history: Mapping[str, npt.NDArray[Any]] = field(repr=False)
    summary: Mapping[str, Any]


def learn_weights(
    job: Job,
    directory: RunDirectory,
    simulated: SimulatedWindows,
    progress: Callable[[int, int, str], None],
) -> Weighting:
    """Learn the weights, going on from where the stage stopped, and write history.csv.

    Above: a smoothed absolute error on real windows drawn from the training days. Below: a ridge on the recent
    hours of a window (those that the network's attention sees), all services, fitted to the weighted simulated
    windows and solved exactly (training the network below would take hours, and one gradient step of it finds
    no weights [M]). The ridge's solution stands in the upper level (the reduced formulation), so that the
    constraint holds at every iteration; cuts are in the weights, and a linear master moves on them. The joint
    form with the paper's primal-dual steps ended with a larger error on the validation days and a gap far
    above its tolerance [M]. Weights lie in [0, 1] and keep a fixed sum. Judge them by the error of the ridge
    retrained from them, which the summary holds.

    Parameters
    ----------
    job : Job
    directory : RunDirectory
    simulated : SimulatedWindows
    progress : callable
        Called with iterations done, their total, and a note.
    """
    config = job.config.reweight
    real = WindowSubset.draw(job.train, config.real_windows, job.config.seed)
    task = proxy_problem(
        simulated,
        real,
        SampleWeights.per_sample(len(simulated)),
        share=config.share,
        steps=job.network.recent,
    )
    solver = default_solver(task, config.iterations, method="linear")
    learned = reweight(
        task,
        solver,
        state_path=directory.path / "state.npz",
        resume=True,
        callback=lambda r: progress(r.iteration, config.iterations, f"upper {r.fun:.4f}, {r.planes} planes"),
    )
    records = learned.result.history.to_dict()
    history = {column: records[name] for column, name in COLUMNS.items()}
    # An empty field where a quantity was not asked for.
    rows = {name: ["" if v != v else v for v in column.tolist()] for name, column in history.items()}
    directory.write_csv("history.csv", rows)
    summary = {
        "iterations": learned.result.nit,
        "stopped": learned.result.message,
        "epsilon": solver.epsilon,
        "planes": int(history["planes"][-1]),
        "real_windows": len(real),
        **_retrained(job, task, learned.result.x),
    }
    progress(1, 1, f"{learned.result.nit} iterations")
    return Weighting(learned.weights, history, summary)


def _retrained(job: Job, task: Sim2Real, x: npt.NDArray[np.floating]) -> dict[str, float]:
    """Error of the proxy fitted to uniform and to learned weights, on real training and validation windows."""
    validation = SmoothAbsoluteError(window_samples(job.validation, steps=job.network.recent))
    result = {}
    for name, weights in (("uniform", task.x0), ("learned", x)):
        theta = task.problem.lower.solution(weights)  # type: ignore[attr-defined]
        result[f"{name}_train"] = float(task.problem.upper(weights, theta)[0])
        result[f"{name}_validation"] = float(validation(weights, theta)[0])
    return result
