"""What the pretrained network leaves of the next hour: is it shared by nodes, by services, and does it last?

    python benchmarks/network_residuals.py --data FOLDER

On validation days of Jinan and Milano, every hour an origin: errors one hour ahead over a series' mean. Printed
for each service: the share of their variance that all nodes have in common, the autocorrelation at one hour of
that common part and of a node's own, and between services the correlation of the last hour's error of one with
this hour's of another. Their squares say what share of the variance neighbours or other services could take away.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

import simmst as sm
from simmst.forecasting.pretrained import known_hours
from simmst.pretraining.reading import HOURS, MEDIAN

SETTINGS = (
    ("Jinan, days 10 to 17", "jinan.npz", 216, 408),
    ("Milano, 26 Nov to 8 Dec", "milano_internet_100.npz", 600, 900),
)


def errors(data: sm.TrafficData, first: int, stop: int) -> np.ndarray:
    """Of the hour after each origin, over the mean of a series: `[O, N, S]`."""
    network, made = sm.pretrained(), []
    for origin in range(first, stop):
        before = data.select(start=max(origin - HOURS, 0), stop=origin)
        hour = before.start_hour + len(before.values)
        made.append(network.quantiles(before.values, known_hours(before), hour, 1)[0, ..., MEDIAN])
    truth = data.values[first:stop].astype(np.float64)
    return (truth - np.stack(made)) / truth.mean(axis=(0, 1))


def lasting(one: np.ndarray) -> float:
    """Autocorrelation at one hour, about 0."""
    return float((one[1:] * one[:-1]).mean() / np.square(one).mean())


def main() -> None:
    """Print a table a city."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name, file, first, stop in SETTINGS:
        data = sm.TrafficData.load(given.data / file)
        left = errors(data, first, stop)
        print(f"{name} ({stop - first} origins)")
        for s, service in enumerate(data.services):
            common = left[..., s].mean(axis=1)
            own = left[..., s] - common[:, None]
            share = common.var() / np.square(left[..., s]).mean()
            print(f"  {service:9} common {share:.3f} of the variance, lasting {lasting(common):.2f}; "
                  f"own {lasting(own):.2f}")  # fmt: skip
        for i, one in enumerate(data.services):
            for j, other in enumerate(data.services):
                if i != j:
                    found = np.corrcoef(left[:-1, :, i].ravel(), left[1:, :, j].ravel())[0, 1]
                    print(f"  {one} an hour ago with {other} now: {found:.2f}")


if __name__ == "__main__":
    main()
