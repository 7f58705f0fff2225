"""One self-contained HTML page of a run: facts, tables, forecasts, the solver's path, the weights."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from simmst.evaluation.evaluate import OURS
from simmst.reports.page import definitions, notice, page, quiet
from simmst.reports.svg import forecast_figure, forecast_legend, iteration_figure, weight_histogram, world_figure
from simmst.reweighting.diagnostics import effective_sample_size

_TIE = 0.01  # of the MAE: less than this between the best two is not called a win
_MEASURES = {"mae": "MAE", "rmse": "RMSE", "wape": "WAPE"}


def render(results: Mapping[str, Any]) -> str:
    """Write the page.

    Parameters
    ----------
    results : mapping
        ``title`` : str; ``notices`` : sequence of str, shown first (a synthetic target says so here);
        ``facts`` : mapping of str to str, what was run; ``units`` : str;
        ``horizons`` : mapping of int to mapping of row name to `scores.scores`, "Sim-MSTNet" among them;
        ``origins`` : mapping of int to str, how many forecast origins the table of a horizon rests on;
        ``forecasts`` : sequence of mappings ``title``, ``times`` (datetime64 [T]), ``lines`` (mapping of
        str to array [T], "truth" first); ``forecast_note`` : str, how they were issued;
        ``history`` : mapping of column to sequence: ``iteration``, ``upper``, ``gap``, ``planes``;
        ``epsilon`` : float, the gap the constraint allows; ``weights_note`` : str, what they are worth;
        ``weights`` : array [n] and ``world`` : int array [n], of the simulated windows.

    Returns
    -------
    str
        HTML without any reference to the network; every string is escaped.
    """
    return page(
        results["title"],
        [
            *map(notice, results["notices"]),
            f"<h2>What was run</h2>{definitions(results['facts'])}",
            _tables(results["horizons"], results["origins"], results["units"]),
            _forecasts(results["forecasts"], results["units"], results["forecast_note"]),
            _iterations(results["history"], results["epsilon"]),
            _weights(np.asarray(results["weights"]), np.asarray(results["world"]), results["weights_note"]),
        ],
    )


def verdict(rows: Mapping[str, Any]) -> str:
    """Say in words, by MAE, where Sim-MSTNet wins, where another row does, by how much, and where they tie."""
    won, lost, tied = [], [], []
    for task in rows[OURS]["tasks"]:
        ours = rows[OURS]["tasks"][task]["mae"]
        others = {name: row["tasks"][task]["mae"] for name, row in rows.items() if name != OURS}
        best = min(others, key=lambda name: others[name])
        if abs(ours - others[best]) < _TIE * max(ours, others[best]) or ours == others[best]:
            gap = _percent(max(ours, others[best]), min(ours, others[best]))
            tied.append(f"{task} (by {gap} {'ahead of' if ours <= others[best] else 'behind'} {best})")
        elif ours < others[best]:
            won.append(f"{task} ({_percent(others[best], ours)} below {best})")
        else:
            lost.append(f"{task} ({best} is {_percent(ours, others[best])} better)")
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


def _tables(horizons: Mapping[int, Mapping[str, Any]], origins: Mapping[int, str], units: str) -> str:
    legend = (
        f"MAE and RMSE in {units}; WAPE = sum of absolute errors over sum of traffic. Every step of the test "
        "days whose whole horizon fits is a forecast origin; the means run over origins, nodes and those forecast "
        "steps that were recorded. The best of each column is bold, underlined and shaded."
    )
    parts = ["<h2>Errors on the test days</h2>", quiet(legend)]
    for horizon, rows in horizons.items():
        span = "1 hour ahead" if horizon == 1 else f"1 to {horizon} hours ahead"
        rests = f'<p class="quiet">{escape(origins[horizon])}.</p>'
        parts.append(f"<h3>{span}</h3>{rests}<p>{escape(verdict(rows))}</p>{_table(rows)}")
    return "\n".join(parts)


def _table(rows: Mapping[str, Any]) -> str:
    groups = [*next(iter(rows.values()))["tasks"], None]  # None: the mean over tasks
    columns = [(group, measure) for group in groups for measure in _MEASURES]
    cells = {name: [_figure(row, *column) for column in columns] for name, row in rows.items()}
    best = [_lowest([figures[i] for figures in cells.values()]) for i in range(len(columns))]
    titles = ["mean over tasks" if group is None else escape(group) for group in groups]
    head = "".join(f'<th colspan="{len(_MEASURES)}">{title}</th>' for title in titles)
    measures = "".join(f"<th{_classes(m)}>{_MEASURES[m]}</th>" for _, m in columns)
    body = []
    for name, figures in cells.items():
        row = "".join(
            f"<td{_classes(m, figure is not None and figure == low)}>{_printed(figure, m, low)}</td>"
            for (_, m), figure, low in zip(columns, figures, best, strict=True)
        )
        kind = "ours" if name == OURS else "other"
        body.append(f'<tr class="{kind}"><th>{escape(name)}</th>{row}</tr>')
    return (
        f'<div class="scroll"><table><thead><tr><th class="corner"></th>{head}</tr>'
        f'<tr><th class="corner">model</th>{measures}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _classes(measure: str, best: bool = False) -> str:
    names = ["first"] * (measure == next(iter(_MEASURES))) + ["best"] * best
    return f' class="{" ".join(names)}"' if names else ""


def _figure(row: Mapping[str, Any], group: str | None, measure: str) -> float | None:
    figure: float | None = (row["mean"] if group is None else row["tasks"][group])[measure]
    return figure


def _lowest(figures: Sequence[float | None]) -> float | None:
    return min((figure for figure in figures if figure is not None), default=None)


def _printed(figure: float | None, measure: str, lowest: float | None) -> str:
    if figure is None or lowest is None:
        return "&ndash;"
    if measure == "wape":
        return f"{100 * figure:.1f}&nbsp;%"
    # Two decimals, as in the printed protocol; more where a column's best would lose its second digit.
    decimals = 2 if lowest >= 0.1 or lowest <= 0 else 1 - int(np.floor(np.log10(lowest)))
    return f"{figure:.{decimals}f}"


def _forecasts(forecasts: Sequence[Mapping[str, Any]], units: str, note: str) -> str:
    pictures = [forecast_figure(f["title"], units, f["times"], f["lines"]) for f in forecasts]
    legend = forecast_legend(list(forecasts[0]["lines"])) if forecasts else ""
    return f'<h2>Forecasts against truth</h2><p class="quiet">{escape(note)}</p>{legend}{_framed(pictures)}'


def _iterations(history: Mapping[str, Sequence[float]], epsilon: float) -> str:
    iteration = history["iteration"]
    pictures = [
        iteration_figure("Upper value", "loss on real windows", iteration, history["upper"]),
        iteration_figure("Cutting planes", "planes held", iteration, history["planes"]),
    ]
    gap = np.asarray(history["gap"], dtype=np.float64)
    if (gap[np.isfinite(gap)] > 0).any():
        level = "epsilon", epsilon
        pictures.insert(1, iteration_figure("Constraint gap", "gap h(x, y)", iteration, gap.tolist(), level))
        about_gap = (
            "The gap says how far the model is from the lower level's answer to the weights, measured when a "
            "plane may be added."
        )
    else:
        about_gap = (
            "The model is the lower level's exact answer to the weights at every iteration, so the constraint "
            "gap is 0 throughout."
        )
    return (
        "<h2>Re-weighting: the bi-level solver over its iterations</h2>"
        f'<p class="quiet">The upper level is the loss on real training windows. {about_gap} A plane is one '
        "linear cut that the solver holds. What counts in the end is what the weights are worth, below."
        f"</p>{_framed(pictures, 'figures three')}"
    )


def _weights(weights: npt.NDArray[np.floating], world: npt.NDArray[np.integer], note: str) -> str:
    size, mean = effective_sample_size(weights), float(weights.mean())
    worlds = np.array([weights[world == w].mean() for w in np.unique(world)])
    tenth = np.quantile(worlds, [0.1, 0.9])
    words = (
        f"{len(weights)} simulated windows of {len(worlds)} worlds. Effective sample size {size:.0f} "
        f"({size / len(weights):.0%} of the windows); standard deviation over mean "
        f"{weights.std() / mean if mean > 0 else 0:.2f}. {np.mean(weights <= 1e-6):.1%} of the windows have "
        f"weight 0, {np.mean(weights >= 1 - 1e-6):.1%} weight 1. Of the worlds' mean weights a tenth "
        f"lie below {tenth[0]:.3f} and a tenth above {tenth[1]:.3f}."
    )
    pictures = [
        weight_histogram("Weights of the windows", weights),
        world_figure("Mean weight of each world", weights, world),
    ]
    return f"<h2>Learned weights</h2><p>{escape(note)}</p><p>{escape(words)}</p>{_framed(pictures)}"


def _framed(pictures: Sequence[str], style: str = "figures") -> str:
    return f'<div class="{style}">{"".join(f"<figure>{svg}</figure>" for svg in pictures)}</div>'
