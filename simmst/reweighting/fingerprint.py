"""What a bi-level problem answers at its start: tells on resuming whether a state is of the same problem."""

from __future__ import annotations

import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutplane import BilevelSolver
from simmst.errors import ConfigError, DataError
from simmst.io.atomic import atomic_file
from simmst.io.npz import read_npz
from simmst.reweighting.problems import Sim2Real

# Another number of threads or another BLAS rounds sums differently; other windows differ by far more.
_TOLERANCE = 1e-5
#: Options that a run may be continued with other values of: they only say when to stop.
_STOPPING = ("max_iterations", "tolerance", "patience")

Answers = dict[str, NDArray[Any]]


def beside(state: Path) -> Path:
    """Path of the fingerprint of a state: ``state.npz`` has ``state.problem.npz``."""
    return state.with_suffix(".problem.npz")


def fingerprint(task: Sim2Real, solver: BilevelSolver) -> Answers:
    """Ask the problem at its start.

    The lower level's solution there depends on every simulated window, the upper gradient on every real one:
    other features, targets or weights give other answers, whatever the lower level is.

    Parameters
    ----------
    task : Sim2Real
        Whose start and answers are taken.
    solver : BilevelSolver
        Whose options are taken, but for those that only say when to stop; what is no dataclass, such as a method
        of one's own, by its class and `repr`.

    Raises
    ------
    ConfigError
        If an option's `repr` is its address in memory.
    """
    value, _, gradient = task.problem.upper(task.x0, task.y0)
    options = {name: option for name, option in _fields(solver).items() if name not in _STOPPING}
    return {
        "start of the weights": np.asarray(task.x0, dtype=np.float64),
        "lower level": np.asarray(task.y0, dtype=np.float64),
        "upper value": np.asarray(value, dtype=np.float64),
        "upper level": np.asarray(gradient, dtype=np.float64),
        "options": np.array(json.dumps(options, sort_keys=True, default=_told)),
    }


def _fields(owner: Any) -> dict[str, Any]:
    return {one.name: getattr(owner, one.name) for one in fields(owner)}


def _told(option: Any) -> Any:
    """Say an option that JSON has no word for, such as a method: the same text whenever it is the same option."""
    if is_dataclass(option):
        return _fields(option)
    if isinstance(option, np.ndarray | np.generic):
        return option.tolist()
    said, kind = repr(option), type(option)
    if re.search(r" at 0x[0-9a-fA-F]+", said):  # an address, which is another one the next time
        raise ConfigError(
            f"solver: {said} cannot be known again on resuming; make {kind.__name__} a frozen dataclass, or give "
            "it a __repr__ that names its options, or leave out state_path"
        )
    return f"{kind.__module__}.{kind.__qualname__} {said}"


def keep(state: Path, answers: Answers) -> None:
    """Write the fingerprint beside a state, whole or not at all."""
    with atomic_file(beside(state)) as stream:
        np.savez(stream, **answers)  # type: ignore[arg-type]


def check(state: Path, answers: Answers) -> None:
    """Refuse a state of another problem.

    Raises
    ------
    ConfigError
        If the answers beside it are others, or are missing or damaged; the message says what differs.
    """
    mend = f"delete {state} to learn the weights again, or resume with what it was begun with"
    try:
        kept = read_npz(beside(state))
    except DataError as error:
        raise ConfigError(f"state {state}: what it is of cannot be read ({error}); {mend}") from None
    changed = [name for name, now in answers.items() if name not in kept or not _same(kept[name], now)]
    if changed:
        raise ConfigError(f"state {state} is of another problem (other {', '.join(changed)}): {mend}")


def _same(kept: NDArray[Any], now: NDArray[Any]) -> bool:
    if kept.shape != now.shape or kept.dtype.kind != now.dtype.kind:
        return False
    if now.dtype.kind != "f":
        return bool(np.array_equal(kept, now))
    allowed = _TOLERANCE * max(float(np.abs(now).max(initial=0.0)), 1e-300)
    return bool((np.abs(kept - now) <= allowed).all())
