"""Every row on the same test days: pretrained, selected, simple rows, DLinear, and rows of other libraries.

    python benchmarks/board.py --data FOLDER --out docs/results/board [--step 25] [--nodes 40] [--rows NAME ...]

Test days of Jinan and of two weeks of Milano. Every row gets all the history before an origin. What is trained
(DLinear, LightGBM, the ridge) is so once, on the days before the first origin, and reads what is newer; local
models, simple rows and the selection are fitted anew at each origin; the pretrained networks are not fitted.
Errors are MAE in traffic over origins, nodes (spread evenly over the city) and hours. Cells that are in the
folder are not computed again: a stopped board goes on. A paired t-test over origins says which rows are not
separable from the best of a column (5 %, of which so few origins see only large differences).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peer_rows import peers
from scipy import stats

import simmst as sm
from simmst.forecasting.simple import Autoregression, Blend, LastWeek, Profile, Yesterday
from simmst.io.atomic import atomically

DAY = 24
SETTINGS = {
    "Jinan": ("jinan.npz", 408, 528),
    "Milano, 16 to 22 Dec": ("milano_internet_100.npz", 1008, 1176),
    "Milano, 23 to 29 Dec": ("milano_internet_100.npz", 1176, 1344),
}
_SPANS = {"1 h": slice(0, 1), "1-6 h": slice(0, 6), "1-24 h": slice(0, DAY)}


class Ours:
    """A forecaster of this package; refitted at each origin or not."""

    def __init__(self, make: Any, name: str, anew: bool, fitted: bool = True) -> None:
        self.name, self._make, self._anew, self._fitted = name, make, anew, fitted

    def fit(self, data: sm.TrafficData) -> None:
        """Fit it once, unless it is fitted at each origin or not at all."""
        self._one = self._make()
        if self._fitted and not self._anew:
            self._one.fit(data)

    def medians(self, data: sm.TrafficData) -> np.ndarray:
        """Forecast from the end of the data."""
        if self._anew:
            self._one.fit(data)
        return self._one.predict(data).values[:DAY]


def rows() -> tuple[list[Any], list[str]]:
    there, missing = peers()
    simple = [Ours(one, one.name, True) for one in (Yesterday, LastWeek, Profile, Autoregression, Blend)]
    ours = [Ours(sm.pretrained, "pretrained", False, False), Ours(sm.Selected, "selected", True)]
    trained = [Ours(sm.Ridge, "ridge", False), Ours(lambda: sm.Network("dlinear"), "dlinear", False)]
    return [*ours, *simple, *trained, *there], missing


def compute(row: Any, data: sm.TrafficData, origins: np.ndarray, nodes: list[str]) -> dict[str, Any]:
    """Absolute errors `[O, H, S]`, means over the chosen nodes, and processor time."""
    begin = time.process_time()
    chosen = isinstance(row, Ours) or row.name == "lightgbm"  # these read other nodes, too
    seen = data if chosen else data.select(nodes=nodes)
    places = [data.node_ids.index(one) for one in nodes]
    row.fit(seen.select(stop=int(origins[0])))
    errors = []
    for at in origins:
        made = row.medians(seen.select(stop=int(at)))
        made = made[:, places] if chosen else made
        errors.append(np.abs(made - data.values[at : at + DAY][:, places]).mean(axis=1))
    kept = [[[float(f"{x:.6g}") for x in lead] for lead in one] for one in errors]
    return {"errors": kept, "seconds": time.process_time() - begin,
            "chosen": getattr(row, "chosen", None)}  # fmt: skip


def show(found: dict[str, dict[str, Any]], services: tuple[str, ...]) -> str:
    """A table of Markdown: the best of a column in bold, and with a star what a test cannot tell from it."""
    errors = {name: np.array(one["errors"]) for name, one in found.items()}
    lines = ["| row | " + " | ".join(f"{s} {span}" for s in services for span in _SPANS) + " | processor s |"]
    lines.append("|---" * (len(services) * len(_SPANS) + 2) + "|")
    table: dict[str, list[str]] = {name: [] for name in found}
    for s in range(len(services)):
        for span in _SPANS.values():
            means = {name: one[:, span, s].mean(axis=1) for name, one in errors.items()}
            best = min(means, key=lambda name: means[name].mean())
            for name, one in means.items():
                text = f"{one.mean():.3g}" if one.mean() < 100 else f"{one.mean():.1f}"
                if name == best:
                    text = f"**{text}**"
                elif stats.ttest_rel(one, means[best]).pvalue > 0.05:
                    text += "*"
                table[name].append(text)
    for name, cells in table.items():
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {found[name]['seconds']:.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Compute what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of one JSON a cell")
    parser.add_argument("--step", type=int, default=25, help="hours between origins")
    parser.add_argument("--nodes", type=int, default=40)
    parser.add_argument("--rows", nargs="*", help="names; default: all that are installed")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    every, missing = rows()
    if missing:
        print(f"not installed, left out: {', '.join(missing)}")
    for setting, (file, first, stop) in SETTINGS.items():
        data = sm.TrafficData.load(given.data / file)
        origins = np.arange(first, stop - DAY + 1, given.step)
        places = np.linspace(0, len(data.node_ids) - 1, min(given.nodes, len(data.node_ids))).astype(int)
        nodes = [data.node_ids[i] for i in places]
        found = {}
        for row in every:
            name = f"{setting}-{row.name}-{given.step}-{len(nodes)}".replace(" ", "-").replace(",", "")
            path = given.out / f"{name}.json"
            if given.rows and row.name not in given.rows and not path.is_file():
                continue
            if not path.is_file():
                text = json.dumps(compute(row, data, origins, nodes)) + "\n"
                atomically(path, lambda target, text=text: target.write_text(text, encoding="utf-8"))
            found[row.name] = json.loads(path.read_text(encoding="utf-8"))
        head = f"\n{setting}: {len(origins)} origins, {len(nodes)} nodes\n\n"
        print(head + show(found, data.services), flush=True)


if __name__ == "__main__":
    main()
