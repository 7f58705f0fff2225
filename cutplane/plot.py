"""Pictures of a run: convergence, planes, gap (needs matplotlib, extra ``plot``)."""

from typing import TYPE_CHECKING

import numpy as np

from cutplane._install import install_command
from cutplane.errors import CutplaneError
from cutplane.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart by colour-blind readers
_BLUE, _ORANGE, _GREEN, _GREY = "#0072B2", "#D55E00", "#009E73", "#777777"


def plot_history(history: History, epsilon: float | None = None) -> "Figure":
    """Draw three panels over iterations: upper value and bound, lower gap and violation, planes.

    Parameters
    ----------
    history : History
        ``result.history``.
    epsilon : float, optional
        Drawn as a line in the panel of the gap.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown and not attached to pyplot: save it with ``figure.savefig(path)``.

    Raises
    ------
    CutplaneError
        Where matplotlib is not installed, or the history is empty.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise CutplaneError(f"plot_history needs matplotlib: {install_command('plot')}") from None
    if len(history) == 0:
        raise CutplaneError("the history is empty: there is nothing to draw")
    h = history.to_dict()
    it = h["iteration"]
    figure = Figure(figsize=(7, 7), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, sharex=True)
    top.plot(it, h["fun"], color=_GREY, lw=0.8, label="upper objective at the iterate")
    top.plot(it, np.where(np.isfinite(h["best"]), h["best"], np.nan), color=_BLUE, label="best feasible")
    if np.isfinite(h["bound"]).any():
        top.plot(it, np.where(np.isfinite(h["bound"]), h["bound"], np.nan), color=_ORANGE, label="certified bound")
    top.set_ylabel("upper objective")
    seen = np.isfinite(h["lower_gap"]) & (h["lower_gap"] > 0)
    cut_off = h["violation"] > 0
    middle.semilogy(it[seen], h["lower_gap"][seen], color=_BLUE, label="lower gap")
    middle.semilogy(it[cut_off], h["violation"][cut_off], color=_GREY, lw=0.8, label="violation (distance)")
    if epsilon:
        middle.axhline(epsilon, color=_ORANGE, ls="--", label="epsilon")
    middle.set_ylabel("gap, distance")
    bottom.step(it, h["planes"], color=_GREEN, where="post", label="planes in the pool")
    bottom.set_ylabel("planes")
    bottom.set_xlabel("iteration")
    second = it[h["phase"] == 2]
    for axes in (top, middle, bottom):
        if second.size:
            axes.axvline(second[0], color="black", lw=0.6, ls=":", label="penalty phase begins")
        if axes.get_legend_handles_labels()[1]:
            axes.legend(fontsize="small")
        axes.grid(alpha=0.3)
    return figure
