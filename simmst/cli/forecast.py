"""The command line's `simmst forecast`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from simmst.cli._console import say
from simmst.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from simmst.forecasting.forecast import Forecast
    from simmst.forecasting.held_back import HeldBack

_SHOWN = 5  # lines of the list by risk


def forecast(
    data: Annotated[
        Path,
        typer.Option(help="Traffic file (npz); with --checkpoint of its nodes and services, may be newer."),
    ],
    out: Annotated[Path, typer.Option(help="Table to write: .csv or .parquet.")],
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Directory of a finished `simmst run`, or of a forecaster that Python saved. Without it the "
            "pretrained network forecasts, or simple rows beside it, from a day of history of any city on."
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Weights of `simmst pretrain` in place of those that came along.")
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(help="Hours to forecast; default: all it was trained for; 24 without a run.")
    ] = None,
    level: Annotated[float, typer.Option(help="Coverage of the intervals.")] = 0.9,
    picture: Annotated[Path | None, typer.Option(help="PNG to draw; default: beside the table.")] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            help="SERVICE=VALUE, several times, or a CSV of node, service, value: adds the probability that an "
            "hour is above it, and lists the nodes by risk."
        ),
    ] = None,
    quantiles: Annotated[
        str | None,
        typer.Option(help="Levels such as 0.1,0.5,0.9: a column each in the table, `q10` of 0.1."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Page to write, .html: will a cell be full, totals, map, cell by cell.")
    ] = None,
    risk_out: Annotated[
        Path | None, typer.Option(help="List by risk, .csv or .parquet; default: OUT with -risk in its name.")
    ] = None,
) -> None:
    """Forecast the hours after the end of a traffic file, with intervals."""
    import torch

    from simmst.experiments.judged import kept_sentences
    from simmst.forecasting.output import read_levels, write_forecast
    from simmst.forecasting.pretrained import Pretrained
    from simmst.forecasting.risk import read_given
    from simmst.forecasting.selected import Selected
    from simmst.reports.right import beside
    from simmst.traffic.dataset import TrafficData

    levels = () if quantiles is None else read_levels(quantiles)
    drawn, listed = _places(out, picture, risk_out, report, bool(threshold))
    torch.set_num_threads(1)
    held, by = None, f"the run {checkpoint}"
    if checkpoint is None:
        traffic = TrafficData.load(data)
        selected = Selected(Pretrained(weights), horizon=24 if horizon is None else horizon).fit(traffic)
        found = selected.predict(traffic, level=level)
        held, by = selected.held_back, selected.said()
        sure = beside(selected.choice, selected.horizon)
        say(Console(), f"forecast by: {by}")
        measured = bool(selected.calibration.node_ids)
        how = "calibrated on the file's last days" if measured else "not calibrated, which takes a week of history"
    elif weights is not None:
        raise ConfigError("weights: go without --checkpoint, which has weights of its own")
    else:
        found, how = _by_run(checkpoint, data, horizon, level)
        sure = kept_sentences(checkpoint)
    limits = read_given(threshold, found.history) if threshold else None
    write_forecast(found, out, limits, levels)
    found.plot(drawn)
    for notice in found.notices:
        say(Console(stderr=True), f"warning: {notice}")
    hours, nodes, services = found.values.shape
    say(
        Console(),
        f"{out}: {hours} hours from {found.times[0]} (local time) x {nodes} nodes x {services} services, "
        f"{100 * level:g}% intervals {how}\npicture: {drawn}",
    )
    if limits is not None:
        _list_risk(found, limits, listed)
    if report is not None:
        _write_page(report, data, found, limits, (held, sure), by)


def _by_run(checkpoint: Path, data: Path, horizon: int | None, level: float) -> tuple[Forecast, str]:
    """Forecast by a finished run or a saved forecaster; say how its intervals were calibrated."""
    from simmst.experiments.load import load
    from simmst.experiments.short_run import SELECTED
    from simmst.forecasting.folder import NOTE
    from simmst.forecasting.from_run import forecast_file
    from simmst.traffic.dataset import TrafficData

    folders = checkpoint, checkpoint / SELECTED  # saved in Python, or a run on a short file
    if any((folder / NOTE).is_file() for folder in folders):
        found = load(checkpoint).predict(TrafficData.load(data), horizon, level)
        return found, "calibrated on held-back days"
    return forecast_file(checkpoint, data, horizon, level), "calibrated on the run's validation days"


def _places(
    out: Path, picture: Path | None, risk_out: Path | None, report: Path | None, risk: bool
) -> tuple[Path, Path]:
    """Refuse files that could not be written, before anything is computed; return picture and list by risk."""
    from simmst.forecasting.output import check_suffix

    check_suffix(out)
    drawn = picture or out.with_suffix(".png")
    if drawn.suffix.lower() != ".png":
        raise ConfigError(f"--picture {drawn}: must end in .png")
    listed = out.with_name(f"{out.stem}-risk{out.suffix}") if risk_out is None else risk_out
    if risk:
        check_suffix(listed)
    elif risk_out is not None:
        raise ConfigError(f"--risk-out {risk_out}: goes with --threshold")
    if report is not None and report.suffix.lower() != ".html":
        raise ConfigError(f"--report {report}: must end in .html")
    written = {"--out": out, "--picture": drawn, "--risk-out": listed, "--report": report or out}
    for option, path in written.items():
        if not path.absolute().parent.is_dir():
            raise ConfigError(f"{option} {path}: the folder does not exist")
    return drawn, listed


def _write_page(
    path: Path,
    data: Path,
    found: Forecast,
    limits: npt.NDArray[np.float64] | None,
    judged: tuple[HeldBack | None, list[str]],
    by: str,
) -> None:
    """Write the answer as a page of its own."""
    from simmst.evaluation.coverage import coverage
    from simmst.evaluation.reliability import reliability
    from simmst.io.atomic import atomically
    from simmst.reports.answer import answer, answer_page
    from simmst.reports.right import how_right, sentences

    held, sure = judged
    right = None
    if held is not None:
        how = f"{len(held.origins)} forecasts of the last days, held back", coverage(held), reliability(held)
        sure, right = [*sentences(*how), *sure], how_right(*how)
    facts = {"Forecast by": by, "Traffic": data.name}
    text = answer_page(f"Forecast of {data.stem}", answer(found, sure, held, limits), found.notices, facts, right)
    atomically(path, lambda target: target.write_text(text, encoding="utf-8"))
    say(Console(), f"report: {path}")


def _list_risk(found: Forecast, limits: npt.NDArray[np.float64], path: Path) -> None:
    """Write all nodes by risk, and print the first few."""
    from simmst.forecasting.output import write_table

    risk = found.risk(limits)
    write_table(risk, path)
    likely = risk.filter(risk["probability"] >= 0.5)
    lines = [f"risk: {path}: {len(likely)} of {len(risk)} are likelier than not above their threshold in an hour"]
    for row in risk.head(_SHOWN).iter_rows(named=True):
        lines.append(
            f"  {row['node']} {row['service']}: {100 * row['probability']:.0f}% at {row['time']:%Y-%m-%d %H:%M} "
            f"(threshold {row['threshold']:g}, forecast {row['forecast']:.4g}, "
            f"highest seen {row['highest_seen']:.4g})"
        )
    say(Console(), "\n".join(lines))


def mount(app: Any) -> None:
    """Put the command on a command line."""
    app.command()(forecast)
