"""What the pretrained network does on cities that it has not seen: errors, coverage, speed.

    python benchmarks/pretrained.py errors --data FOLDER [--weights FILE] [--days test] [--out FILE]
    python benchmarks/pretrained.py selected --data FOLDER [--step 7]
    python benchmarks/pretrained.py speed [--series 100000]

Errors: every hour of the days is an origin as long as 24 hours fit behind it (97 on Jinan's test days, 145 of a
Milano week); MAE in traffic over nodes and origins at one hour, and over 24; beside it the closed forms that the
network reads (`own_fit`), and the same hour yesterday and last week. Histories are all that lies before an origin
(four weeks are read), or its last 72 or 24 hours. Nothing of the city is used but that. Coverage is that of 90 %
intervals: as the network gives them, and calibrated once on the days before the first origin; pooled, and the
share of nodes of which 80 % or more are covered.

Selected: the same errors of `Selected`, fitted anew at each origin, beside the network's at the same origins;
seconds an origin.

Speed: 24 hours of many series from two weeks of history, processor time and memory.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import time
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from simmst.forecasting.pretrained import Pretrained, known_hours
from simmst.forecasting.selected import Selected
from simmst.io.atomic import atomically
from simmst.pretraining.own_fit import OwnPast, memory
from simmst.pretraining.reading import HOURS, MEDIAN, Scale
from simmst.pretraining.serve import quantiles
from simmst.traffic.dataset import TrafficData

DAY = 24
JINAN, MILANO = "jinan.npz", "milano_internet_100.npz"


@dataclass(frozen=True)
class Setting:
    """Days of a city: first origin, the hour after the last target, history (None: all) and step in hours."""

    name: str
    file: str
    first: int
    stop: int
    history: int | None = None
    step: int = 1


TEST = (
    Setting("Jinan, test days", JINAN, 408, 528),
    Setting("Milano, 16 to 22 Dec", MILANO, 1008, 1176),
    Setting("Milano, 23 to 29 Dec", MILANO, 1176, 1344),
    Setting("Jinan, test days, 72 h", JINAN, 408, 528, 72),
    Setting("Milano, 16 to 22 Dec, 72 h", MILANO, 1008, 1176, 72),
    Setting("Milano, 23 to 29 Dec, 72 h", MILANO, 1176, 1344, 72),
    Setting("Jinan, test days, 24 h", JINAN, 408, 528, 24),
    Setting("Milano, 16 to 22 Dec, 24 h", MILANO, 1008, 1176, 24),
    Setting("Milano, 23 to 29 Dec, 24 h", MILANO, 1176, 1344, 24),
)
# Where anything about the network, its recipe or how it is served was chosen.
VALIDATION = (
    Setting("Jinan, days 10 to 17", JINAN, 216, 408, None, 5),
    Setting("Milano, 25 Nov to 15 Dec", MILANO, 504, 1008, None, 11),
    Setting("Jinan, days 10 to 17, 72 h", JINAN, 216, 408, 72, 5),
    Setting("Milano, 25 Nov to 15 Dec, 72 h", MILANO, 504, 1008, 72, 11),
    Setting("Jinan, days 10 to 17, 24 h", JINAN, 216, 408, 24, 5),
    Setting("Milano, 25 Nov to 15 Dec, 24 h", MILANO, 504, 1008, 24, 11),
)


def measure(setting: Setting, data: TrafficData, forecaster: Pretrained) -> dict[str, object]:
    """Errors by service and coverage of one setting."""
    origins = np.arange(setting.first, setting.stop - DAY + 1, setting.step)
    found = [_ask(setting, data, forecaster, int(origin)) for origin in origins]
    values, lower, upper = (np.stack([one[part] for one in found]) for part in range(3))
    truth = data.values[origins[:, None] + np.arange(DAY)].astype(np.float64)
    before = (
        data.select(stop=setting.first)
        if setting.history is None
        else data.select(start=setting.first - setting.history, stop=setting.first)
    )
    fitted = copy.copy(forecaster).fit(before)
    widths = [
        fitted.calibration.interval(one[3], data.select(stop=int(origin)), 0.9)
        for origin, one in zip(origins, found, strict=True)
    ]
    calibrated = tuple(np.stack([one[side] for one in widths]) for side in (0, 1))
    out: dict[str, object] = {"setting": setting.name, "origins": len(origins)}
    out["pretrained"] = _errors(values, truth)
    for name, back in (("yesterday", DAY), ("last week", 168)):
        out[name] = _errors(data.values[origins[:, None] + np.arange(DAY) - back].astype(np.float64), truth)
    out["own fit"] = _errors(np.stack([_own_fit(setting, data, int(origin)) for origin in origins]), truth)
    out["coverage"] = _coverage(lower, upper, truth)
    out["coverage, calibrated"] = _coverage(*calibrated, truth)
    return out


def selected(setting: Setting, data: TrafficData, forecaster: Pretrained) -> dict[str, object]:
    """Errors of the choice among the network and simple rows, fitted anew at each origin."""
    origins = np.arange(setting.first, setting.stop - DAY + 1, setting.step)
    values = []
    for origin in origins:
        first = 0 if setting.history is None else int(origin) - setting.history
        before = data.select(start=first, stop=int(origin))
        values.append(Selected(forecaster, horizon=DAY).fit(before).predict(before).values)
    truth = data.values[origins[:, None] + np.arange(DAY)].astype(np.float64)
    return {"setting": setting.name, "origins": len(origins), "selected": _errors(np.stack(values), truth)}


def _ask(
    setting: Setting, data: TrafficData, forecaster: Pretrained, origin: int
) -> tuple[NDArray[np.float64], ...]:
    first = 0 if setting.history is None else origin - setting.history
    before = data.select(start=max(first, origin - HOURS, 0), stop=origin)
    known = known_hours(before)
    raw = forecaster.quantiles(before.values, known, before.start_hour + len(before.values), DAY)
    lower, upper = forecaster.calibration.interval(raw, before, 0.9)
    return raw[..., MEDIAN].astype(np.float64), lower, upper, raw


def _own_fit(setting: Setting, data: TrafficData, origin: int) -> NDArray[np.float64]:
    """What the closed forms that the network reads would forecast by themselves."""
    first = max(0, origin - (setting.history or HOURS), origin - HOURS)
    before = data.values[first:origin]
    hours, nodes, services = before.shape
    traffic, known = (torch.zeros(nodes * services, HOURS) for _ in range(2))
    traffic[:, HOURS - hours :] = torch.from_numpy(before.reshape(hours, -1).T.copy())
    known[:, HOURS - hours :] = 1
    scale = Scale.of(traffic, known)
    scaled = scale.scaled(traffic) * known
    hour = torch.full((len(traffic),), (data.start_hour + origin) % 168)
    fit = OwnPast.of(scaled, known, hour).fit(torch.zeros_like(hour))
    ahead = memory((fit.truth - fit.fitted)[:, :-1], fit.counts[:, :-1]).ahead
    found = scale.relative(fit.fitted[:, -1] + ahead) * scale.unit[:, None]
    return found.numpy().astype(np.float64).reshape(nodes, services, DAY).transpose(2, 0, 1)


def _errors(values: NDArray[np.float64], truth: NDArray[np.float64]) -> dict[str, list[float]]:
    error = np.abs(values - truth)
    return {"1 h": error[:, 0].mean((0, 1)).tolist(), "1-24 h": error.mean((0, 1, 2)).tolist()}


def _coverage(
    lower: NDArray[np.float64], upper: NDArray[np.float64], truth: NDArray[np.float64]
) -> dict[str, float]:
    inside = (lower <= truth) & (truth <= upper)
    by_node = inside.mean(axis=(0, 1))
    miss = np.maximum(lower - truth, 0) + np.maximum(truth - upper, 0)
    score = (upper - lower + 20 * miss).mean((0, 1, 2)) / truth.mean((0, 1, 2))
    return {
        "pooled": float(inside.mean()),
        "nodes with 80 %": float((by_node >= 0.8).mean()),
        "interval score over mean": float(score.mean()),
    }


def errors(folder: Path, weights: Path | None, days: str, out: Path | None) -> None:
    """Print a line a setting, and write all figures."""
    forecaster = Pretrained(weights)
    results = []
    for setting in TEST if days == "test" else VALIDATION:
        data = TrafficData.load(folder / setting.file)
        one = measure(setting, data, forecaster)
        results.append(one)
        print(f"{setting.name} ({one['origins']} origins)")
        for row in ("pretrained", "own fit", "yesterday", "last week"):
            shown = "   ".join(f"{lead}: " + " / ".join(f"{x:.4g}" for x in one[row][lead]) for lead in one[row])
            print(f"  {row:11} {shown}")
        for row in ("coverage", "coverage, calibrated"):
            print(f"  {row}: " + ", ".join(f"{name} {value:.3f}" for name, value in one[row].items()), flush=True)
    if out is not None:
        record = {"made": forecaster.made, "settings": [asdict(one) for one in TEST], "results": results}
        text = json.dumps(record, indent=1) + "\n"
        atomically(out, lambda path: path.write_text(text, encoding="utf-8"))


def speed(series: int) -> None:
    """Forecast many series of two weeks."""
    rng = np.random.default_rng(0)
    wave = 2 + np.sin(2 * np.pi * np.arange(14 * DAY) / DAY)
    traffic = (wave * np.exp(rng.normal(0, 0.2, (series, 14 * DAY)))).astype(np.float32)
    network = Pretrained().network
    begin = time.process_time()
    quantiles(network, traffic, np.ones(traffic.shape, dtype=bool), 0, DAY)
    used = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{series:,} series x 24 h from two weeks: {used:.1f} s of processor time, {peak:,.0f} MiB at most; "
          f"torch {version('torch')}, {torch.get_num_threads()} thread")  # fmt: skip


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("errors")
    one.add_argument("--data", type=Path, required=True, help=f"folder of {JINAN} and {MILANO}")
    one.add_argument("--weights", type=Path, help="in place of those that came along")
    one.add_argument("--days", choices=("test", "validation"), default="test")
    one.add_argument("--out", type=Path, help="JSON file to write")
    three = commands.add_parser("selected")
    three.add_argument("--data", type=Path, required=True, help=f"folder of {JINAN} and {MILANO}")
    three.add_argument("--step", type=int, default=7, help="hours between origins")
    two = commands.add_parser("speed")
    two.add_argument("--series", type=int, default=100_000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.command == "errors":
        errors(given.data, given.weights, given.days, given.out)
    elif given.command == "selected":
        for setting in TEST[:6]:
            setting = replace(setting, step=given.step)
            data = TrafficData.load(given.data / setting.file)
            print(json.dumps(measure(setting, data, Pretrained())["pretrained"]))
            print(json.dumps(selected(setting, data, Pretrained())), flush=True)
    else:
        speed(given.series)


if __name__ == "__main__":
    main()
