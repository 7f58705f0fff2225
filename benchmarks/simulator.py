"""The simulator's two claims: its speed, and what a model trained on simulated windows alone does on real traffic.

    python benchmarks/simulator.py speed                       (needs 2 GB of disk for a while)
    python benchmarks/simulator.py transfer --data FOLDER

Speed: 30,638 windows, pooled and with a fresh world each, by two workers; elapsed and processor time, and the
machine's load, since elapsed time holds for free cores only.

Transfer: one ridge (lags 1 to 48 and 168 of all services, penalty 10) trained on simulated windows, on all real
training windows, on those with targets in the last three days, and on three days with nothing before them; beside
the same hour yesterday and last week, on validation and on test days. Errors are MAE of z-scores of
log(1 + traffic), the geometric mean over services.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simmst.simulator.city import SimulatedWorlds
from simmst.simulator.collection import CollectionConfig, make_collection
from simmst.simulator.prior.file import PRIORS
from simmst.simulator.prior.scenario import Prior
from simmst.simulator.transfer import compare_transfer
from simmst.traffic.dataset import TrafficData
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowDataset

HOUR = 1
DAY = 24
WEEK = 168


@dataclass(frozen=True)
class City:
    """A real file and its days, as hours from its start: training ends, validation ends, test ends."""

    file: str
    train_from: int
    validate_from: int
    test_from: int
    stop: int


CITIES = (
    City("jinan.npz", 0, 14 * DAY, 17 * DAY, 22 * DAY),  # 14 training days
    City("milano_internet_100.npz", 14 * DAY, 42 * DAY, 49 * DAY, 56 * DAY),  # 4 weeks; the test week is Christmas
    City("milano_internet_3squares_full.npz", 3 * DAY, 31 * DAY, 38 * DAY, 45 * DAY),  # 4 weeks; December 9 to 15
)


def speed(folder: Path | None, windows: int, workers: int) -> list[dict[str, object]]:
    rows = []
    for fresh, limit in ((False, 30.0), (True, 180.0)):
        with tempfile.TemporaryDirectory(dir=folder) as name:
            out = Path(name) / "windows"
            config = CollectionConfig(windows, fresh=fresh)
            cpu, begun = _cpu(), time.perf_counter()
            make_collection(config, out, workers=workers)
            elapsed, cpu, load = time.perf_counter() - begun, _cpu() - cpu, os.getloadavg()[0]
            size = sum(file.stat().st_size for file in out.rglob("*")) / 1e6
            shutil.rmtree(out)
        kind = "fresh" if fresh else "pooled"
        print(
            f"{kind}: {windows} windows of {config.worlds} worlds, {workers} workers: {elapsed:.1f} s elapsed "
            f"(limit {limit:.0f} s, load {load:.1f}), {cpu:.1f} s of processors, {cpu / workers:.1f} s a worker "
            f"({1000 * cpu / config.worlds:.2f} ms a world), {size:.0f} MB",
            flush=True,
        )
        rows.append(
            {
                "kind": kind,
                "worlds": config.worlds,
                "workers": workers,
                "elapsed_s": elapsed,
                "cpu_s": cpu,
                "limit_s": limit,
                "load": load,
            }
        )
    return rows


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def transfer(
    data: Path, prior: Prior, n_worlds: int, per_world: int, seed: int, horizon: int
) -> list[dict[str, object]]:
    rows = []
    for city in CITIES:
        path = data / city.file
        if not path.is_file():
            print(f"{city.file}: not in {data}, left out")
            continue
        real = TrafficData.load(path).hourly()
        worlds = SimulatedWorlds.generate(n_worlds, 2 * WEEK, real.services, seed, prior)
        for days, test in (
            ("validation", (city.validate_from, city.test_from)),
            ("test", (city.test_from, city.stop)),
        ):
            for training in ("all", "targets of 3 days", "3 days"):
                row = _compare(city, real, worlds, per_world, seed, horizon, training, test)
                said = {"city": city.file, "prior": prior.base, "days": days, "training": training}
                rows.append({**said, "horizon": horizon, **row})
                print(
                    f"{city.file}, {days} days, horizon {horizon} h, real training: {training:17} "
                    f"simulated {row['simulated']:.4f}  real {row['real']:.4f}  ratio {row['ratio']:.3f}  "
                    f"(same hour yesterday {row['yesterday']:.4f}, last week {row['last_week']:.4f})",
                    flush=True,
                )
    return rows


def _compare(
    city: City, real: TrafficData, worlds: SimulatedWorlds, per_world: int, seed: int, horizon: int,
    training: str, test: tuple[int, int],
) -> dict[str, object]:  # fmt: skip
    end = city.validate_from
    three = end - 3 * DAY
    # "3 days": nothing of the real city is older than three days, neither the scale nor the history of a training
    # window, so that the lag of a week is not known to either model.
    scale_from = city.train_from if training == "all" else three
    first = {"all": city.train_from + WEEK, "targets of 3 days": three, "3 days": three + 2 * DAY}[training]
    lookback = 2 * DAY if training == "3 days" else WEEK
    scaler = NodeScaler.fit(real.values[scale_from:end])
    cut = {"lookback": lookback, "horizon": horizon, "patch": 1}
    windows = worlds.windows(lookback, horizon, per_world, 1, seed)
    found = compare_transfer(
        windows,
        WindowDataset.cut(real, scaler, first=first, stop=end, **cut),
        WindowDataset.cut(real, scaler, first=test[0], stop=test[1], **cut),
        seed,
    )
    z = scaler.transform(real.values)
    return {
        "simulated": _mean(found.simulated),
        "real": _mean(found.real),
        "ratio": found.ratio,
        "by_service": (found.simulated / found.real).tolist(),
        "yesterday": _mean(found.yesterday),
        "last_week": _mean(_last_week(z, test, horizon)),
    }


def _last_week(z: NDArray[np.floating], test: tuple[int, int], horizon: int) -> NDArray[np.float64]:
    origins = np.arange(test[0], test[1] - horizon + 1)
    hours = origins[:, None] + np.arange(horizon)
    return np.abs(z[hours] - z[hours - WEEK]).mean(axis=(0, 1, 2))


def _mean(errors: NDArray[np.float64]) -> float:
    return float(np.exp(np.log(errors).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["speed", "transfer"])
    parser.add_argument("--out", type=Path, help="folder for simulator_<part>.json")
    parser.add_argument("--windows", type=int, default=30_638, help="speed: number of windows")
    parser.add_argument("--workers", type=int, default=2, help="speed: number of processes")
    parser.add_argument("--scratch", type=Path, help="speed: folder on the disk to write to")
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("SIMMST_DATA_DIR"), help="transfer: real files"
    )
    parser.add_argument("--prior", choices=PRIORS, default="informed", help="transfer: what the worlds come from")
    parser.add_argument("--worlds", type=int, default=400, help="transfer: simulated worlds")
    parser.add_argument("--per-world", type=int, default=80, help="transfer: windows of each")
    parser.add_argument("--seed", type=int, default=5, help="transfer: seed of the worlds")
    parser.add_argument("--horizon", type=int, default=1, help="transfer: hours ahead")
    options = parser.parse_args()
    print("command:", " ".join([Path(sys.executable).name, *sys.argv]))
    versions = {name: version(name) for name in ("cutplane", "numpy", "scipy")}
    print("versions:", ", ".join(f"{name} {number}" for name, number in versions.items()))
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}", flush=True)
    if options.part == "speed":
        rows = speed(options.scratch, options.windows, options.workers)
    elif options.data is None:
        parser.error("--data: name the folder of the real files")
    else:
        prior = PRIORS[options.prior]()
        rows = transfer(
            Path(options.data), prior, options.worlds, options.per_world, options.seed, options.horizon
        )
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        content = {"versions": versions, "cities": [asdict(city) for city in CITIES], "rows": rows}
        target = options.out / f"simulator_{options.part}.json"
        target.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
