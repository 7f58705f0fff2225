"""One self-contained HTML page of a run: facts, tables, forecasts, the solver's path, the weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from simmst.evaluation.evaluate import OURS
from simmst.reports.page import page
from simmst.reports.svg import forecast_figure, forecast_legend, iteration_figure, weight_histogram, world_figure
from simmst.reweighting.diagnostics import effective_sample_size

_TIE = 0.01  # of the MAE: less than this between the best two is not called a win
_MEASURES = {"mae": "MAE", "rmse": "RMSE", "wape": "WAPE"}
_AS_GIVEN = ("title", "notices", "facts", "units", "forecast_note", "weights_note", "answer", "right")


def render(results: Mapping[str, Any]) -> str:
    """Write the page.

    Parameters
    ----------
    results : mapping
        ``title`` : str; ``notices`` : sequence of str, shown first (a synthetic target says so here);
        ``facts`` : mapping of str to str, what was run; ``units`` : str;
        ``horizons`` : mapping of int to mapping of row name to `scores.scores`, "Sim-MSTNet" among them;
        ``origins`` : mapping of int to str, how many forecast origins the table of a horizon rests on;
        ``forecasts`` : sequence of mappings ``title``, ``units``, ``times`` (datetime64 [T]), ``lines`` (mapping
        of str to array [T], "truth" first); ``forecast_note`` : str, how they were issued;
        ``history`` : mapping of column to sequence: ``iteration``, ``upper``, ``gap``, ``planes``;
        ``epsilon`` : float, the gap the constraint allows; ``weights_note`` : str, what they are worth;
        ``weights`` : array [n] and ``world`` : int array [n], of the simulated windows;
        ``answer`` and ``right`` : mappings from `reports.answer` and `reports.right`, or None.

    Returns
    -------
    str
        HTML without any reference to the network; every string is escaped.
    """
    history, weights = results["history"], np.asarray(results["weights"])
    world, forecasts = np.asarray(results["world"]), results["forecasts"]
    has_gap = _has_gap(history)
    return page(
        "run.html.j2",
        **{name: results[name] for name in _AS_GIVEN},
        tables=[_table(h, rows, results["origins"][h]) for h, rows in results["horizons"].items()],
        legend=forecast_legend(list(forecasts[0]["lines"])) if forecasts else [],
        forecasts=[forecast_figure(f["title"], f["units"], f["times"], f["lines"]) for f in forecasts],
        has_gap=has_gap,
        iterations=_iterations(history, results["epsilon"] if has_gap else None),
        spread=_spread(weights, world),
        weights=[
            weight_histogram("Weights of the windows", weights),
            world_figure("Mean weight of each world", weights, world),
        ],
    )


def verdict(rows: Mapping[str, Any]) -> str:
    """Say in words, by MAE, where Sim-MSTNet wins, where another row does, by how much, and where they tie."""
    won, lost, tied = [], [], []
    for service in rows[OURS]["tasks"]:
        ours = rows[OURS]["tasks"][service]["mae"]
        others = {name: row["tasks"][service]["mae"] for name, row in rows.items() if name != OURS}
        best = min(others, key=lambda name: others[name])
        if abs(ours - others[best]) < _TIE * max(ours, others[best]) or ours == others[best]:
            gap = _percent(max(ours, others[best]), min(ours, others[best]))
            tied.append(f"{service} (by {gap} {'ahead of' if ours <= others[best] else 'behind'} {best})")
        elif ours < others[best]:
            won.append(f"{service} ({_percent(others[best], ours)} below {best})")
        else:
            lost.append(f"{service} ({best} is {_percent(ours, others[best])} better)")
    sentences = []
    if won:
        sentences.append(f"{OURS} has the lowest MAE in {_listed(won)}.")
    if lost:
        sentences.append(f"{OURS} loses in {_listed(lost)}.")
    if tied:
        sentences.append(f"It is a tie, with less than 1 % between the best two, in {_listed(tied)}.")
    return " ".join(sentences)


def _percent(larger: float, smaller: float) -> str:
    return f"{100 * (1 - smaller / larger):.1f} %" if larger > 0 else "0.0 %"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _table(horizon: int, rows: Mapping[str, Any], origins: str) -> dict[str, Any]:
    """Return the table of one horizon: groups of columns, and rows of cells, the best of each column marked."""
    groups = [*next(iter(rows.values()))["tasks"], None]  # None: the mean over services
    best = {(g, m): _lowest([_figure(row, g, m) for row in rows.values()]) for g in groups for m in _MEASURES}

    def cell(row: Mapping[str, Any], group: str | None, measure: str) -> tuple[str, bool]:
        figure, low = _figure(row, group, measure), best[group, measure]
        return _printed(figure, measure, low), figure is not None and figure == low

    return {
        "span": "1 hour ahead" if horizon == 1 else f"1 to {horizon} hours ahead",
        "origins": origins,
        "verdict": verdict(rows),
        "groups": [(group or "mean over services", list(_MEASURES.values())) for group in groups],
        "rows": [
            {
                "name": name,
                "ours": name == OURS,
                "groups": [[cell(row, group, measure) for measure in _MEASURES] for group in groups],
            }
            for name, row in rows.items()
        ],
    }


def _figure(row: Mapping[str, Any], group: str | None, measure: str) -> float | None:
    figure: float | None = (row["mean"] if group is None else row["tasks"][group])[measure]
    return figure


def _lowest(figures: Sequence[float | None]) -> float | None:
    return min((figure for figure in figures if figure is not None), default=None)


def _printed(figure: float | None, measure: str, lowest: float | None) -> str:
    if figure is None or lowest is None:
        return "–"
    if measure == "wape":
        return f"{100 * figure:.1f}\N{NO-BREAK SPACE}%"
    # Two decimals, as in the printed protocol; more where a column's best would lose its second digit.
    decimals = 2 if lowest >= 0.1 or lowest <= 0 else 1 - int(np.floor(np.log10(lowest)))
    return f"{figure:.{decimals}f}"


def _has_gap(history: Mapping[str, Sequence[float]]) -> bool:
    """Whether the model ever was apart from the lower level's answer."""
    gap = np.asarray(history["gap"], dtype=np.float64)
    return bool((gap[np.isfinite(gap)] > 0).any())


def _iterations(history: Mapping[str, Sequence[float]], epsilon: float | None) -> list[str]:
    """Draw the solver's path; `epsilon` is None where there is no gap to draw."""
    iteration = history["iteration"]
    pictures = [
        iteration_figure("Upper value", "loss on real windows", iteration, history["upper"]),
        iteration_figure("Cutting planes", "planes held", iteration, history["planes"]),
    ]
    if epsilon is not None:
        gap = np.asarray(history["gap"], dtype=np.float64).tolist()
        pictures.insert(1, iteration_figure("Constraint gap", "gap h(x, y)", iteration, gap, ("epsilon", epsilon)))
    return pictures


def _spread(weights: npt.NDArray[np.floating], world: npt.NDArray[np.integer]) -> str:
    size, mean = effective_sample_size(weights), float(weights.mean())
    worlds = np.array([weights[world == w].mean() for w in np.unique(world)])
    tenth = np.quantile(worlds, [0.1, 0.9])
    return (
        f"{len(weights)} simulated windows of {len(worlds)} worlds. Effective sample size {size:.0f} "
        f"({size / len(weights):.0%} of the windows); standard deviation over mean "
        f"{weights.std() / mean if mean > 0 else 0:.2f}. {np.mean(weights <= 1e-6):.1%} of the windows have "
        f"weight 0, {np.mean(weights >= 1 - 1e-6):.1%} weight 1. Of the worlds' mean weights a tenth "
        f"lie below {tenth[0]:.3f} and a tenth above {tenth[1]:.3f}."
    )
