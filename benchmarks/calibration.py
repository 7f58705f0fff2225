"""What calibration of the pretrained network's intervals is worth, on days before the test days.

    python benchmarks/calibration.py FOLDER [--history 168] [--step 7]

At each origin of the days that choices are made on, factors are measured on the history before it and the next 24
hours are held against the intervals: coverage of 90 % intervals, the share of nodes and services of which 80 % and
more are covered, the least and most covered hour of the day, the least covered origin, and the interval score
(width plus 20 times what is missed) over the mean traffic. Rows: the network's own intervals; measured without the
factors of hours; all of it; and all with no node's factor below 1.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from simmst.forecasting.calibration import Calibration, held_out_origins
from simmst.forecasting.pretrained import Pretrained, known_hours
from simmst.traffic.dataset import TrafficData

DAY = 24
DAYS = (("jinan.npz", 216, 408), ("milano_internet_100.npz", 504, 1008))


def measure(data: TrafficData, origins: NDArray[np.int64], history: int | None) -> dict[str, list[NDArray]]:
    """Whether the truth was inside `[24, N, S]`, and the interval scores, by row and origin."""
    network = Pretrained()

    @cache
    def ask(first: int, at: int) -> NDArray[np.float32]:
        before = data.select(start=first, stop=at)
        return network.quantiles(before.values, known_hours(before), before.start_hour + len(before.values), DAY)

    out: dict[str, list[NDArray]] = {}
    for origin in map(int, origins):
        first = 0 if history is None else max(origin - history, 0)
        before = data.select(start=first, stop=origin)
        held = held_out_origins(before)
        found = [ask(first, first + int(at)) for at in held]
        full = Calibration.of(before, known_hours(before), held, found)
        rows = {
            "as the network gives them": Calibration.none(),
            "without factors of hours": replace(full, hour_factors=np.ones_like(full.hour_factors)),
            "calibrated": full,
            "the same, 1 at least": replace(full, factors=np.maximum(full.factors, 1.0)),
        }
        truth = data.values[origin : origin + DAY].astype(np.float64)
        for name, one in rows.items():
            lower, upper = one.interval(ask(first, origin), before, 0.9)
            missed = np.maximum(lower - truth, 0) + np.maximum(truth - upper, 0)
            out.setdefault(name, []).append(np.stack([missed == 0, upper - lower + 20 * missed]))
    return out


def main() -> None:
    """Print a line a row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--history", type=int, help="hours known before an origin; default: all")
    parser.add_argument("--step", type=int, default=7, help="hours between origins; 7 meet all hours")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for file, first, stop in DAYS:
        data = TrafficData.load(given.folder / file)
        origins = np.arange(first, stop - DAY + 1, given.step)
        mean = data.values[first:stop].mean(axis=(0, 1))
        clock = (data.start_hour + origins[:, None] + np.arange(DAY)) % DAY
        print(f"{file}, {len(origins)} origins")
        for name, found in measure(data, origins, given.history).items():
            inside, score = np.stack(found, axis=1)
            by_hour = [inside[clock == hour].mean() for hour in range(DAY)]
            print(
                f"  {name:26} covers {inside.mean():.3f}, nodes {(inside.mean((0, 1)) >= 0.8).mean():.3f}, "
                f"hours {min(by_hour):.3f} to {max(by_hour):.3f}, origins {inside.mean((1, 2, 3)).min():.3f}+, "
                f"score {(score.mean((0, 1, 2)) / mean).mean():.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
