"""Whether a lower level has another solution beside the one found, where second derivatives allow one."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import scipy

from cutplane._arrays import Array

_CURVED = 1e-6
"""Second derivatives below this share of the largest (or of 1) may belong to a direction without growth."""
_NEAR = 1e-7
"""Slack within which a constraint may forbid a direction, relative to the size of y."""
_STEPS = (4.0**-6, 4.0**-9, 4.0**-12)
"""Steps that are tried along a direction, relative to the size of y."""
_DIRECTIONS = 8


def noise(value: float) -> float:
    """Difference of two values of g that rounding explains."""
    return 1e-13 * (1.0 + abs(value))


def equally_low(rise: Callable[[float], float], step: float, reach: float, error: float) -> bool:
    """Whether two points as low as each other, `step` apart, are two solutions and not one flat minimum.

    Parameters
    ----------
    rise : callable
        How much g grows at a distance along the line through both.
    step, reach : float
        Their distance; and a distance at which a single minimum would have grown.
    error : float
        Growth that rounding explains.

    Notes
    -----
    A single minimum may be flat to rounding over a long way, as that of (y − x)⁸ is. Its growth farther out,
    carried on inwards as a power of the distance, explains the flatness; a set of solutions it does not explain.
    """
    while True:
        near = rise(4 * step)
        if not near >= -error:  # lower, or not a number: no growth
            return True
        if near > error:
            break
        step *= 4
        if step > reach:
            return True
    far = rise(16 * step)
    return not far > near or near * (near / far) > 100 * error


@dataclass(frozen=True)
class Surroundings:
    """The lower level around a solution y.

    Attributes
    ----------
    value : callable
        g(x, ·).
    rows : callable
        ``rows(y) -> (values, jacobian)`` of the constraints, feasible where values ≤ 0.
    curvature : callable
        Second derivatives of the Lagrangian in y.
    held : ndarray of bool, shape (k,)
        Constraints of positive multiplier: equalities for all other solutions near by.
    free : ndarray of bool, shape (n_y,)
        Components that no bound holds by force.
    lower, upper : ndarray of shape (n_y,)
        Bounds of y.
    """

    value: Callable[[Array], float]
    rows: Callable[[Array], tuple[Array, Array]]
    curvature: Callable[[Array], Array]
    held: Array
    free: Array
    lower: Array
    upper: Array


def another_solution(around: Surroundings, y: Array) -> Array | None:
    """Return a solution other than y that lies near by in a direction without curvature; None if none is seen.

    What it returns is checked by values of g and of the constraints, so it is never a mere suspicion. Not every
    other solution is seen: one behind a hill is not, nor one where the curvature at y is positive.
    """
    size = 1.0 + float(np.abs(y).max(initial=0.0))
    error = noise(around.value(y))
    values, jacobian = around.rows(y)
    spaces = _flat(around, y, jacobian, size)
    if not spaces:
        return None
    near = (values >= -_NEAR * size) & ~around.held
    at_low, at_up = y - around.lower <= _NEAR * size, around.upper - y <= _NEAR * size
    identity = np.eye(y.size)
    walls = np.vstack([jacobian[near], -identity[at_low & around.free], identity[at_up & around.free]])
    lengths = np.linalg.norm(walls, axis=1, keepdims=True)
    walls = walls / np.where(lengths > 0, lengths, 1.0)
    most = np.maximum(values, 0.0) + 1e-11 * size
    for direction in (d for space in spaces for d in _directions(space, walls)):
        for step in (size * share for share in _STEPS):
            other = _back_on_rows(around, y + step * direction, values)
            if np.linalg.norm(other - y) < 0.5 * step or (around.rows(other)[0] > most).any():
                continue
            if (other < around.lower).any() or (other > around.upper).any():
                continue
            base = around.value(y)
            if abs(around.value(other) - base) > error:
                continue

            def rise(distance: float, along: Array = direction, base: float = base) -> float:
                return around.value(y + distance * along) - base

            if equally_low(rise, step, size, error):
                return other
    return None


def _flat(around: Surroundings, y: Array, jacobian: Array, size: float) -> list[Array]:
    """Bases [n_y, m] of the directions along the held rows in which the Lagrangian is not seen to curve."""
    free = np.flatnonzero(around.free)
    if free.size == 0:
        return []
    curvature = np.asarray(around.curvature(y), dtype=float)
    whole = curvature[np.ix_(free, free)]
    if np.isfinite(whole).all():
        least = _CURVED * max(1.0, float(np.linalg.norm(whole)))
        with suppress(scipy.linalg.LinAlgError):  # mostly it curves in all directions: cheap to see
            scipy.linalg.cholesky(0.5 * (whole + whole.T) - least * np.eye(free.size), check_finite=False)
            return []
    rows = jacobian[np.ix_(around.held, free)]
    basis = scipy.linalg.null_space(rows, rcond=1e-10) if rows.size else np.eye(free.size)
    if basis.shape[1] == 0:
        return []
    along = np.zeros((y.size, basis.shape[1]))
    along[free] = basis
    here = _within(curvature, along)
    flat = _small(here, max(1.0, float(np.abs(here).max())), along)
    if flat.shape[1] < 2:
        return [flat][: flat.shape[1]]
    # where several directions are flat to second order, some may be flat altogether: they are flat near by, too
    rng = np.random.default_rng(0)
    total = np.zeros((flat.shape[1], flat.shape[1]))
    for _ in range(3):
        there = _within(around.curvature(y + 0.25 * size * flat @ rng.normal(size=flat.shape[1])), flat)
        total += there @ there
    if not np.isfinite(total).all():
        return [flat]
    flatter = _small(total, max(1e-12, float(np.abs(total).max())), flat)
    return [flatter, flat] if 0 < flatter.shape[1] < flat.shape[1] else [flat]


def _within(curvature: Array, along: Array) -> Array:
    inner = along.T @ np.asarray(curvature, dtype=float) @ along
    return np.asarray(0.5 * (inner + inner.T))


def _small(matrix: Array, scale: float, along: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(along @ vectors[:, np.abs(values) <= _CURVED * scale])


def _directions(flat: Array, walls: Array) -> list[Array]:
    """Unit directions in the span of `flat` that no wall forbids."""
    m = flat.shape[1]
    rng = np.random.default_rng(1)
    mixed = rng.normal(size=m)
    if walls.shape[0] == 0:
        found = [*flat.T[:_DIRECTIONS], flat @ mixed]
        return [s * d / np.linalg.norm(d) for d in found for s in (1.0, -1.0)]
    # the cone {walls d ≤ 0} has a direction exactly where a generic linear function is not bounded by 0 on it
    found = []
    for goal in (mixed, -mixed):
        best = scipy.optimize.linprog(
            -goal, A_ub=walls @ flat, b_ub=np.zeros(walls.shape[0]), bounds=[(-1, 1)] * m, method="highs"
        )
        if best.status == 0 and -best.fun > 1e-6:
            found.append(flat @ best.x)
    return [d / np.linalg.norm(d) for d in found if np.linalg.norm(d) > 1e-9]


def _back_on_rows(around: Surroundings, y: Array, goal: Array) -> Array:
    """Newton steps back onto the held rows, for rows that bend."""
    for _ in range(4):
        values, jacobian = around.rows(y)
        missed = (values - goal)[around.held]
        if np.abs(missed).max(initial=0.0) <= 1e-14:
            break
        y = y - np.linalg.lstsq(jacobian[around.held], missed, rcond=None)[0]
    return y
