"""Score of intervals on validation days: one width for all nodes, and each node its own.

Forecasters are fitted and calibrated on the days before. ``python benchmarks/interval_score.py jinan.npz 336 408``
and ``... milano_internet_100.npz 840 1008`` print the figures of `docs/forecast.md`; test days are not read.
"""

import sys

import numpy as np
import numpy.typing as npt

from simmst.forecasting.closed_form import Naive, Ridge
from simmst.forecasting.intervals import Intervals
from simmst.traffic.dataset import TrafficData

HORIZON, LEVEL = 24, 0.9
Array = npt.NDArray[np.float64]


def interval_score(lower: Array, upper: Array, actual: Array) -> Array:
    """Width, and 2 / (1 - level) times what is missed (Gneiting and Raftery, JASA 2007)."""
    missed = np.maximum(lower - actual, 0) + np.maximum(actual - upper, 0)
    return upper - lower + 2 / (1 - LEVEL) * missed


def main(file: str, first: int, stop: int) -> None:
    """Print score, coverage, and the coverage that nine nodes of ten have at least, of each service."""
    data = TrafficData.load(file).hourly()
    for forecaster in (Naive("daily", HORIZON), Ridge(HORIZON)):
        known = forecaster.fit(data.select(stop=first)).known
        assert known is not None
        own = known.intervals
        one = Intervals((own.residuals), np.ones_like(own.spread))
        for name, intervals in (("each its own", own), ("one width", one)):
            scores, inside = [], []
            for origin in range(first, stop - HORIZON + 1):
                made = forecaster.predict(data.select(stop=origin))
                lower, upper = intervals.around(known.scaler, made.values, LEVEL)
                actual = data.values[origin : origin + HORIZON].astype(np.float64)
                scores.append(interval_score(lower, upper, actual))
                inside.append((lower <= actual) & (actual <= upper))
            nodes = np.mean(inside, axis=(0, 1))
            print(
                f"{forecaster.name}, {name}: score {np.mean(scores, axis=(0, 1, 2)).round(3)}, "
                f"covered {nodes.mean(axis=0).round(3)}, nine of ten {np.quantile(nodes, 0.1, axis=0).round(3)}"
            )


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
