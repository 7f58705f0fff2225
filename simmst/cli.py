"""The command line: `simmst run`, `simmst data …`, `simmst simulate …`, `simmst table …` and the rest."""

import os
import re
import shlex
import sys
import traceback
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from simmst.cli_common import INTERRUPTED, announce, say, stoppable
from simmst.cli_data import data_app
from simmst.cli_doctor import mount as mount_doctor
from simmst.cli_forecast import mount as mount_forecast
from simmst.cli_simulate import simulate_app
from simmst.cli_sweep import mount as mount_sweep
from simmst.cli_table import mount as mount_tables
from simmst.errors import ConfigError, SimmstError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
app.add_typer(data_app, name="data")
mount_tables(app)
mount_forecast(app)
app.add_typer(simulate_app, name="simulate")
mount_sweep(app)
mount_doctor(app)


@app.callback()
def _about() -> None:
    """Sim-MSTNet: forecasts of cellular traffic, learned from simulated traffic weighted to suit real traffic."""


@app.command()
def run(
    data: Annotated[
        str | None,
        typer.Option(
            help="Traffic file (npz) to validate and test on; default: $SIMMST_DATA, else a synthetic city."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="New run directory; default: runs/<time>.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this directory.")] = None,
    preset: Annotated[str | None, typer.Option(help="laptop (minutes; the default) or smoke (seconds).")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything that is drawn.")] = None,
    horizon: Annotated[int | None, typer.Option(help="Hours to forecast.")] = None,
    lookback: Annotated[int | None, typer.Option(help="Hours of history the network sees.")] = None,
    services: Annotated[
        str | None, typer.Option("--services", "--service", help="Services to forecast, comma-separated.")
    ] = None,
) -> None:
    """Simulate, re-weight and train, evaluate on real traffic, and write a run directory with a report."""
    # torch and pydantic take a second to import: not for --help or a mistyped option.
    from simmst.experiments.config import RunConfig
    from simmst.experiments.job import Job
    from simmst.experiments.origin_counts import count_origins, origin_notices
    from simmst.experiments.run import run as run_job
    from simmst.experiments.rundir import RunDirectory
    from simmst.experiments.target import file_digest
    from simmst.traffic.dataset import hourly_units

    chosen: dict[str, Any] = {"seed": seed, "horizon": horizon, "lookback": lookback}
    if services is not None:
        chosen["services"] = tuple(name.strip() for name in services.split(","))
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if resume is not None:
        if chosen or any(option is not None for option in (data, out, preset)):
            raise ConfigError(
                "--resume: takes the settings of the run it goes on with; leave out all other options"
            )
        directory, config = RunDirectory.open(resume)
        job = Job.prepare(config)
    else:
        name = os.environ.get("SIMMST_DATA", "") if data is None else data
        if name:
            path = Path(name).absolute()
            chosen |= {"data": str(path), "data_sha256": file_digest(path)}
        config = RunConfig.of_preset(preset or "laptop", **chosen)
        job = Job.prepare(config)
        directory = RunDirectory.create(out or Path("runs") / f"{datetime.now():%Y-%m-%d-%H%M%S}", config)
    console = Console()
    for notice in origin_notices(job):  # before the minutes that it takes, and with the figures again
        say(Console(stderr=True), f"warning: {notice}")
    again = f"go on with: simmst run --resume {shlex.quote(str(directory.path))}"
    with stoppable(again), _Bars(Console(stderr=True)) as bars:
        metrics = run_job(job, directory, bars.watch)
    for notice in metrics["notices"]:
        console.print(notice, highlight=False, markup=False)
    _print_table(console, metrics, hourly_units(job.target.data), str(count_origins(job)[-1]))
    say(console, str(directory.path / "report.html"))


class _Bars:
    """One progress bar a stage; off a terminal a line as each begins."""

    def __init__(self, console: Console) -> None:
        columns = (
            "{task.description:10}",
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            "{task.fields[note]}",
        )
        self._console = console
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> "_Bars":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def watch(self, stage: str, done: int, total: int, note: str) -> None:
        """Move the stage's bar."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total, note=note)
            announce(self._console, f"{datetime.now():%H:%M:%S} {stage}")
        self._progress.update(self._tasks[stage], completed=done, total=total, note=note)


def _print_table(console: Console, metrics: Mapping[str, Any], units: str, origins: str) -> None:
    """Print MAE by task at the longest horizon, and what it rests on."""
    from simmst.reports.run import verdict

    horizon, rows = list(metrics["horizons"].items())[-1]
    table = Table(title=escape(f"MAE on the test days, 1 to {horizon} h ahead, {units}"))
    table.add_column("model")
    tasks = list(next(iter(rows.values()))["tasks"])
    for task in tasks:
        table.add_column(escape(task), justify="right")
    best = {task: min(row["tasks"][task]["mae"] for row in rows.values()) for task in tasks}
    for name, row in rows.items():
        figures = ((row["tasks"][task]["mae"], best[task]) for task in tasks)
        table.add_row(
            escape(name), *(f"[bold]{mae:.2f}[/bold]" if mae == low else f"{mae:.2f}" for mae, low in figures)
        )
    console.print(table)
    console.print(f"{origins}.", highlight=False, markup=False)
    console.print(verdict(rows), highlight=False, markup=False)


def main() -> None:
    """Run the command line: an error that a user can mend is one line and exit code 2."""
    # Before numpy is loaded. The job's matrices are small: two threads waiting for each other on two busy cores
    # took 67 s for what one did in 10 [M], and on one thread a resumed run equals an unbroken one to the bit.
    for name in _THREAD_COUNTS:
        os.environ.setdefault(name, "1")
    try:
        code = app(prog_name="simmst", standalone_mode=False)
    except SimmstError as error:
        _fail(str(error))
    except OSError as error:  # a full disk, a directory taken away while the run goes on
        _fail(f"{error.filename or 'file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except Exception as error:
        # A mistyped option; typer carries its own copy of click, so the class has no public name.
        message = getattr(error, "format_message", None)
        if message is None:
            traceback.print_exc()
            raise SystemExit(1) from None
        _fail(message())
    raise SystemExit(code if isinstance(code, int) else 0)


def _with_options(message: str) -> str:
    """Let a message that begins with an argument begin with the option of that name."""
    command = typer.main.get_command(app)
    options: set[str] = set()
    left = [command]
    while left:
        one = left.pop()
        options |= {name for parameter in one.params for name in parameter.opts}
        left += getattr(one, "commands", {}).values()
    name = re.match(r"[a-z_]+(?=[ :=])", message)
    option = f"--{name[0].replace('_', '-')}" if name else ""
    return option + message[len(name[0]) :] if name and option in options else message


def _fail(message: str) -> None:
    message = _with_options(message)
    if not message:  # a group called without a command: its help has been printed
        raise SystemExit(2)
    sys.stderr.write(f"simmst: error: {' '.join(message.split())}\n")
    raise SystemExit(2)
