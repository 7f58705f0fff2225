"""Files that simmst 0.1.0 wrote still load, and mean the same.

`simmst_0_1_0.json` holds them as they were, deflated and as base85: a traffic file of two nodes and six days with
a gap, the directory of a finished run of a tiny network, a training that was stopped in its second epoch, a prior,
path gains and a collection of two worlds. What is expected of them was printed by 0.1.0 too.
"""

import base64
import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest

from simmst.errors import ConfigError
from simmst.experiments.config import RunConfig
from simmst.experiments.rundir import RunDirectory
from simmst.forecasting.from_run import forecast_file
from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
from simmst.simulator.archive import load_worlds
from simmst.simulator.collection import load_collection
from simmst.simulator.prior.file import load_prior
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.radio.path_gain import load_path_gain
from simmst.traffic.dataset import TrafficData
from simmst.traffic.gap import Gap
from simmst.traffic.neighbours import neighbour_patches
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowDataset
from simmst.training.config import TrainerConfig
from simmst.training.raw_scale import RawScale, RawWindows, RealScales
from simmst.training.trainer import Trainer

# "time,node,service,forecast,lower,upper" of `simmst forecast`, 6 digits.
FORECAST = [
    ("a", "call", 20.4839, 16.1529, 25.9084), ("a", "net", 24.2864, 19.4348, 30.29),
    ("b", "call", 18.4825, 14.5126, 23.4685), ("b", "net", 20.2674, 16.152, 25.3701),
    ("a", "call", 21.6291, 17.057, 27.3589), ("a", "net", 19.4439, 15.4613, 24.3901),
    ("b", "call", 21.5619, 16.9541, 27.3523), ("b", "net", 21.3643, 16.9705, 26.8325),
]  # fmt: skip
# Validation errors of the two epochs of the training, unbroken.
ERRORS = [0.2854334035048812, 0.2862227230503316]


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("old")
    for name, text in json.loads(Path(__file__).with_name("simmst_0_1_0.json").read_text()).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zlib.decompress(base64.b85decode(text)))
    (folder / "run" / "stages").mkdir()
    return folder


@pytest.fixture
def traffic(old) -> TrafficData:
    return TrafficData.load(old / "traffic.npz")


def test_a_traffic_file(traffic):
    assert traffic.values.shape == (144, 2, 2) and traffic.values.sum() == 11550
    assert traffic.services == ("call", "net") and traffic.node_ids == ("a", "b") and traffic.units == "MB"
    assert traffic.gaps == (Gap("net", np.datetime64("2024-01-02T03:00"), np.datetime64("2024-01-02T05:00")),)
    assert traffic.start == np.datetime64("2024-01-01T00:00") and traffic.coordinates[1].tolist() == [9.01, 45]


def test_a_run_forecasts_as_it_did(old):
    rows = forecast_file(old / "run", old / "traffic.npz").to_polars().rows()
    assert [row[1:3] for row in rows] == [row[:2] for row in FORECAST]
    np.testing.assert_allclose([row[3:] for row in rows], [row[2:] for row in FORECAST], rtol=2e-5)


def test_a_configuration_of_a_run_is_that_of_today(old):
    assert RunDirectory.open(old / "run")[1] == RunConfig.of_preset("smoke", seed=3).model_copy(
        update={"format": 3}  # which named no model
    )


def test_a_training_goes_on_to_the_same_end(old, traffic, tmp_path):
    logs = np.log1p(traffic.values[:72], dtype=np.float64)  # scales of 0.1.0 knew no unit
    scaler = NodeScaler(logs.mean(axis=0), logs.std(axis=0), np.ones((2, 2)))
    parts = (WindowDataset.cut(traffic, scaler, 24, 2, *part) for part in ((24, 72), (72, 144)))
    patch = neighbour_patches(traffic).shape[1]
    sizes = {"width": 2, "heads": 1, "hidden": 2, "encoder_layers": 1, "label": 2, "recent": 4, "normalise": True}
    model = SimMSTNet(SimMSTNetConfig(2, 24, 2, patch=patch, **sizes), 5)  # other first weights: they are read
    state = shutil.copy(old / "half.safetensors", tmp_path)
    config = TrainerConfig(epochs=2, batch_size=16, epoch_samples=32, seed=1)
    result = Trainer(config).fit(model, *parts, checkpoint=state, resume=True, show_progress=False)
    np.testing.assert_allclose([record.error for record in result.history], ERRORS, rtol=1e-5)


def test_a_training_on_z_scores_does_not_go_on_as_one_on_traffic(old, traffic, tmp_path):
    # Runs of 0.1.0 had their loss on z-scores; a run of today, like a table, has it on the scale of the traffic.
    scaler = NodeScaler.fit(traffic.values[:72])
    scales = RealScales.of(scaler, traffic.values[:72], traffic.filled[:72])
    parts = (WindowDataset.cut(traffic, scaler, 24, 2, *part) for part in ((24, 72), (72, 144)))
    patch = neighbour_patches(traffic).shape[1]
    sizes = {"width": 2, "heads": 1, "hidden": 2, "encoder_layers": 1, "label": 2, "recent": 4, "normalise": True}
    model = RawScale(SimMSTNet(SimMSTNetConfig(2, 24, 2, patch=patch, **sizes), 5))
    state = shutil.copy(old / "half.safetensors", tmp_path)
    config = TrainerConfig(epochs=2, batch_size=16, epoch_samples=32, seed=1)
    with pytest.raises(ConfigError, match=r"another run .*None -> 'traffic, in units of nodes'"):
        Trainer(config).fit(
            model,
            *(RawWindows(part, scales) for part in parts),
            checkpoint=state,
            resume=True,
            show_progress=False,
        )


def test_a_prior_path_gains_and_a_collection(old):
    assert load_prior(old / "prior.yaml").distributions(("call",)) == informed_prior().distributions(("call",))
    assert load_path_gain(old / "path_gain.npz").gain_db.tolist() == [[[-90.0]] * 25]
    assert len(load_collection(old / "collection")) == 2
    worlds = load_worlds(old / "collection" / "worlds" / "00000.npz")
    assert len(worlds.worlds) == 2 and worlds.services == ("call",) and len(worlds.worlds[0].sites) == 6
