"""Adapting the pretrained network: on 1, 3, 7 and 14 real days, with and without re-weighted simulated worlds.

    python benchmarks/adapting.py table --data FOLDER [--weights FILE] [--seeds 3] [--out FILE]
    python benchmarks/adapting.py all-days --data FOLDER [--out FILE]
    python benchmarks/adapting.py show [--out FILE]

A cell is a city, a number of real days before its test days, and a seed. All rows but the first see these days:

    pretrained       the network as it is
    fine-tuned       trained on the real days alone, from the pretrained network
    uniform worlds   half on the real days, half on simulated windows of the literature prior, all alike
    by world         the same, worlds weighted by cutplane
    by sample        the same, each window weighted by cutplane
    no simulation    trained on the real days alone, from a network that was not pretrained, at a rate of 0.001

Test days: Jinan 18 to 22, Milano 16 to 22 December, and the last week of a pseudo-real town; origins eleven hours
apart. The history before an origin is as many days as are known, the newest. MAE in traffic, over nodes and
origins.
All-days: the first four rows with all that lies before the test days, and histories of all that lies before an
origin.

A finished row stands in the file of figures and is not made again, as long as the network's weights are the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from simmst.forecasting.adapted import simulated_bank
from simmst.forecasting.choice import GROUPS, errors_by_group
from simmst.forecasting.pretrained import Pretrained, known_hours
from simmst.io.atomic import atomically
from simmst.pretraining.adapt import Steps, adapt
from simmst.pretraining.adapt_windows import RealWindows
from simmst.pretraining.network import PretrainedNet
from simmst.pretraining.reading import MEDIAN
from simmst.reweighting.worlds import world_weights
from simmst.simulator.agents import pseudo_reality
from simmst.traffic.dataset import TrafficData

DAY, APART = 24, 11
OUT = Path("docs/results/pretrained/adapting.json")
ROWS = ("pretrained", "fine-tuned", "uniform worlds", "by world", "by sample", "no simulation")
DAYS = (14, 3, 7, 1)


@dataclass(frozen=True)
class Setting:
    """A city, the hours of its test days, and how many days before them are known (None: all)."""

    city: str
    file: str | None
    first: int
    stop: int
    days: int | None = None

    @property
    def name(self) -> str:
        """What the file of figures calls it."""
        return f"{self.city}, {'all days' if self.days is None else f'{self.days} d'}"

    def data(self, folder: Path) -> TrafficData:
        """Traffic up to the end of the test days."""
        traffic = pseudo_reality(0) if self.file is None else TrafficData.load(folder / self.file)
        return traffic.hourly().select(stop=self.stop)

    def before(self, data: TrafficData, hour: int) -> TrafficData:
        """What is known at an hour."""
        return data.select(start=0 if self.days is None else hour - DAY * self.days, stop=hour)


CITIES = (
    Setting("Jinan", "jinan.npz", 408, 528),
    Setting("Milano, 16 to 22 Dec", "milano_internet_100.npz", 1008, 1176),
    Setting("pseudo-reality", None, 504, 672),
)
CHRISTMAS = Setting("Milano, 23 to 29 Dec", "milano_internet_100.npz", 1176, 1344)
# Where steps, rate, shares and the row that `Adapted` is were chosen.
VALIDATION = (
    Setting("Jinan, validation", "jinan.npz", 312, 408),
    Setting("Milano, validation", "milano_internet_100.npz", 840, 960),
)


def made(
    row: str, network: PretrainedNet, real: RealWindows, seed: int
) -> tuple[PretrainedNet, dict[str, object]]:
    """Make a row's network, and say what its weights look like."""
    if row == "pretrained":
        return network, {}
    if row == "no simulation":
        torch.manual_seed(seed)
        return adapt(PretrainedNet(network.config), real, None, None, Steps(rate=1e-3), seed), {}
    if row == "fine-tuned":
        return adapt(network, real, None, None, Steps(), seed), {}
    bank = simulated_bank(seed)
    if row == "uniform worlds":
        return adapt(network, real, bank, None, Steps(), seed), {}
    learned = world_weights(network, real, bank, seed, by=row.removeprefix("by "))
    upper = learned.result.history.to_dict()["fun"]
    note = {
        "effective": learned.diagnostics.effective_share,
        "upper, equal weights": float(upper[0]),
        "upper, learned": float(upper[-1]),
    }
    return adapt(network, real, bank, learned.weights, Steps(), seed), note


def errors(setting: Setting, data: TrafficData, network: PretrainedNet) -> dict[str, list[float]]:
    """MAE by service at each group of leads, and over the day."""
    forecaster = Pretrained()
    forecaster.network = network
    found = []
    for hour in range(setting.first, setting.stop - DAY + 1, APART):
        before = setting.before(data, hour)
        quantiles = forecaster.quantiles(before.values, known_hours(before), data.start_hour + hour, DAY)
        truth, known = data.values[hour : hour + DAY], data.known[hour : hour + DAY]
        found.append(errors_by_group([quantiles[..., MEDIAN].astype(np.float64)], truth, known)[0])
    mean = np.nanmean(found, axis=0)  # [S, G]
    names = [name for name, span in GROUPS.items() if span.stop <= DAY]
    hours = np.array([GROUPS[name].stop - GROUPS[name].start for name in names])
    by_lead = {name: mean[:, g].tolist() for g, name in enumerate(names)}
    return by_lead | {"1-24 h": ((mean * hours).sum(axis=1) / DAY).tolist()}


def measure(settings: list[Setting], folder: Path, weights: Path | None, seeds: int, out: Path) -> None:
    """Make the rows that are not there yet, seed by seed."""
    network = Pretrained(weights).network
    digest = hashlib.sha256(b"".join(one.numpy().tobytes() for one in network.state_dict().values())).hexdigest()
    record = json.loads(out.read_text()) if out.is_file() else {}
    if record.get("network") != digest:
        record = {"network": digest, "rows": {}}
    for seed in range(seeds):
        for setting in settings:
            data = setting.data(folder)
            before = setting.before(data, setting.first)
            real = RealWindows.of(before.values, known_hours(before), before.start_hour)
            for row in ROWS if setting.days else ROWS[:4]:
                key = f"{setting.name} | {row} | {0 if row == 'pretrained' else seed}"
                if key in record["rows"]:
                    continue
                begin = time.process_time()
                adapted, note = made(row, network, real, seed)
                note["seconds"] = time.process_time() - begin
                record["rows"][key] = {"mae": errors(setting, data, adapted), **note}
                text = json.dumps(record, indent=1) + "\n"
                atomically(out, lambda path, text=text: path.write_text(text, encoding="utf-8"))
                print(key, record["rows"][key], flush=True)


def show(out: Path) -> None:
    """Print a table: error over that of the pretrained network, mean over services and seeds."""
    found = json.loads(out.read_text())["rows"]
    names = list(dict.fromkeys(key.split(" | ")[0] for key in found))
    for lead in ("1-24 h", "1 h"):
        print(f"\n| {lead} | " + " | ".join(ROWS[1:]) + " | re-weighted over uniform |")
        print("|---" * (len(ROWS) + 1) + "|")
        for name in names:
            base = np.array(found[f"{name} | pretrained | 0"]["mae"][lead])
            cells, means = [], {}
            for row in ROWS[1:]:
                of_row = [one for key, one in found.items() if key.startswith(f"{name} | {row} | ")]
                if not of_row:
                    cells.append("–")
                    continue
                ratios = np.array([(np.array(one["mae"][lead]) / base).mean() for one in of_row])
                means[row] = ratios.mean()
                spread = f" ± {np.ptp(ratios) / 2:.3f}" if len(ratios) > 1 else ""
                cells.append(f"{ratios.mean():.3f}{spread}")
            gains = [
                f"{100 * (means[row] / means['uniform worlds'] - 1):+.1f} %"
                for row in ("by world", "by sample")
                if row in means and "uniform worlds" in means
            ]
            print(f"| {name} | " + " | ".join(cells) + " | " + ", ".join(gains) + " |")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("table", "all-days", "validation", "show"))
    parser.add_argument("--data", type=Path, help="folder of the traffic files")
    parser.add_argument("--weights", type=Path, help="in place of those that came along")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT, help="file of figures")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.what != "show":
        if given.data is None:
            parser.error("--data: name the folder of the traffic files")
        settings = {
            "table": [replace(city, days=days) for days in DAYS for city in CITIES],
            "all-days": [CITIES[0], CITIES[1], CHRISTMAS],
            "validation": list(VALIDATION),
        }[given.what]
        measure(settings, given.data, given.weights, given.seeds, given.out)
    show(given.out)


if __name__ == "__main__":
    main()
