"""Pictures of a table: errors side by side, and forecasts against truth over the test part (figure 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from simmst.errors import ConfigError
from simmst.evaluation.benchmark import Benchmark
from simmst.evaluation.cell import truth_of_issued
from simmst.evaluation.compare import Row, horizons, services
from simmst.reports.svg import INK, MODEL, MUTED, forecast_figure, inline_svg
from simmst.traffic.hourly_units import hourly_units


def error_figure(rows: Sequence[Row]) -> str:
    """Draw MASE over the services at the longest horizon, a bar a row, the seeds as dots: an <svg> element."""
    last = horizons(rows)[-1]
    known = [row for row in rows if row.mean(last, None, "mase") is not None]
    known.sort(key=lambda row: row.mean(last, None, "mase") or 0.0, reverse=True)

    def draw(axes: Axes) -> None:
        for place, row in enumerate(known):
            mean = row.mean(last, None, "mase") or 0.0
            axes.barh(place, mean, color=MODEL if row.ours else MUTED, height=0.7)
            seeds = [figure for figure in row.figures(last, None, "mase") if figure is not None]
            axes.plot(seeds, [place] * len(seeds), ".", color=INK, markersize=4)
            axes.annotate(f" {mean:.3f}", (max(seeds), place), va="center", fontsize=8)
        axes.set_yticks(range(len(known)), [row.label for row in known])
        axes.set_xlabel("MASE, mean over services (1: same hour yesterday)")
        axes.margins(x=0.12)

    title = "1 step ahead" if last == 1 else f"1 to {last} steps ahead"
    return inline_svg(title, draw, (6.4, 0.9 + 0.27 * len(known)))


def forecast_figures(benchmark: Benchmark, rows: Sequence[Row]) -> tuple[list[str], Mapping[str, str]]:
    """Figure 2: truth, our best row and the second best of each service, seed by seed the first.

    "Second best" is the other row of lowest MAE at the longest horizon; rows without training count.

    Parameters
    ----------
    benchmark : Benchmark
        Of all rows.
    rows : sequence of Row
        Sim-MSTNet's or its single-task form's among them, and another one.

    Returns
    -------
    tuple
        Two <svg> elements a service, of all nodes together and of the node of median training traffic; and by
        service the second best row.

    Raises
    ------
    ConfigError
        If ours or the others are missing.
    """
    last, units = horizons(rows)[-1], hourly_units(benchmark.data)
    level = benchmark.data.values[benchmark.protocol.train.steps].mean(axis=(0, 2))
    node = int(np.argsort(level, kind="stable")[len(level) // 2])
    pictures, seconds = [], {}
    for s, service in enumerate(services(rows)):
        ranked = sorted(rows, key=lambda row: row.mean(last, service, "mae") or np.inf)
        ours = next((row for row in ranked if row.ours), None)
        second = next((row for row in ranked if not row.ours), None)
        if ours is None or second is None:
            raise ConfigError("models: the figure needs Sim-MSTNet (or STNet) and another row")
        seconds[service] = second.label
        lines = {row.label: _issued(row)[..., s] for row in (ours, second)}
        truth = truth_of_issued(benchmark, len(next(iter(lines.values()))))[..., s]
        lines = {"truth": truth, **lines}
        first = benchmark.protocol.test.start
        times = benchmark.data.times[first : first + len(truth)]
        everything = {name: line.sum(axis=1) for name, line in lines.items()}
        one = {name: line[:, node] for name, line in lines.items()}
        pictures.append(forecast_figure(f"{service}: all {len(level)} nodes", units, times, everything))
        pictures.append(forecast_figure(f"{service}: node {benchmark.data.node_ids[node]}", units, times, one))
    return pictures, seconds


def _issued(row: Row) -> npt.NDArray[np.float32]:
    return np.asarray(row.cells[0].details["issued"])
