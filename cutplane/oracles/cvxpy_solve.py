"""Solving a CVXPY form at one x, without believing a solver's first word."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cutplane._arrays import Array
from cutplane.errors import NoAnswerError, OracleError
from cutplane.oracles.cvxpy_expression import Differentiable, cvxpy
from cutplane.oracles.cvxpy_form import Form, problem

_TIGHT = {"solver": "CLARABEL", "tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10, "warm_start": False}
_WIDER = {"solver": "CLARABEL", "warm_start": False}
_FAR = 1e6
"""Slack at y = 0 from which a row is first left out; it is looked at afterwards."""
_BOX = 1e5
"""Size of the box that keeps a problem in reach."""
_ACCURATE = 1e-7
"""Violation of the optimality conditions, relative, with which an answer is believed."""
_THIN = 1e-9
"""Least violation, relative, up to which an x counts as one that rounding made infeasible."""


@dataclass(frozen=True)
class Answer:
    """A solution: y, the rows' multipliers (of either sign for equalities) in order, and ∇v(x)."""

    y: Array
    duals: list[Array]
    slope: Array


class Judge:
    """How well an answer meets the optimality conditions, by values of the problem's own expressions.

    Parameters
    ----------
    objective : Differentiable
    rows : list of Differentiable
        In (x, y) stacked; each ≤ 0, or = 0 where `equal` says so.
    equal : list of bool
    smooth : bool
        Whether stationarity can be told from one gradient of each.
    """

    def __init__(
        self, objective: Differentiable, rows: list[Differentiable], equal: list[bool], smooth: bool
    ) -> None:  # fmt: skip
        self.objective, self.rows, self.equal, self.smooth = objective, rows, equal, smooth

    def rows_at(self, x: Array, y: Array) -> list[Array]:
        """Values of the rows."""
        z = np.concatenate([x, y])
        return [row.value(z) for row in self.rows]

    def missed(self, x: Array, answer: Answer) -> float:
        """Largest relative violation of a condition; infinite where a number is not finite."""
        z = np.concatenate([x, answer.y])
        value = float(self.objective.value(z)[0])
        if not np.isfinite([value, *answer.y, *answer.slope, *np.concatenate([np.zeros(1), *answer.duals])]).all():
            return np.inf
        worst = loose = 0.0
        for row, same, dual in zip(self.rows, self.equal, answer.duals, strict=True):
            here = row.value(z)
            violation = np.abs(here) if same else np.maximum(here, 0.0)
            if violation.max(initial=0.0) > _ACCURATE:  # perhaps of large numbers
                violation = violation / (1.0 + np.abs(row(z)[1]) @ np.abs(z))
            worst = max(worst, float(violation.max(initial=0.0)))
            loose += 0.0 if same else float(np.abs(dual * here).sum())
        worst = max(worst, loose / (1.0 + abs(value)))
        if self.smooth:
            pull = self.objective(z)[1][0]
            size = 1.0 + np.abs(pull).max()
            for row, dual in zip(self.rows, answer.duals, strict=True):
                slope = dual @ row(z)[1]
                pull, size = pull + slope, size + np.abs(slope).max()
            worst = max(worst, float(np.abs(pull[x.size :]).max()) / size)
        return worst if np.isfinite(worst) else np.inf


class Solver:
    """Answers for the problem in a form, at one x after another.

    A row that is slack by far can spoil a solver's answer without taking part in it: beside a bound of 1e17
    Clarabel calls an infeasible y optimal, and beside one of 1e10 a bounded problem unbounded. Such rows are left
    out first and looked at afterwards; by convexity the answer is then that of the whole problem. Where this does
    not end in an answer that meets the conditions, the problem is solved whole, in a box, with wider tolerances,
    and by HiGHS where it is linear. What no attempt solves is answered by an error with the solver's words, and
    with the least violation of the rows where that is positive. Options of the user's own choose the solver of all
    attempts.

    Parameters
    ----------
    form : Form
    y : cvxpy.Variable
    judge : Judge
    options : dict
        For ``cvxpy.Problem.solve``.
    """

    def __init__(self, form: Form, y: Any, judge: Judge, options: dict[str, Any]) -> None:
        self.form, self.y, self.judge = form, y, judge
        self._own = bool(options)
        self._options = options or _TIGHT
        self._none = [np.zeros(row.size, dtype=bool) for row in form.rows]
        self._made: dict[tuple[str, bytes], tuple[Any, Any]] = {}
        linear = form.objective.is_pwl() and all(row.is_pwl() for row in form.rows)
        self._simplex = linear and "HIGHS" in cvxpy().installed_solvers()

    def __call__(self, x: Array) -> Answer:
        """Return the solution at x.

        Raises
        ------
        NoAnswerError
            Where there is none, or none was found.
        """
        try:
            self.form.x.value = x.astype(float).reshape(self.form.x.shape)
        except ValueError as error:
            raise NoAnswerError(f"CvxpyLevel: x_parameter does not take x = {x}: {error}") from None
        here = self.judge.rows_at(x, np.zeros(self.y.size))
        far = [(row < -_FAR) & (not same) for row, same in zip(here, self.form.equal, strict=True)]
        words = []
        for kind, left_out, options in self._attempts(far):
            answer, word = self._attempt(x, kind, left_out, options)
            if answer is not None:
                return answer
            if word and word not in words:
                words.append(word)
        least = self._least_violation(x, far)
        unit = 1.0 + float(np.abs(x).max(initial=0.0))
        if least is not None and least[0] <= _THIN * unit:
            self._variant("loose", far)[1].value = 2 * _THIN * unit
            answer = self._attempt(x, "loose", far, self._options)[0]
            if answer is not None:
                return answer
        raise _nothing(x, words, None if least is None or least[0] <= _THIN * unit else least)

    def _attempts(self, far: list[Array]) -> Any:
        if any(row.any() for row in far):
            yield "plain", far, self._options
        yield "plain", self._none, self._options
        if not self._own:
            yield "plain", far, _WIDER
        yield "box", far, self._options
        if self._simplex and not self._own:
            yield "plain", self._none, {"solver": "HIGHS"}

    def _attempt(
        self, x: Array, kind: str, left_out: list[Array], options: dict[str, Any]
    ) -> tuple[Answer | None, str]:  # fmt: skip
        """An answer that meets the conditions, or None, and what the solver said."""
        made = self._variant(kind, left_out)[0]
        status = _run(made, options)
        word = f"{options.get('solver', 'the solver')}: {status}"
        if status != "optimal":
            return None, word
        y = np.ravel(self.y.value, order="F").astype(float)
        if kind == "box" and np.abs(y).max() > 0.5 * _BOX:
            return None, ""
        duals, of = [], iter(made.constraints)
        for row in left_out:
            dual = np.zeros(row.size)
            if not row.all():
                dual[~row] = np.ravel(next(of).dual_value, order="F")
            duals.append(dual)
        answer = Answer(y, duals, self.form.slope(x))
        missed = self.judge.missed(x, answer)
        return (answer, word) if missed <= _ACCURATE else (None, f"{word}, but conditions missed by {missed:.1e}")

    def _variant(self, kind: str, left_out: list[Array]) -> tuple[Any, Any]:
        """The problem without some rows, plain or changed, and the leaf that brings the change."""
        key = kind, np.concatenate([np.zeros(0, dtype=bool), *left_out]).tobytes()
        if key not in self._made:
            cp, change = cvxpy(), None
            rows, equal = [], []
            for row, out, same in zip(self.form.rows, left_out, self.form.equal, strict=True):
                if not out.all():
                    rows.append(cp.vec(row, order="F")[np.flatnonzero(~out)] if out.any() else row)
                    equal.append(same)
            new = replace(self.form, rows=rows, equal=equal)
            if kind == "box":
                new.own = [*new.own, self.y <= _BOX, self.y >= -_BOX]
            elif kind == "loose":
                change = cp.Parameter(nonneg=True)
                new.rows = [row if same else row - change for row, same in zip(rows, equal, strict=True)]
            elif kind == "elastic":
                change = cp.Variable(nonneg=True)
                both = zip(rows, equal, strict=True)
                new.rows = [s * row - change for row, same in both for s in ((1, -1) if same else (1,))]
                new.objective, new.equal = change + 0.0, [False] * len(new.rows)
            self._made[key] = problem(new), change
        return self._made[key]

    def _least_violation(self, x: Array, far: list[Array]) -> tuple[float, Array | None] | None:
        """Smallest s with all rows ≤ s, and its gradient in x where it is convex; None where it was not found."""
        if not self.form.rows:
            return None
        elastic, least = self._variant("elastic", far)
        if _run(elastic, _WIDER) != "optimal":
            return None
        return max(float(least.value), 0.0), self.form.slope(x) if self.form.convex_in_x else None


def _run(made: Any, options: dict[str, Any]) -> str:
    """Solve, and return the status; an error where it is the options that are wrong."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Solution may be inaccurate")
        try:
            made.solve(**options)
        except Exception as error:
            if isinstance(error, cvxpy().error.SolverError) and "failed" in str(error):
                return "failed"
            raise OracleError(
                f"CvxpyLevel: CVXPY does not solve the problem with options {options}: "
                f"{type(error).__name__}: {error}"
            ) from None
    return str(made.status)


def _nothing(x: Array, words: list[str], least: tuple[float, Array | None] | None) -> NoAnswerError:
    said = "; ".join(words)
    if least is None:
        return NoAnswerError(
            f"CvxpyLevel: the lower level has no solution at x = {x} that could be verified ({said})"
        )
    violation, slope = least
    message = f"CvxpyLevel: the lower level is infeasible at x = {x}, by {violation:.3g} or more ({said})"
    return NoAnswerError(message) if slope is None else NoAnswerError(message, violation, slope)
