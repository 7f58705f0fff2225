"""Pictures of a run as inline SVG, in CSS variables of the page, so that they follow light and dark."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

Array = npt.NDArray[np.floating]

# Colours matplotlib draws with, and the CSS variable each becomes. The variables' values (report.css) are
# those of Okabe and Ito, which remain apart for colour-blind eyes; lines differ in dash as well.
_CSS_COLOURS = {"#010101": "--ink", "#020202": "--muted", "#030303": "--line", "#040404": "--model"} | {
    "#050505": "--ridge",
    "#060606": "--naive",
}
INK, MUTED, LINE, MODEL, RIDGE, NAIVE = _CSS_COLOURS
_LIGHT = dict(zip(_CSS_COLOURS, ("#1a1a1a", "#5f5f5f", "#dcdcd8", "#0072b2", "#d55e00", "#cc79a7"), strict=True))
# Line of each forecast: colour, dash, width in points; the truth first.
_LOOKS = [(INK, "-", 1.0), (MODEL, "-", 1.8), (RIDGE, "--", 1.3), (NAIVE, ":", 1.6)]
_SVG_DASH = {"-": "", "--": 'stroke-dasharray="6 3"', ":": 'stroke-dasharray="2 3"'}
_STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # names come from files: a dollar sign is a dollar sign
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
}


def forecast_figure(title: str, ylabel: str, times: npt.NDArray[np.datetime64], lines: Mapping[str, Array]) -> str:
    """Draw one service's truth and forecasts over some days.

    Parameters
    ----------
    title, ylabel : str
    times : datetime64 array [T]
        Local time.
    lines : mapping of str to array [T]
        "truth", then forecasts; at most four lines, in the order of `forecast_legend`. A line is broken where it
        is NaN.
    """

    def draw(axes: Axes) -> None:
        for line, (colour, dash, width) in zip(lines.values(), _LOOKS, strict=False):
            axes.plot(times, line, color=colour, linestyle=dash, linewidth=width)
            lone = _between_gaps(line)
            if lone.any():
                axes.plot(times[lone], line[lone], ".", color=colour, markersize=2)
        axes.set_ylabel(ylabel)
        axes.set_xlabel("local time")
        axes.set_ylim(bottom=0)
        locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]

    return inline_svg(title, draw)


def _between_gaps(line: Array) -> npt.NDArray[np.bool_]:
    """Values without a neighbour, which no line shows."""
    known = np.pad(np.isfinite(line), 1)
    lone: npt.NDArray[np.bool_] = known[1:-1] & ~known[:-2] & ~known[2:]
    return lone


def forecast_legend(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the legend that a page's forecast figures share: a line as an <svg> element, and its name, each."""
    return [
        (
            f'<svg aria-hidden="true" viewBox="0 0 34 10"><path d="M0 5H34" fill="none" '
            f'style="stroke:var({_CSS_COLOURS[colour]})" stroke-width="{width + 0.6}" {_SVG_DASH[dash]}/></svg>',
            name,
        )
        for name, (colour, dash, width) in zip(names, _LOOKS, strict=False)
    ]


def iteration_figure(
    title: str,
    ylabel: str,
    iteration: Sequence[float],
    values: Sequence[float],
    level: tuple[str, float] | None = None,
) -> str:
    """Draw one quantity of the solver over its iterations; a logarithmic axis where all values are positive
    and span more than two decades.

    Parameters
    ----------
    title, ylabel : str
    iteration, values : sequence of float, of one length
    level : (str, float), optional
        A named horizontal line, such as the tolerance.
    """
    known = np.isfinite(np.asarray(values, dtype=np.float64))  # the gap is asked for now and then only
    at, finite = np.asarray(iteration)[known], np.asarray(values)[known]
    positive = finite[finite > 0]

    def draw(axes: Axes) -> None:
        marker = "." if len(finite) < 60 else ""
        axes.plot(at, finite, color=MODEL, marker=marker)
        if level is not None:
            axes.axhline(level[1], color=RIDGE, linestyle="--", linewidth=1.1)
            axes.annotate(
                level[0],
                (1, level[1]),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="bottom",
                fontsize=8,
            )
        if len(positive) and positive.max() > 100 * positive.min():
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        if np.issubdtype(np.asarray(values).dtype, np.integer):
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("solver iteration")
        axes.set_ylabel(ylabel)

    return inline_svg(title, draw)


def weight_histogram(title: str, weights: Array) -> str:
    """Draw the histogram of the sample weights."""

    def draw(axes: Axes) -> None:
        axes.hist(weights, bins=40, range=(0.0, max(1.0, float(weights.max()))), color=MODEL)
        axes.set_xlabel("weight of a simulated window")
        axes.set_ylabel("windows")
        axes.axvline(float(weights.mean()), color=RIDGE, linestyle="--", linewidth=1.1)
        axes.annotate(
            "mean", (float(weights.mean()), 0.97), xycoords=("data", "axes fraction"), va="top", fontsize=8
        )

    return inline_svg(title, draw)


def world_figure(title: str, weights: Array, world: npt.NDArray[np.integer]) -> str:
    """Draw each world's mean weight, ascending, with the middle half of its windows."""
    parts = [weights[world == w] for w in np.unique(world)]
    parts.sort(key=lambda part: float(part.mean()))
    quartiles = np.array([np.quantile(part, [0.25, 0.75]) for part in parts])

    def draw(axes: Axes) -> None:
        rank = np.arange(1, len(parts) + 1)
        axes.fill_between(
            rank, quartiles[:, 0], quartiles[:, 1], color=MODEL, alpha=0.25, linewidth=0, label="middle half"
        )
        axes.plot(rank, [part.mean() for part in parts], color=MODEL, label="mean")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("simulated world, by mean weight")
        axes.set_ylabel("weight")
        axes.legend(loc="upper left", fontsize=8)

    return inline_svg(title, draw)


def standalone(svg: str) -> str:
    """Make a page's <svg> element a file of its own, in the page's light colours."""
    for colour, variable in _CSS_COLOURS.items():
        svg = svg.replace(f"var({variable})", _LIGHT[colour])
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def inline_svg(title: str, draw: Callable[[Axes], Any], size: tuple[float, float] = (4.4, 2.6)) -> str:
    """Run `draw` on new axes and return the <svg> element alone; the size is in inches."""
    with rc_context({**_STYLE, "svg.hashsalt": title}):  # ids must differ between the pictures of one page
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(title)
        draw(axes)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = stream.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # the same names in every picture; nothing refers to them
    for colour, variable in _CSS_COLOURS.items():
        svg = svg.replace(colour, f"var({variable})")
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None  # matplotlib always writes one; width and height are left to the page
    name = escape(title, quote=True)
    return (
        f'<svg role="img" aria-label="{name}" {box[0]} xmlns:xlink="http://www.w3.org/1999/xlink">'
        + (svg[svg.index(">") + 1 :])
    )
