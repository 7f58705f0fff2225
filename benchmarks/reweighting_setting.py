"""The setting of `reweighting.py`: real windows, simulated windows with planted bad worlds, and final models."""

import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
from simmst.nn.draws import frozen_draws
from simmst.reweighting.proxy import Samples, window_samples
from simmst.simulator.city import SimulatedWorlds
from simmst.simulator.windows import SimulatedWindows
from simmst.traffic.dataset import TrafficData
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowBatch, WindowDataset, iterate_batches
from simmst.training.config import TrainerConfig
from simmst.training.trainer import Trainer, to_tensors

LOOKBACK, REAL_WINDOWS, WORLDS, PER_WORLD, ORIGIN_HOURS = 168, 982, 200, 120, 264


@dataclass(frozen=True)
class Chosen:
    """Some windows of a source."""

    source: WindowDataset
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    def batch(self, index: NDArray[np.int64]) -> WindowBatch:
        """Cut the windows with these numbers."""
        return self.source.batch(self.numbers[np.asarray(index)])


@dataclass(frozen=True)
class Test:
    """Windows that a forecast is tested on."""

    windows: WindowDataset

    @cached_property
    def inputs(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Window features `[n, d]`, and the mean and deviation `[n, 1, S]` that they were scaled by."""
        means, deviations = [], []
        for _, batch in iterate_batches(self.windows, 1024):
            own = batch.history[:, :, batch.history.shape[2] // 2]
            means.append(own.mean(1, keepdims=True))
            deviations.append(own.std(1, keepdims=True))
        deviation = np.concatenate(deviations)
        return (
            window_samples(self.windows).features,
            np.concatenate(means),
            np.where(deviation > 1e-3, deviation, np.float32(1)),
        )


@dataclass(frozen=True)
class Real:
    """Real traffic: 982 windows for the upper level, and test parts that only `errors` reads."""

    data: TrafficData
    scaler: NodeScaler
    upper: Chosen
    tests: dict[str, Test]

    def errors(self, forecast) -> dict[str, float]:
        """WAPE (one service) or MAE by service on each test part; ``forecast(test) -> [n, H, S]`` scaled."""
        out = {}
        for name, test in self.tests.items():
            windows = test.windows
            n, nodes = len(windows), self.data.values.shape[1]
            origin, node = windows.origins[np.arange(n) // nodes], np.arange(n) % nodes
            steps = origin[:, None] + np.arange(windows.horizon)
            truth = self.data.values[steps, node[:, None]]
            off = np.abs(self.scaler.inverse(forecast(test), node) - truth)
            if len(self.data.services) == 1:
                out[name] = float(off.sum() / truth.sum())
            else:
                out |= {f"{name} {s}": float(v) for s, v in zip(self.data.services, off.mean((0, 1)), strict=True)}
        return out


def real_traffic(folder: Path, dataset: str, horizon: int, services: list[str] | None = None) -> Real:
    """Cut Milano's three squares (test 9-21 December, then the Christmas weeks) or Jinan (test days 18-22).

    "milano next" learns on November and is tested on 2-7 December, the last training days of "milano".
    """
    if dataset.startswith("milano"):
        data = TrafficData.load(folder / "milano_internet_3squares_full.npz")
        hourly = data.values.reshape(-1, 6, *data.values.shape[1:]).sum(1)
        data = TrafficData(hourly, data.start, 60, data.services, data.node_ids, data.coordinates, data.units)
        days = {"train": (0, 37), "test": (38, 51), "Christmas": (51, 62)}
        if dataset == "milano next":
            days = {"train": (0, 30), "test": (31, 37)}
    else:
        data = TrafficData.load(folder / "jinan.npz").select(services)
        days = {"train": (0, 14), "test": (17, 22)}
    first, last = 24 * days["train"][0], 24 * days["train"][1]
    scaler = NodeScaler.fit(data.values[first:last])

    def cut(a: int, b: int) -> WindowDataset:
        return WindowDataset.cut(data, scaler, LOOKBACK, horizon, a, b)

    train = cut(LOOKBACK, last)
    numbers = np.sort(np.random.default_rng(0).choice(len(train), REAL_WINDOWS, replace=False))
    tests = {name: Test(cut(24 * a, 24 * b)) for name, (a, b) in days.items() if name != "train"}
    return Real(data, scaler, Chosen(train, numbers), tests)


@dataclass(frozen=True)
class Simulated:
    """Simulated windows, their worlds, which worlds are bad, and the worlds' parameters `[W, p]`."""

    windows: SimulatedWindows
    world: NDArray[np.int64]
    bad: NDArray[np.bool_]
    theta: NDArray[np.float64]


def simulated_windows(services: tuple[str, ...], horizon: int, bad_share: float, seed: int) -> Simulated:
    """200 worlds of 120 windows, a share of the worlds spoilt."""
    worlds = SimulatedWorlds.generate(WORLDS, LOOKBACK + ORIGIN_HOURS + horizon - 1, services, seed)
    bad = np.zeros(WORLDS, dtype=bool)
    if bad_share:
        worlds, bad = worlds.with_bad_worlds(bad_share, seed)
    windows = worlds.windows(LOOKBACK, horizon, PER_WORLD, seed=seed)
    return Simulated(windows, windows.world, bad, worlds.parameters()[1])


class Perceptron(nn.Module):
    """168 hours of all services -> hidden units beside a linear map."""

    def __init__(self, inputs: int, outputs: int, hidden: int = 32) -> None:
        super().__init__()
        self.hidden, self.head = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)
        self.skip = nn.Linear(inputs, outputs)

    def forward(self, x):
        """Forecast from features."""
        return self.head(torch.relu(self.hidden(x))) + self.skip(x)

    def features(self, samples: Samples) -> Samples:
        """What its last layer sees: the hidden units, the inputs and a constant."""
        with torch.no_grad():
            hidden = torch.relu(self.hidden(torch.from_numpy(samples.features))).numpy()
        return Samples(np.concatenate([hidden, samples.features], axis=1), samples.targets)


# Of ten trainings (32 to 128 units, 564 to 1,900 steps, ...) the one of least error on those windows of the
# training days that the upper level does not see: mean of uniform weights and of the bad worlds dropped (50 %
# bad, seed 0).
STEPS, RATE, DECAY = 1900, 2e-3, 5.0


def train_perceptron(samples: Samples, weights=None, seed: int = 0) -> Perceptron:
    """Train from scratch on weighted samples: 20 passes over 24,000 windows."""
    with frozen_draws(torch.device("cpu"), seed):
        net = Perceptron(samples.features.shape[1], samples.targets.shape[1])
        _descend(net, samples, weights, STEPS, RATE, DECAY)
    return net


def _descend(net: Perceptron, samples: Samples, weights, steps: int, rate: float, decay: float) -> None:
    """Mean absolute error, AdamW, batches of 256, half a cosine; `decay` holds down the hidden units only."""
    x, y = torch.from_numpy(samples.features), torch.from_numpy(samples.targets)
    s = torch.ones(len(x)) if weights is None else torch.from_numpy(np.asarray(weights)).float()
    used = torch.nonzero(s > 1e-9)[:, 0]
    s = s / s[used].mean()
    curved = [*net.hidden.parameters(), *net.head.parameters()]
    groups = [{"params": curved, "weight_decay": decay}, {"params": net.skip.parameters()}]
    optimizer = torch.optim.AdamW(groups, lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        if not len(order):
            order = used[torch.randperm(len(used))]
        index, order = order[:256], order[256:]
        loss = (s[index] * (net(x[index]) - y[index]).abs().mean(1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def tune_perceptron(net: Perceptron | None, real: Samples, seed: int) -> Perceptron:
    """Train on the first four fifths of the real windows (in time); the last fifth chooses the length."""
    cut = len(real.features) * 4 // 5
    inner, held = (Samples(real.features[p], real.targets[p]) for p in (slice(cut), slice(cut, None)))
    best, lowest = None, np.inf
    with frozen_draws(torch.device("cpu"), seed):
        start = net or Perceptron(real.features.shape[1], real.targets.shape[1])
        for steps in (0, 10, 25, 50, 100, 200, 400, 800):
            if steps == 0 and net is None:
                continue
            candidate = copy.deepcopy(start)
            if steps:
                _descend(candidate, inner, None, steps, *((RATE, DECAY) if net is None else (5e-4, 1e-4)))
            with torch.no_grad():
                off = candidate(torch.from_numpy(held.features)).numpy() - held.targets
            if np.abs(off).mean() < lowest:
                best, lowest = candidate, np.abs(off).mean()
    return best


def perceptron_forecast(predict):
    """Forecast `[n, H, S]` in scaled units of a map on window features `[n, d] -> [n, H · S]`."""

    def forecast(test: Test) -> NDArray[np.float64]:
        features, mean, deviation = test.inputs
        return predict(features).reshape(len(features), -1, mean.shape[2]) * deviation + mean

    return forecast


def predictor(net: nn.Module):
    """Return the network as a map of arrays."""

    def predict(features):
        with torch.no_grad():
            return net(torch.from_numpy(features)).numpy()

    return predict


def train_simmstnet(simulated: SimulatedWindows, real: Chosen, weights, seed: int) -> SimMSTNet:
    """Train a small Sim-MSTNet on 3 x 4,096 weighted simulated windows; the last epoch is kept, none is chosen."""
    services = simulated.mean.shape[-1]
    model = SimMSTNet(SimMSTNetConfig.small(services, LOOKBACK, simulated.horizon), seed)
    config = TrainerConfig(epochs=3, epoch_samples=4096, batch_size=64, patience=3, seed=seed)
    Trainer(config).fit(model, simulated, Chosen(real.source, real.numbers[::8]), sample_weights=weights)
    return model.eval()


def simmstnet_forecast(model: SimMSTNet):
    """Forecast `[n, H, S]` in scaled units."""

    def forecast(test: Test) -> NDArray[np.float64]:
        windows, out = test.windows, []
        with torch.no_grad():
            for first in range(0, len(windows), 256):
                inputs, _ = to_tensors(
                    windows.batch(np.arange(first, min(first + 256, len(windows)))), torch.device("cpu")
                )
                out.append(model(*inputs).numpy())
        return np.concatenate(out)

    return forecast
