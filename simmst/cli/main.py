"""The whole command line: `simmst run`, `simmst data …`, `simmst simulate …`, `simmst table …` and the rest."""

import os
import re
import sys
import traceback

import typer

from simmst.cli._console import INTERRUPTED
from simmst.cli.data import data_app
from simmst.cli.doctor import mount as mount_doctor
from simmst.cli.forecast import mount as mount_forecast
from simmst.cli.pretrain import mount as mount_pretrain
from simmst.cli.run import mount as mount_run
from simmst.cli.serve import mount as mount_serve
from simmst.cli.simulate import simulate_app
from simmst.cli.sweep import mount as mount_sweep
from simmst.cli.table import mount as mount_tables
from simmst.cli.update import mount as mount_update
from simmst.errors import SimmstError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
app.add_typer(data_app, name="data")
mount_run(app)
mount_tables(app)
mount_forecast(app)
mount_update(app)
mount_pretrain(app)
mount_serve(app)
app.add_typer(simulate_app, name="simulate")
mount_sweep(app)
mount_doctor(app)


@app.callback()
def _about() -> None:
    """Sim-MSTNet: forecasts of cellular traffic, learned from simulated traffic weighted to suit real traffic."""


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
