"""How the benchmarks draw: one style, colours that colour-blind eyes tell apart, a PNG beside the JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cutplane._install import install_command

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#1A1A1A")
"""Okabe and Ito's palette, the yellow left out: it is too pale for lines on white."""
MARKERS = "osD^vPX"
MUTED = "#777777"
_STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E2E2DE",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
}


def draw(out: Path | None, name: str, size: tuple[float, float], paint: Callable[[Figure], None]) -> None:
    """Write NAME.png, of so many inches, if a folder was given; say so where matplotlib is missing."""
    if out is None:
        return
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print(f"{name}.png is left out: it needs matplotlib ({install_command('plot')})")
        return
    out.mkdir(parents=True, exist_ok=True)
    with rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        paint(figure)
        figure.savefig(out / f"{name}.png", dpi=110)
