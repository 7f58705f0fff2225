"""What learned sample weights are worth: the error of models retrained from them, beside simpler rows.

    OPENBLAS_NUM_THREADS=1 python benchmarks/reweighting.py --data ../shared/data --out runs/reweighting

The setting: 200 simulated worlds of 120 windows (168 h -> 1 h, or 24 h), none, half or 90 % of the worlds spoilt;
982 real windows of the training days above; a small network trained on the weighted simulated windows is tested
on later days, which nothing else reads. A row that is finished is kept in --out, so that a stopped run goes on.
The settings are fixed here; the sum of the weights is the effective sample size of the density ratio by world
(between 0.1 and 0.5 of the windows), which sees no truth and no test day.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from reweighting_setting import (
    Perceptron,
    perceptron_forecast,
    predictor,
    real_traffic,
    simmstnet_forecast,
    simulated_windows,
    train_perceptron,
    train_simmstnet,
    tune_perceptron,
)

from cutplane import BilevelSolver
from simmst.reweighting.alternating import alternate
from simmst.reweighting.density import density_ratio
from simmst.reweighting.diagnostics import diagnose
from simmst.reweighting.learn import default_solver, reweight
from simmst.reweighting.problems import MeanLoss, Sim2Real
from simmst.reweighting.proxy import RidgeLevel, Samples, SmoothAbsoluteError, window_samples
from simmst.reweighting.unrolled import UnrollConfig, UnrolledOracle
from simmst.reweighting.weights import SampleWeights

SERVICES = ("5g_down", "5g_up", "4g_down", "4g_up")
SETTINGS: dict[str, tuple] = {  # name -> (data set, services, horizon, bad share, iterations)
    "milano, 50 % bad": ("milano", None, 1, 0.5, 60),
    "milano, 90 % bad": ("milano", None, 1, 0.9, 60),
    "milano, none bad": ("milano", None, 1, 0.0, 60),
    "milano, 50 % bad, days next to it": ("milano next", None, 1, 0.5, 60),
    "milano, none bad, days next to it": ("milano next", None, 1, 0.0, 60),
    "jinan, h = 1": ("jinan", None, 1, 0.0, 25),
    "jinan, h = 24": ("jinan", None, 24, 0.0, 25),
    **{f"jinan {s}, h = {h}": ("jinan", [s], h, 0.0, 60) for h in (1, 24) for s in SERVICES},
}


class Cell:
    """One setting and seed: its data, made once, and a row for each method."""

    def __init__(self, folder: Path, setting: str, seed: int) -> None:
        dataset, services, horizon, bad_share, self.iterations = SETTINGS[setting]
        self.every_form = setting == "milano, 50 % bad"
        self.seed, self.real = seed, real_traffic(folder, dataset, horizon, services)
        self.simulated = simulated_windows(self.real.data.services, horizon, bad_share, seed)
        self.world, self.bad = self.simulated.world, self.simulated.bad
        self.below, self.above = window_samples(self.simulated.windows), window_samples(self.real.upper)
        self.by_world = density_ratio(self.below, self.above, self.world, seed=seed)
        self.share = float(np.clip(diagnose(self.by_world).effective_share, 0.1, 0.5))
        self.nets: dict[str, Perceptron] = {}
        self.weights: dict[str, np.ndarray | None] = {"uniform": None}

    def rows(self) -> dict[str, Callable[[], dict]]:
        """Each row's name and how it is made; a later row may build on an earlier one."""
        n, world = len(self.world), SampleWeights.per_world(self.world)
        sample, both = SampleWeights.per_sample(n), SampleWeights.world_and_sample(self.world)
        rows = {"uniform": lambda: self.trained("uniform", None)}
        if self.bad.any():
            rows["oracle: bad worlds dropped"] = lambda: self.trained("oracle", 1.0 * ~self.bad[self.world])
        rows |= {
            "real windows only": lambda: self.scored(tune_perceptron(None, self.above, self.seed)),
            "real windows only, ridge": self.real_ridge,
            "simulated + real, pooled": lambda: self.pooled(1.0),
            "uniform, fine-tuned": lambda: self.tuned("uniform"),
            "density ratio, per world": lambda: self.trained("density by world", self.by_world),
            "one linearisation + one LP, per world": lambda: self.one_step(world),
            "proxy, per world": lambda: self.proxy("proxy world", world),
            "proxy, per sample": lambda: self.proxy("proxy sample", sample),
            "proxy, world + sample, from the density ratio": lambda: self.proxy("proxy both", both, self.by_world),
            "proxy, world + sample, from the density ratio, fine-tuned": lambda: self.tuned("proxy both"),
            "last layer, per sample": lambda: self.last_layer("last sample", sample),
            "last layer, per sample, fine-tuned": lambda: self.tuned("last sample"),
        }
        if self.every_form:
            theta = SampleWeights.of_parameters(self.simulated.theta, self.world)
            rows |= {
                "simulated + real, pooled half and half": lambda: self.pooled(n / len(self.above.features)),
                "density ratio, per sample": lambda: self.trained(
                    "density", density_ratio(self.below, self.above, seed=self.seed)
                ),
                "one linearisation + one LP, per sample": lambda: self.one_step(sample),
                "proxy, function of parameters": lambda: self.proxy("proxy theta", theta),
                "proxy, per world, joint": lambda: self.proxy("proxy joint", world, joint=True),
                "network, K = 1, per world": lambda: self.network(1, world),
                "network, K = 5, per world": lambda: self.network(5, world),
                "network, K = 20, per world": lambda: self.network(20, world),
                "network, K = 20, per sample": lambda: self.network(20, sample),
            }
        return rows

    def scored(self, net) -> dict:
        """Score a network."""
        return {"errors": self.real.errors(perceptron_forecast(predictor(net)))}

    def trained(self, name: str, weights, net: Perceptron | None = None) -> dict:
        """Retrain from weights and score; say how well the weights tell good worlds from bad."""
        self.weights[name] = weights
        self.nets[name] = net or train_perceptron(self.below, weights, self.seed)
        found = diagnose(np.ones(len(self.world)) if weights is None else weights, self.world, self.bad)
        ratio = None if found.good_bad_ratio is None else min(found.good_bad_ratio, 1e6)
        spread = {"auc": found.auc, "good / bad": ratio, "effective": found.effective_share}
        return self.scored(self.nets[name]) | spread

    def needed(self, name: str) -> Perceptron:
        """The network of an earlier row; made again where that row was read from a file."""
        if name not in self.nets:
            rows = self.rows()
            {
                "uniform": rows["uniform"],
                "proxy both": rows["proxy, world + sample, from the density ratio"],
                "last sample": rows["last layer, per sample"],
            }[name]()
        return self.nets[name]

    def tuned(self, name: str) -> dict:
        """Fine-tune the network of an earlier row."""
        return self.scored(tune_perceptron(self.needed(name), self.above, self.seed))

    def pooled(self, factor: float) -> dict:
        """Train on both kinds, a real window counting `factor` times."""
        both = Samples(*(np.concatenate(pair) for pair in zip(_pair(self.below), _pair(self.above), strict=True)))
        weights = np.concatenate([np.ones(len(self.world)), np.full(len(self.above.features), factor)])
        return self.scored(train_perceptron(both, weights, self.seed))

    def real_ridge(self) -> dict:
        """Fit a ridge to the real windows."""
        level = RidgeLevel(self.above, SampleWeights.per_sample(len(self.above.features)))
        theta = level.solution(np.ones(level.weights.size)).reshape(level.shape)
        return {"errors": self.real.errors(perceptron_forecast(lambda a: a @ theta))}

    def task(self, weights: SampleWeights, start=None, net: Perceptron | None = None) -> Sim2Real:
        """State the problem of the proxy, or with a network of its last layer."""
        below, above = ((s if net is None else net.features(s)) for s in (self.below, self.above))
        task = Sim2Real.of(SmoothAbsoluteError(above), RidgeLevel(below, weights), weights, self.share)
        return task if start is None else task.starting_at(start)

    def proxy(self, name: str, weights: SampleWeights, start=None, joint: bool = False) -> dict:
        """Learn weights with the linear proxy, and retrain from them."""
        task = self.task(weights, start)
        solver = default_solver(task, self.iterations)
        if joint:
            solver = BilevelSolver(
                method="primal-dual", epsilon=1e-3, x_scale=float(weights.size), cut_every=5,
                phase1_iterations=200, max_iterations=300,
            )  # fmt: skip
        out = reweight(task, solver)
        return self.trained(name, out.weights) | {"gap": out.result.lower_gap}

    def one_step(self, weights: SampleWeights) -> dict:
        """Linearise at equal weights; the vertex of the budget: the steepest entries until it is spent."""
        task = self.task(weights)
        _, _, in_y = task.problem.upper(task.x0, task.y0)
        slope = task.problem.lower.vjp(task.x0, in_y) / weights.counts
        order, x = np.argsort(slope), np.zeros(weights.size)
        spent = np.cumsum(weights.counts[order])
        budget = self.share * weights.samples
        x[order] = np.clip((budget - (spent - weights.counts[order])) / weights.counts[order], 0, 1)
        return self.trained("one LP", weights.of(x))

    def last_layer(self, name: str, weights: SampleWeights, start=None) -> dict:
        """Two rounds: ridge on the trained network's own features, retrain from the weights."""
        net, learned = alternate(
            lambda w: train_perceptron(self.below, w, self.seed),
            lambda model: self.task(weights, start, model),
            lambda task: reweight(task, default_solver(task, self.iterations)),
            rounds=2,
        )
        return self.trained(name, learned[-1].weights, net)

    def network(self, steps: int, weights: SampleWeights) -> dict:
        """The paper's form: K steps from the network trained on equal weights, frozen batches of 1,024."""
        net = self.needed("uniform")
        x, y = (torch.from_numpy(part) for part in _pair(self.below))
        a, b = (torch.from_numpy(part) for part in _pair(self.above))
        config = UnrollConfig(steps, 0.05, batch_size=1024, normalise=True, seed=self.seed)
        lower = UnrolledOracle(net, lambda f, i: (f(x[i]) - y[i]).abs().mean(1), weights, config)
        upper = MeanLoss(net, lambda f, i: (f(a[i]) - b[i]).abs().mean(1), len(a))
        task = Sim2Real.of(upper, lower, weights, self.share)
        return self.trained(f"K {steps}", reweight(task, default_solver(task, self.iterations)).weights)


def simmstnet_rows(cell: Cell) -> dict[str, Callable[[], dict]]:
    """Sim-MSTNet as the final model, on the weights of four rows."""

    def row(weights) -> dict:
        model = train_simmstnet(cell.simulated.windows, cell.real.upper, weights, cell.seed)
        return {"errors": cell.real.errors(simmstnet_forecast(model))}

    def learned(name: str):
        return {
            "density by world": lambda: cell.by_world,
            "proxy both": lambda: _weights(cell, SampleWeights.world_and_sample(cell.world), cell.by_world),
            "proxy sample": lambda: _weights(cell, SampleWeights.per_sample(len(cell.world)), None),
        }[name]()

    rows = {"Sim-MSTNet, uniform": lambda: row(None)}
    if cell.bad.any():
        rows["Sim-MSTNet, oracle: bad worlds dropped"] = lambda: row(1.0 * ~cell.bad[cell.world])
    return rows | {
        "Sim-MSTNet, density ratio, per world": lambda: row(learned("density by world")),
        "Sim-MSTNet, proxy, world + sample, from the density ratio": lambda: row(learned("proxy both")),
        "Sim-MSTNet, proxy, per sample": lambda: row(learned("proxy sample")),
    }


def _weights(cell: Cell, weights: SampleWeights, start):
    task = cell.task(weights, start)
    return reweight(task, default_solver(task, cell.iterations)).weights


def _pair(samples: Samples):
    return samples.features, samples.targets


def table(results: dict[str, dict[str, dict]]) -> str:
    """Mean and spread (largest less smallest) over the seeds, and the change against uniform weights."""
    names = list(dict.fromkeys(row for rows in results.values() for row in rows))
    errors = list(next(iter(next(iter(results.values())).values()))["errors"])
    lines = ["| row | seeds | " + " | ".join(errors) + " | AUC | good / bad | effective |"]
    lines.append("|---" * (len(errors) + 5) + "|")
    for name in names:
        base = "Sim-MSTNet, uniform" if name.startswith("Sim-MSTNet") else "uniform"
        cells = [rows[name] for rows in results.values() if name in rows and base in rows]
        bases = [rows[base] for rows in results.values() if name in rows and base in rows]
        if not cells:
            continue
        columns = []
        for e in errors:
            v, u = (np.array([c["errors"][e] for c in group]) for group in (cells, bases))
            digits = 4 if v.mean() < 1 else 2
            change = "" if name == base else f" ({100 * (v.mean() / u.mean() - 1):+.1f} %)"
            columns.append(f"{v.mean():.{digits}f} ± {np.ptp(v) / 2:.{digits}f}{change}")
        for key, form in (("auc", ".2f"), ("good / bad", ".1f"), ("effective", ".2f")):
            found = [c[key] for c in cells if c.get(key) is not None]
            columns.append(f"{np.mean(found):{form}}" if found else "")
        lines.append(f"| {name} | {len(cells)} | " + " | ".join(columns) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the traffic files")
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished rows")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--rows", nargs="*", help="only rows whose names start so")
    parser.add_argument("--simmstnet", action="store_true", help="also with Sim-MSTNet as the final model (slow)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    print(f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}, "
          f"{platform.machine()}, one thread")  # fmt: skip
    for setting in arguments.settings:
        results = {}
        for seed in range(arguments.seeds):
            path = arguments.out / f"{setting.replace(', ', '-').replace(' ', '')}-seed{seed}.json"
            rows = json.loads(path.read_text()) if path.is_file() else {}
            cell = Cell(arguments.data, setting, seed)
            todo = cell.rows() | (simmstnet_rows(cell) if arguments.simmstnet else {})
            for name, make in todo.items():
                if name in rows or (arguments.rows and not name.startswith(tuple(arguments.rows))):
                    continue
                start = time.process_time()
                rows[name] = make() | {"share": cell.share}
                rows[name]["processor seconds"] = time.process_time() - start
                temporary = path.with_suffix(".tmp")
                temporary.write_text(json.dumps(rows, indent=1))
                os.replace(temporary, path)
                print(f"{setting}, seed {seed}: {name}: {rows[name]['errors']}", flush=True)
            results[f"seed {seed}"] = rows
        print(f"\n### {setting}\n\n{table(results)}\n", flush=True)


if __name__ == "__main__":
    main()
