"""`Selected` against the pretrained network and every simple row, on validation days, by days of history known.

Ratios of MAE to the pretrained network's, by hours ahead and over the day, means over services. Test days are not
read.
One line a data set:

    python benchmarks/short_histories.py jinan.npz 216 384 29
    python benchmarks/short_histories.py milano_internet_100.npz 504 984 47
"""

import sys

import numpy as np
import torch

import simmst as sm
from simmst.forecasting.choice import GROUPS
from simmst.forecasting.simple import LastWeek, Yesterday

LEADS = [(name, span) for name, span in GROUPS.items() if span.stop <= 24]


def errors(forecast: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """MAE by service and group of leads, and over all leads: `[S, 5]`."""
    away = np.abs(forecast - truth)
    return np.stack([*(away[span].mean((0, 1)) for _, span in LEADS), away.mean((0, 1))], axis=1)


def main(path: str, first: str, stop: str, step: str) -> None:
    """Measure one data set."""
    torch.set_num_threads(1)
    data = sm.TrafficData.load(path)
    origins = range(int(first), int(stop) - 24 + 1, int(step))
    for days in (1, 3, 7, None):
        found: dict[str, list[np.ndarray]] = {}
        covered = []
        for origin in origins:
            known = data.select(start=0 if days is None else max(origin - 24 * days, 0), stop=origin)
            truth = data.values[origin : origin + 24]
            for row in (sm.Selected(), sm.pretrained(), sm.Profile(), sm.Autoregression(), sm.Blend(), Yesterday(),
                        LastWeek()):  # fmt: skip
                fitted = row.fit(known) if isinstance(row, sm.Selected | sm.Autoregression) else row
                made = fitted.predict(known)
                found.setdefault(row.name, []).append(errors(made.values, truth))
                if isinstance(row, sm.Selected):
                    covered.append(((made.lower <= truth) & (truth <= made.upper)).mean())
        means = {name: np.mean(one, axis=0) for name, one in found.items()}
        print(f"{days or 'all'} days, {len(origins)} origins; {', '.join(name for name, _ in LEADS)}, 1-24 h")
        for name, one in means.items():
            print(f"  {name:12}", *(f"{ratio:6.3f}" for ratio in (one / means["pretrained"]).mean(axis=0)))
        print(f"  90 % intervals of selected cover {np.mean(covered):.3f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
