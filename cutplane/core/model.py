"""What both formulations share: checked calls of the user's functions, the scaled set Z, pieces."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cutplane._arrays import Array
from cutplane.core.pool import Kind, Plane
from cutplane.errors import NoAnswerError, OracleError, ProjectionError
from cutplane.problem import BilevelProblem, LinearConstraint
from cutplane.sets import FeasibleSet, Rows, integer_columns, no_rows, usual_rows

_SHORT = 10_000
"""Entries up to which a vector is copied at every call."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Value (≤ 0 where satisfied) and gradient of one constraint at a point, in scaled variables."""

    kind: Kind
    value: float
    gradient: Array

    @property
    def depth(self) -> float:
        """Distance from the point to the plane that linearises the constraint, negative inside."""
        length = float(np.linalg.norm(self.gradient))
        return self.value / length if length > 0 else (np.inf if self.value > 0 else -np.inf)


def checked(value: Any, what: str, shape: tuple[int, ...], answer: bool = False) -> Array:
    """Check what an oracle gave; an `answer` may be missing at some points, a gradient beside one may not."""
    if np.ma.is_masked(value):
        raise OracleError(f"{what} is masked: what lies under a mask is no answer")
    out = np.asarray(value)
    if out.shape != shape:
        raise OracleError(f"{what} has shape {out.shape}, {shape} was expected")
    if out.dtype.kind not in "fiub":
        raise OracleError(f"{what} holds {out.dtype}; real numbers were expected")
    if not np.isfinite(out).all():
        place = "" if out.ndim == 0 else str(list(map(int, np.argwhere(~np.isfinite(out))[0])))
        raise (NoAnswerError if answer else OracleError)(f"{what}{place} is not finite")
    return out


def rounding(z: Array) -> float:
    """Distance that the arithmetic of a point's own precision explains; 0 in float64: `feasibility` is larger.

    A constraint of float32 is off by some units in the last place of the point, and two of its planes that leave
    a thin set between them then leave none.
    """
    if z.dtype == np.float64:
        return 0.0
    return 32 * float(np.finfo(z.dtype).eps) * (1.0 + float(np.abs(z).max(initial=0.0)))


def triple(answer: Any, what: str) -> tuple[Any, Any, Any]:
    """Take an oracle's answer apart, or raise `OracleError` where it is not three things."""
    try:
        first, second, third = answer
    except (TypeError, ValueError):
        raise OracleError(f"{what} must return three things: value, gradient in x, gradient in y") from None
    return first, second, third


class Model:
    """What both formulations share: the scaled set Z and the checked calls of the user's functions."""

    def __init__(self, problem: BilevelProblem, blocks: list[tuple[FeasibleSet, int, float]], n_y: int) -> None:
        self.problem, self.n_y = problem, n_y
        self._blocks = blocks
        self.n_x, self.n = blocks[0][1], sum(size for _, size, _ in blocks)
        self.scale = np.concatenate([np.full(size, s) for _, size, s in blocks])
        self._scales = tuple(s for _, _, s in blocks)
        self.simple = all(feasible.simple for feasible, _, _ in blocks)
        bounds = [feasible.bounds(size) for feasible, size, _ in blocks]
        self.lower = np.concatenate([b[0] for b in bounds]) / self.scale
        self.upper = np.concatenate([b[1] for b in bounds]) / self.scale
        self.rows = self._stack_rows()
        self.integer = np.concatenate([integer_columns(feasible, size) for feasible, size, _ in blocks])
        self.constraints = list(problem.constraints)
        for c in self.constraints:
            if isinstance(c, LinearConstraint):
                c.check(self.n_x, n_y)
        self.nfev = self.njev = 0
        self._watched: set[str] = set()

    def ask(self, name: str, function: Callable[..., Any], x: Array, *more: Any) -> Any:
        """Call a function of the user's, and see that it leaves its arguments as they are.

        Long vectors are looked at in its first call alone: a copy of them would cost as much as a plane.
        """
        arguments = (x, *more)
        if name in self._watched and x.size > _SHORT:
            return function(*arguments)
        self._watched.add(name)
        before = [np.array(a, copy=True) for a in arguments]
        answer = function(*arguments)
        for which, (now, then) in enumerate(zip(arguments, before, strict=True)):
            if not np.array_equal(now, then, equal_nan=True):
                raise OracleError(f"{name} wrote into its argument {which + 1}: let it work on a copy")
        return answer

    def _stack_rows(self) -> Rows:
        parts = [no_rows(self.n)]
        start = 0
        for feasible, size, s in self._blocks:
            rows = feasible.rows(size)
            wide = []
            for A in (rows.A_ub, rows.A_eq):
                full = np.zeros((A.shape[0], self.n))
                full[:, start : start + size] = A * s
                wide.append(full)
            parts.append(Rows(wide[0], rows.b_ub, wide[1], rows.b_eq))
            start += size
        return usual_rows(
            np.vstack([r.A_ub for r in parts]), np.concatenate([r.b_ub for r in parts]),
            np.vstack([r.A_eq for r in parts]), np.concatenate([r.b_eq for r in parts]),
        )  # fmt: skip

    def digest(self) -> Array:
        """Fingerprint of the sets and of the exact linear rows, 32 bytes."""
        found = hashlib.sha256()
        r = self.rows
        for part in (self.lower, self.upper, r.A_ub, r.b_ub, r.A_eq, r.b_eq):
            found.update(np.ascontiguousarray(part, dtype=float).tobytes())
        if self.integer.any():  # the others' digests are those of states of before
            found.update(np.packbits(self.integer).tobytes())
        for c in self.constraints:
            if isinstance(c, LinearConstraint):
                for part in (c.A_x, c.A_y, c.b):
                    found.update(np.ascontiguousarray(part, dtype=float).tobytes())
        return np.frombuffer(found.digest(), dtype=np.uint8).copy()

    def project(self, z: Array) -> Array:
        """Nearest point of Z."""
        if not np.isfinite(z).all():
            raise ProjectionError("the iterate is not finite: F may fall without end, give x_set or y_set bounds")
        out, start = np.empty_like(z), 0
        for feasible, size, s in self._blocks:
            part = slice(start, start + size)
            out[part] = feasible.project(z[part] * s) / s
            start += size
        return out

    def tangents(self, z: Array) -> list[Plane]:
        """Tangent planes of the curved blocks that z is outside of."""
        planes, start = [], 0
        for feasible, size, s in self._blocks:
            found = feasible.tangent(z[start : start + size] * s)
            if found is not None:
                normal = np.zeros(self.n)
                normal[start : start + size] = found[0] * s
                planes.append(Plane(Kind.CONSTRAINT, normal, -found[1]))
            start += size
        return planes

    def upper_value(self, x: Array, y: Array) -> tuple[float, Array, Array]:
        """F and its gradient, checked."""
        self.nfev += 1
        value, g_x, g_y = triple(self.ask("upper", self.problem.upper, x, y), "upper")
        return (
            float(checked(value, "upper value", (), answer=True)),
            checked(g_x, "upper gradient in x", x.shape),
            checked(g_y, "upper gradient in y", y.shape),
        )

    @staticmethod
    def _piece(kind: Kind, value: float, gradient: Array, z: Array) -> Piece:
        """A constraint at z, eased by what the point's precision explains."""
        slack = rounding(z)
        return Piece(kind, value - slack * float(np.linalg.norm(gradient)) if slack else value, gradient)

    def _constraint(self, index: int, x: Array, y: Array) -> tuple[Array, Array, Array]:
        name = f"constraints[{index}]"
        values, j_x, j_y = triple(self.ask(name, self.constraints[index], x, y), name)
        values = np.atleast_1d(np.asarray(values, dtype=float))
        return (
            checked(values, f"{name} value", values.shape, answer=True),
            checked(np.atleast_2d(j_x), f"{name} jacobian in x", (values.size, x.size)),
            checked(np.atleast_2d(j_y), f"{name} jacobian in y", (values.size, y.size)),
        )
