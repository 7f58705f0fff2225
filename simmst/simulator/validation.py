"""The prior against real files: which statistics lie inside its band, as a table, JSON, CSV and a picture."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from simmst.errors import DataError
from simmst.io.atomic import atomic_file
from simmst.io.npz import read_npz
from simmst.simulator.city import SimulatedWorlds
from simmst.simulator.compare import Comparison, DayDistance, compare_days, compare_in_space, compare_in_time
from simmst.simulator.prior.scenario import Prior
from simmst.traffic.dataset import TrafficData
from simmst.traffic.statistics import HOURS_OF_WEEK

FloatArray = NDArray[np.float64]

#: Files that are looked for in a folder of real data.
KNOWN_FILES = (
    "jinan.npz",
    "milano_internet_100.npz",
    "milano_internet_3squares_full.npz",
    "milano_week_4squares_hourly.npz",
    "milano_square_totals.npz",
)
# A whole Milano of 100 x 100 squares takes seconds and 2.4 GB: one for every ten worlds, and the centre besides.
_LARGE_SIDE, _CENTRE_SIDE = 40, 20
_FEWEST_NODES_OF_DAYS = 4


@dataclass(frozen=True, slots=True)
class Validation:
    """One set of real data against the prior.

    Parameters
    ----------
    name : str
        The file, and which part of it.
    real, simulated : str
        What was compared, in words.
    comparisons : tuple of Comparison
        Statistics inside or outside the band.
    days : tuple of DayDistance
        Distances between whole days; empty where there are too few nodes, or no days.
    """

    name: str
    real: str
    simulated: str
    comparisons: tuple[Comparison, ...]
    days: tuple[DayDistance, ...] = ()

    @property
    def inside(self) -> int:
        """Number of statistics inside the band."""
        return sum(comparison.inside for comparison in self.comparisons)


def find_files(places: Sequence[Path]) -> list[Path]:
    """Files that are named, and the known ones (`KNOWN_FILES`) of folders.

    Parameters
    ----------
    places : sequence of Path
        Files and folders.

    Raises
    ------
    DataError
        If one is neither, or a folder holds none of the known files.
    """
    found = []
    for place in places:
        if place.is_dir():
            known = [place / name for name in KNOWN_FILES if (place / name).is_file()]
            if not known:
                raise DataError(f"{place}: holds none of {', '.join(KNOWN_FILES)}; name a file")
            found += known
        elif place.is_file():
            found.append(place)
        else:
            raise DataError(f"{place}: no such file or folder")
    return found


def validate_file(
    path: Path,
    n_worlds: int,
    seed: int,
    prior: Prior | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Validation]:
    """Hold a file of traffic, or one of totals on a square grid, against the prior.

    Parameters
    ----------
    path : Path
        A traffic file (`TrafficData.load`), or an npz file with totals of squares `[side, side]`.
    n_worlds : int
        Simulated worlds of the band; a tenth of it, at least 10, of large grids.
    seed : int
        Seed of the worlds.
    prior : Prior, optional
        Distribution of the scenarios; `informed_prior()` by default.
    progress : callable, optional
        Called after each world with the number done and the total.

    Raises
    ------
    DataError
        If the file can be neither, or holds less than a week.
    """
    grids = _grids(path)
    if not grids:
        return [validate_traffic(path.name, TrafficData.load(path), n_worlds, seed, prior, progress)]
    found = []
    for name, grid in grids.items():
        side = len(grid)
        parts = {name: grid}
        if side >= _LARGE_SIDE:
            first = (side - _CENTRE_SIDE) // 2
            parts[f"{name}, centre"] = grid[first : first + _CENTRE_SIDE, first : first + _CENTRE_SIDE]
        for part, totals in parts.items():
            n_cities = max(n_worlds // 10, 10) if len(totals) >= _LARGE_SIDE else n_worlds
            compared = compare_in_space(totals, n_cities, seed, prior, progress)
            size = f"{len(totals)} x {len(totals)} squares"
            found.append(Validation(f"{path.name}: {part}", size, f"{n_cities} cities", tuple(compared)))
    return found


def validate_traffic(
    name: str,
    data: TrafficData,
    n_worlds: int,
    seed: int,
    prior: Prior | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Validation:
    """Hold traffic against the prior, in time and day by day.

    Parameters
    ----------
    name : str
        What to call it.
    data : TrafficData
        Traffic of at least a week, with steps that divide the hour.
    n_worlds, seed, prior, progress : int, int, Prior, optional, callable, optional
        As in `validate_file`.

    Raises
    ------
    DataError
        If it is too short.
    """
    data = data.hourly()
    hours, nodes, services = data.values.shape
    if hours < HOURS_OF_WEEK:
        raise DataError(f"{name}: {hours} hours; at least a week ({HOURS_OF_WEEK}) is needed")
    worlds = SimulatedWorlds.generate(n_worlds, hours, data.services, seed, prior, progress)
    compared = compare_in_time(data, worlds)
    days = compare_days(data, worlds, seed) if nodes >= _FEWEST_NODES_OF_DAYS else []
    real = f"{hours} hours, {nodes} nodes, {services} services"
    return Validation(name, real, f"{n_worlds} worlds", tuple(compared), tuple(days))


def _grids(path: Path) -> dict[str, FloatArray]:
    """Totals on a square grid by their key, if the file holds any and no traffic."""
    try:
        arrays = read_npz(path)
    except DataError:
        return {}  # TrafficData.load says what is wrong with it
    if "values" in arrays:
        return {}
    return {
        key: array.astype(np.float64)
        for key, array in arrays.items()
        if array.ndim == 2 and array.shape[0] == array.shape[1] and np.issubdtype(array.dtype, np.floating)
    }


def write_report(validations: Sequence[Validation], folder: Path, seed: int) -> list[Path]:
    """Write `validation.json`, `validation.csv` and `validation.png`, each whole or not at all.

    Parameters
    ----------
    validations : sequence of Validation
        What to write.
    folder : Path
        Where; it is made if it is not there.
    seed : int
        Seed of the worlds, for the record.
    """
    content = {"seed": seed, "sets": [_record(validation) for validation in validations]}
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["set", "statistic", "service", "real", "low", "high", "inside"])
    for v in validations:
        for c in v.comparisons:
            writer.writerow([v.name, c.statistic, c.service, c.real, c.low, c.high, c.inside])
    paths = [folder / f"validation.{ending}" for ending in ("json", "csv", "png")]
    for path, written in zip(paths, (text, table.getvalue()), strict=False):
        with atomic_file(path) as stream:
            stream.write(written.encode())
    with rc_context({"text.parse_math": False, "font.size": 8.0}):
        figure = _draw(validations)
        with atomic_file(paths[-1]) as stream:
            figure.savefig(stream, format="png", dpi=110)
    return paths


def _record(validation: Validation) -> dict[str, object]:
    def finite(row: dict[str, object]) -> dict[str, object]:
        return {key: None if isinstance(x, float) and not math.isfinite(x) else x for key, x in row.items()}

    return {
        "name": validation.name,
        "real": validation.real,
        "simulated": validation.simulated,
        "inside": validation.inside,
        "statistics": [finite({**asdict(c), "inside": c.inside}) for c in validation.comparisons],
        "days": [finite(asdict(d)) for d in validation.days],
    }


def _draw(validations: Sequence[Validation]) -> Figure:
    """One panel a set: where the real values lie in the band, which is drawn from 0 to 1."""
    columns = min(len(validations), 3)
    rows = math.ceil(len(validations) / columns)
    figure = Figure(figsize=(5.5 * columns, 4.2 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, validation in zip(panels, validations, strict=False):
        _draw_set(axes, validation)
    for axes in panels[len(validations) :]:
        axes.set_axis_off()
    return figure


def _draw_set(axes: Axes, validation: Validation) -> None:
    names = list(dict.fromkeys(c.statistic for c in validation.comparisons))
    axes.axvspan(0, 1, color="0.88")
    for c in validation.comparisons:
        width = c.high - c.low
        place = (c.real - c.low) / width if width > 0 else math.copysign(2, c.real - c.low)
        if not math.isfinite(place):
            continue
        shown = min(max(place, -0.75), 1.75)
        row = names.index(c.statistic)
        axes.plot(shown, row, "o" if c.inside else "X", color="C0" if c.inside else "C3", markersize=5, alpha=0.7)
        if not c.inside and c.service:
            axes.annotate(c.service, (shown, row), (4, 3), textcoords="offset points", fontsize=6)
    axes.set(xlim=(-0.85, 1.85), ylim=(len(names) - 0.5, -0.5), xticks=[0, 1], yticks=range(len(names)))
    axes.set_xticklabels(["5 %", "95 % of simulated"])
    axes.set_yticklabels(names)
    axes.set_title(
        f"{validation.name}\n{validation.real}; {validation.simulated}; "
        f"{validation.inside} of {len(validation.comparisons)} inside",
        loc="left",
        fontsize=8,
    )
