"""The state of a run: plain arrays and numbers that save, load and resume to the bit."""

import copy
import io
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cutplane._archive import load_arrays
from cutplane._arrays import Array
from cutplane._saved import FORMAT, check_digest, check_saved, digest
from cutplane.core.pool import Polyhedron
from cutplane.errors import InputError
from cutplane.history import History, Status


@dataclass(eq=False)
class State:
    """Everything that changes during a run.

    `BilevelSolver.step` advances it in place and returns it; use `copy` to keep a snapshot. Copies and pickles
    leave `runtime` behind: a run goes on from them to the same bits. A state equals itself alone; hold two
    against each other by `to_arrays`.

    Attributes
    ----------
    point : ndarray of shape (n,)
        Current iterate in scaled variables.
    n_x, n_y : int
    pool : Polyhedron
    best : ndarray of shape (n,)
        Best feasible point (scaled); meaningless while `best_fun` is infinite.
    best_fun, best_gap : float
        Upper objective and lower gap there.
    bound : float
        Certified lower bound; −inf without one.
    memory : dict of arrays
        What the method at work keeps.
    """

    point: Array
    n_x: int
    n_y: int
    pool: Polyhedron
    best: Array
    best_fun: float = np.inf
    best_gap: float = np.inf
    bound: float = -np.inf
    phase: int = 1
    nit: int = 0
    nfev: int = 0
    njev: int = 0
    version: int = 0
    status: Status = Status.RUNNING
    memory: dict[str, Array] = field(default_factory=dict)
    history: History = field(default_factory=History)

    _NUMBERS = ("n_x", "n_y", "phase", "nit", "nfev", "njev", "version")
    _FLOATS = ("best_fun", "best_gap", "bound")

    def __post_init__(self) -> None:
        #: Handles rebuilt at need (the model, an LP in memory); no field, so that no copy takes them along.
        self.runtime: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"runtime": {}}

    def to_arrays(self) -> dict[str, Array]:
        """Copies of all fields as arrays, under one flat set of names; the last one is a digest of the others."""
        arrays = {"point": self.point.copy(), "best": self.best.copy()}
        arrays["numbers"] = np.array(
            [FORMAT, self.status.code, *(getattr(self, k) for k in self._NUMBERS)], dtype=np.int64
        )
        arrays["floats"] = np.array([getattr(self, k) for k in self._FLOATS])
        for prefix, part in (
            ("pool", self.pool.to_arrays()), ("memory", copy.deepcopy(self.memory)),
            ("history", self.history.to_dict()),
        ):  # fmt: skip
            arrays |= {f"{prefix}/{key}": value for key, value in part.items()}
        return arrays | {"digest": digest(arrays)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> "State":
        """Rebuild a state from `to_arrays`.

        Raises
        ------
        InputError
            If an array is missing, of another shape or kind than a run needs, or not the one that was saved.
        """
        check_saved(arrays)
        parts: dict[str, dict[str, Array]] = {"pool": {}, "memory": {}, "history": {}}
        for key, value in arrays.items():
            if "/" in key:
                prefix, name = key.split("/", 1)
                parts[prefix][name] = value.copy()
        history = History.from_dict(parts["history"])
        check_digest(arrays)
        scalars: dict[str, Any] = {k: int(v) for k, v in zip(cls._NUMBERS, arrays["numbers"][2:], strict=True)}
        scalars |= {k: float(v) for k, v in zip(cls._FLOATS, arrays["floats"], strict=True)}
        return cls(
            point=arrays["point"].copy(), best=arrays["best"].copy(),
            pool=Polyhedron.from_arrays(parts["pool"]), memory=parts["memory"],
            history=history, status=Status.from_code(int(arrays["numbers"][1])), **scalars,
        )  # fmt: skip

    def copy(self) -> "State":
        """Return an independent snapshot."""
        return copy.deepcopy(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state to an npz file, atomically and without pickle."""
        target = Path(path)
        buffer = io.BytesIO()
        np.savez(buffer, **self.to_arrays())  # type: ignore[arg-type]
        name = target.parent / f".{target.name}.{secrets.token_hex(4)}"
        try:
            with open(name, "xb") as file:
                file.write(buffer.getvalue())
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, target)
        except BaseException:
            name.unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "State":
        """Read a state that `save` wrote.

        Raises
        ------
        InputError
            If the file is no such state.
        """
        with open(path, "rb") as handle:
            try:
                return cls.from_arrays(load_arrays(handle))
            except Exception as error:  # a damaged archive fails in as many ways as zipfile has branches
                raise InputError(f"{os.fspath(path)} is not a saved state: {str(error)[:200]}") from None
