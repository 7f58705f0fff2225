"""Every kind of file that the project reads: how to make a good one, and how it is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from cutplane import BilevelProblem, BilevelSolver, SolutionMap, State
from cutplane.errors import CutplaneError
from simmst.errors import SimmstError
from simmst.experiments.config import RunConfig
from simmst.experiments.rundir import RunDirectory
from simmst.forecasting.intervals import Intervals
from simmst.forecasting.saved import Serving
from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
from simmst.simulator.archive import load_worlds, save_worlds
from simmst.simulator.city import SimulatedWorlds
from simmst.simulator.collection import CollectionConfig, load_collection, make_collection
from simmst.simulator.prior.file import load_prior, save_prior
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.radio.path_gain import PathGain, load_path_gain, save_path_gain
from simmst.traffic.dataset import TrafficData
from simmst.traffic.gap import Gap
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.telecom.day import read_day
from simmst.training.checkpoint import load_model, save_model
from simmst.training.config import TrainerConfig
from simmst.training.state import State as TrainingState
from simmst.training.state import load_state, save_state

#: What a reader may raise: our own errors, each one line.
OURS = (SimmstError, CutplaneError)
DAY = np.datetime64("2013-11-01")


@dataclass
class Reader:
    """A kind of file: `make` writes a good one, `load` reads it and looks at what it read."""

    name: str
    file: str
    make: Callable[[Path], Any]
    load: Callable[[Path], Any]
    folder: Path = field(default=Path())
    sample: bytes = b""

    def begin(self, folder: Path) -> None:
        """Write the good file once; `load` must take it."""
        self.folder = folder
        self.make(self.path)
        self.load(self.path)
        self.sample = self.path.read_bytes()

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self.folder / self.file

    def survives(self, content: bytes) -> bool:
        """Read other content; return whether it was taken. Any error but our own, on one line, is a failure."""
        self.path.write_bytes(content)
        try:
            self.load(self.path)
        except OURS as error:
            assert str(error), "an error without words"
            assert len(str(error)) < 2000, f"an error of {len(str(error))} characters"
            return False
        finally:
            self.path.write_bytes(self.sample)
        return True


def _traffic(path: Path) -> None:
    rng = np.random.default_rng(0)
    start = np.datetime64("2024-01-01T00:00", "m")
    gap = Gap("call", start, start + np.timedelta64(120, "m"))
    TrafficData(
        rng.lognormal(size=(48, 3, 2)).astype(np.float32), start, 60, ("call", "sms"), ("a", "b", "c"),
        rng.uniform(8, 9, (3, 2)), "MB", (gap,), "zero",
    ).save(path)  # fmt: skip


def _read_traffic(path: Path) -> None:
    data = TrafficData.load(path)
    assert data.filled.shape == data.values.shape[::2]
    assert len(data.times) == len(data.values) and np.isfinite(data.values).all()


def _day(path: Path) -> None:
    midnight = 1383260400000
    amounts = np.random.default_rng(0).lognormal(size=(60, 5)).round(6)
    lines = [
        f"{k % 7 + 1}\t{midnight + k // 7 * 600_000}\t39\t" + "\t".join(map(str, row)) + "\n"
        for k, row in enumerate(amounts)
    ]
    path.write_text("".join(lines))


def _prior(path: Path) -> None:
    """Write a part of the default prior, with each kind of distribution: all of it takes long to parse."""
    save_prior(informed_prior(), path)
    content = yaml.safe_load(path.read_text())
    kinds = {next(iter(entry)): name for name, entry in content["city"].items() if name != "start_hour"}
    content["city"] = {name: content["city"][name] for name in kinds.values()}
    content["service"] = {kind: dict(list(own.items())[:2]) for kind, own in content["service"].items()}
    path.write_text(yaml.safe_dump(content))


def _worlds(path: Path) -> None:
    save_worlds(SimulatedWorlds.generate(2, 30, ("call", "sms"), 0), path)


def _read_worlds(path: Path) -> None:
    windows = load_worlds(path).windows(12, 3, 2, 3, 0)
    windows.batch(np.arange(len(windows)))


def _gain(path: Path) -> None:
    rng = np.random.default_rng(0)
    save_path_gain(PathGain(rng.uniform(-140, -60, (1, 36, 3)), rng.uniform(0, 1, (1, 3, 2))), path)


NETWORK = SimMSTNetConfig.small(2, 12, 3)


def _model(path: Path) -> None:
    save_model(path, SimMSTNet(NETWORK, 0), {"services": ["call", "sms"]})


def _optimizer(model: SimMSTNet) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters())


def _training(path: Path) -> None:
    model = SimMSTNet(NETWORK, 0)
    optimizer = _optimizer(model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    best = {key: value.clone() for key, value in model.state_dict().items()}
    state = TrainingState(torch.ones(2), torch.zeros(2), best)
    save_state(path, state, model, optimizer, {"epochs": TrainerConfig().epochs})


def _read_training(path: Path) -> None:
    model = SimMSTNet(NETWORK, 1)
    load_state(path, model, _optimizer(model), {"epochs": TrainerConfig().epochs})


def _state(path: Path) -> None:
    def upper(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        return float(y @ y + x @ x) / 2, x, y

    problem = BilevelProblem(upper, SolutionMap(lambda x: 1 + 2 * x, lambda x, v: 2 * v))
    solver = BilevelSolver(method="linear", max_iterations=3)
    state = solver.init(problem, np.zeros(2), np.zeros(2))
    for _ in range(3):
        state = solver.step(problem, state)
    state.save(path)


def _serving(path: Path) -> None:
    rng = np.random.default_rng(0)
    scaler = NodeScaler(rng.normal(size=(4, 2)), *rng.uniform(0.5, 1, (2, 4, 2)))
    residuals = np.sort(rng.uniform(size=(30, 3, 2)), axis=0).astype(np.float32)
    intervals = Intervals(residuals, rng.uniform(0.5, 2, (4, 2)))
    patches = np.tile(np.arange(4)[:, None], (1, 9))
    Serving(("call", "sms"), ("a", "b", "c", "d"), "MB", 12, scaler, patches, intervals).save(path)


def _read_serving(path: Path) -> None:
    kept = Serving.load(path)
    width = kept.intervals.width(0.9)
    assert width.shape == kept.intervals.residuals.shape[1:]
    assert (kept.intervals.spread > 0).all() and (kept.scaler.unit > 0).all()
    scaled = kept.scaler.transform(np.zeros((3, len(kept.node_ids), len(kept.services))))
    assert scaled[:, kept.patches].shape == (3, len(kept.node_ids), kept.patches.shape[1], len(kept.services))


def _collection(path: Path) -> None:
    config = CollectionConfig(3, services=("call",), hours=30, lookback=12, horizon=3)
    folder = path.parent if path.name == "config.json" else path.parents[1]
    make_collection(config, folder)


def _read_collection(path: Path) -> None:
    windows = load_collection(path.parent if path.name == "config.json" else path.parents[1])
    windows.batch(np.arange(min(len(windows), 3)))


def _json(path: Path) -> None:
    path.write_text(json.dumps({"simulate": 1.0, "nested": [1, 2, {"a": None}]}))


READERS = {
    reader.name: reader
    for reader in (
        Reader("traffic", "traffic.npz", _traffic, _read_traffic),
        Reader("daily file", "sms-call-internet-mi-2013-11-01.txt", _day, lambda path: read_day(path, DAY, 5)),
        Reader("prior", "prior.yaml", _prior, load_prior),
        Reader(
            "configuration",
            "config.json",
            lambda path: path.write_text(RunConfig.of_preset("smoke").model_dump_json(indent=1)),
            RunConfig.read,
        ),
        Reader("worlds", "worlds.npz", _worlds, _read_worlds),
        Reader("path gain", "gain.npz", _gain, load_path_gain),
        Reader("model", "model.safetensors", _model, load_model),
        Reader("training state", "train.safetensors", _training, _read_training),
        Reader("solver state", "state.npz", _state, State.load),
        Reader("serving", "serving.npz", _serving, _read_serving),
        Reader("collection", "set/config.json", _collection, _read_collection),
        Reader("worlds of a collection", "set/worlds/00000.npz", _collection, _read_collection),
        Reader("JSON of a run", "x.json", _json, lambda path: RunDirectory(path.parent).read_json(path.name)),
    )
}


def _begun(name: str, folder: Path) -> Reader:
    READERS[name].begin(folder)
    return READERS[name]


@pytest.fixture(scope="session", params=READERS)
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Each kind of file."""
    yield _begun(request.param, tmp_path_factory.mktemp("reader"))


@pytest.fixture(scope="session", params=[name for name, r in READERS.items() if r.file.endswith(".npz")])
def npz_reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Each kind of npz file."""
    yield _begun(request.param, tmp_path_factory.mktemp("npz"))


@pytest.fixture(scope="session", params=[n for n, r in READERS.items() if r.file.endswith((".json", ".yaml"))])
def text_reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Each kind of JSON or YAML file."""
    yield _begun(request.param, tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="session", params=[n for n, r in READERS.items() if r.file.endswith(".safetensors")])
def tensor_reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Each kind of safetensors file."""
    yield _begun(request.param, tmp_path_factory.mktemp("tensors"))
