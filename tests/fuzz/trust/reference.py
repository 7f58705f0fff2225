"""The optimum of a convex case by Clarabel, in unit variables, and how accurate that is."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import cvxpy as cp
import numpy as np

from .convex import Case
from .terms import Array

TIGHT = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}


@dataclass(frozen=True)
class Optimum:
    """Optimum of F in unit scale.

    Attributes
    ----------
    value : float
    z : ndarray of shape (n,)
    accuracy : float
        Gap between the solver's primal and dual values, plus what F by numpy at z differs from its value, plus
        what z misses the constraints by at their multipliers. Infinite where the solver gave up.
    status : str
    pull : ndarray of shape (n_y,)
        Multipliers of v = v*(u).
    prices : ndarray
        Multipliers of the curved constraints (in units of term(z) − right), then of the rows.
    """

    value: float
    z: Array
    accuracy: float
    status: str
    pull: Array
    prices: Array


def optimum(case: Case, relaxed: bool) -> Optimum:
    """Solve the case; with `relaxed` over {gap ≤ ε} in place of v = v*(u)."""
    n_y = case.reaction.shape[0]
    u, v = cp.Variable(case.n_x), cp.Variable(n_y)
    z = cp.hstack([u, v])
    off = v - case.reaction @ u - case.shift
    lower = cp.norm(case.metric @ off) <= case.reach if relaxed else off == 0
    coupled = [c.term.expr(z) <= c.right for c in case.curved]
    if len(case.right):
        coupled.append(case.rows @ z <= case.right)
    constraints = [lower, *coupled, *case.place_x.cvxpy(u), *case.place_y.cvxpy(v)]
    problem = cp.Problem(cp.Minimize(case.fun.expr(z)), constraints)
    data, chain, inverse = problem.get_problem_data(cp.CLARABEL, solver_opts={})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cvxpy's word on accuracy: it is judged below
        raw = chain.solve_via_data(problem, data, warm_start=False, verbose=False, solver_opts=dict(TIGHT))
        try:
            problem.unpack_results(raw, chain, inverse)
        except cp.error.SolverError:
            return _nothing(case, "error")
    if problem.status not in ("optimal", "optimal_inaccurate") or u.value is None:
        return _nothing(case, problem.status)
    point = np.concatenate([np.atleast_1d(u.value), np.atleast_1d(v.value)])
    pull = np.zeros(n_y) if relaxed else np.atleast_1d(np.asarray(lower.dual_value, dtype=float))
    prices = np.concatenate([np.atleast_1d(c.dual_value) for c in coupled]) if coupled else np.zeros(0)
    value = float(problem.value)
    missed = _missed(case, point)
    accuracy = abs(raw.obj_val - raw.obj_val_dual) + abs(value - case.fun.value(point)) + float(
        np.abs(prices) @ np.maximum(missed, 0.0)
    )
    if not relaxed:
        accuracy += float(np.abs(pull) @ np.abs(point[case.n_x :] - case.answer(point[: case.n_x])))
    return Optimum(value, point, accuracy, problem.status, pull, prices)


def _missed(case: Case, z: Array) -> Array:
    """Values of the coupled constraints at z, curved ones first, without their factors."""
    curved = [float(c.term.values(z[None])[0]) - c.right for c in case.curved]
    return np.concatenate([np.array(curved), case.rows @ z - case.right])


def _nothing(case: Case, status: str) -> Optimum:
    n = case.n_x + case.reaction.shape[0]
    return Optimum(np.nan, np.full(n, np.nan), np.inf, status, np.zeros(0), np.zeros(0))
