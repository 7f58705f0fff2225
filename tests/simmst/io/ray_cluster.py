"""A Ray cluster of two nodes on this machine: what it computes beside what one process does. Writes found.json."""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import ray
from ray.cluster_utils import Cluster

from simmst.errors import SimmstError
from simmst.experiments.tables.make import Options, make_table
from simmst.io import distribute
from simmst.io.distribute import Workers
from simmst.traffic.dataset import TrafficData

folder = Path(sys.argv[1])


def traffic(path: Path) -> Path:
    """Write a small town's traffic."""
    wave = 20 + 10 * np.sin(2 * np.pi * np.arange(24 * 22) / 24)
    values = wave[:, None, None] * np.exp(np.random.default_rng(0).normal(0, 0.1, (24 * 22, 4, 2)))
    start, names = np.datetime64("2024-01-01T00:00", "m"), tuple(f"n{i}" for i in range(4))
    TrafficData(values.astype(np.float32), start, 60, ("call", "net"), names, None, "MB").save(path)
    return path


def table(file: Path, out: str, workers: Workers) -> tuple[dict[str, float], int]:
    """Return the rows' errors, and how many cells had to be computed."""
    begun = []
    options = Options(
        2, "Table 2", str(file), folder / out, "daily,ridge,mttc", 1, "smoke", "1e", horizon=6, workers=workers
    )
    made = make_table(options, lambda *at: begun.append(at) or (lambda *a: None), lambda *a: None)
    return {row.label: row.mean(6, None, "mae") for row in made.rows}, len(begun)


def die_once(place: Path, number: int) -> None:
    """Kill the first worker that takes number 1."""
    mark = place / "died"
    if number == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    (place / str(number)).touch()


cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
cluster.add_node(num_cpus=1)
file = traffic(folder / "town.npz")
on_ray = Workers(ray=cluster.address)
found: dict[str, object] = {"alone": table(file, "alone", Workers())[0]}
found["cluster"] = table(file, "cluster", on_ray)[0]
found["nodes"] = sum(node["Alive"] for node in ray.nodes())
found["read again"] = table(file, "cluster", on_ray)[1]
(folder / "killed").mkdir()
distribute.distribute(
    die_once, [(folder / "killed", n) for n in range(4)], on_ray, folder / "killed", lambda n: None
)
found["killed once"] = sorted(path.name for path in (folder / "killed").iterdir() if path.name.isdigit())
Path.touch, touch = lambda path: None, Path.touch  # a folder that the nodes do not see
try:
    distribute.distribute(print, [(1,)], on_ray, folder / "elsewhere", lambda n: None)
except SimmstError as error:
    found["other folder"] = str(error)
Path.touch = touch
(folder / "found.json").write_text(json.dumps(found))
ray.shutdown()
cluster.shutdown()
