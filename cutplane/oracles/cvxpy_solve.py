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
_FAR = 1e6
"""Slack at y = 0 from which a row is first left out; it is looked at afterwards."""
_WIDE = 1e5
"""Size of the box that keeps a problem in reach while rows are left out."""
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

    A solver that says "infeasible" or "unbounded", or stops short, may be wrong: Clarabel calls bounded problems
    unbounded where a bound is slack by 1e10. The problem is then solved again without the rows that are slack by
    far and inside a box, both looked at afterwards; with wider tolerances; and by HiGHS, where it is linear. What
    no attempt solves is answered by an error with the solver's words, and with the least violation of the rows
    where that is positive. Options of the user's own choose the solver of all attempts.

    Parameters
    ----------
    form : Form
    y : cvxpy.Variable
    judge : Judge
    options : dict
        For ``cvxpy.Problem.solve``.
    """

    def __init__(self, form: Form, y: Any, judge: Judge, options: dict[str, Any]) -> None:
        cp = cvxpy()
        self.form, self.y, self.judge = form, y, judge
        self._own = bool(options)
        self._options = options or _TIGHT
        self._whole = problem(form)
        self._trimmed: dict[bytes, tuple[Any, list[Any]]] = {}
        self._elastic: tuple[Any, Any] | None = None
        self._loose: tuple[Any, Any] | None = None
        linear = form.objective.is_pwl() and all(row.is_pwl() for row in form.rows)
        self._simplex = linear and "HIGHS" in cp.installed_solvers()

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
        words = []
        answer: Answer | None
        for attempt in self._attempts(x):
            answer, word = attempt()
            if answer is not None:
                return answer
            if word and word not in words:
                words.append(word)
        raise self._nothing(x, words)

    def _attempts(self, x: Array) -> Any:
        yield lambda: self._solve(self._whole, self._options, x)
        yield lambda: self._without_far_rows(x)
        if not self._own:
            plain = {"solver": "CLARABEL", "warm_start": False}
            yield lambda: self._solve(self._whole, plain, x)
            if self._simplex:
                yield lambda: self._solve(self._whole, {"solver": "HIGHS"}, x)
        yield lambda: self._loosened(x)

    def _run(self, problem: Any, options: dict[str, Any]) -> str:
        """Solve, and return the status; an error where it is the options that are wrong."""
        cp = cvxpy()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")
            try:
                problem.solve(**options)
            except Exception as error:
                if isinstance(error, cp.error.SolverError) and "failed" in str(error):
                    return "failed"
                raise OracleError(
                    f"CvxpyLevel: CVXPY does not solve the problem with options {options}: "
                    f"{type(error).__name__}: {error}"
                ) from None
        return str(problem.status)

    def _solve(self, problem: Any, options: dict[str, Any], x: Array) -> tuple[Answer | None, str]:
        word = f"{options.get('solver', 'the solver')}: {self._run(problem, options)}"
        if not word.endswith(": optimal"):
            return None, word
        duals = [np.ravel(row.dual_value, order="F") for row in problem.constraints[: len(self.form.rows)]]
        return self._judged(x, duals, word)

    def _judged(self, x: Array, duals: list[Array], word: str) -> tuple[Answer | None, str]:
        y = np.ravel(self.y.value, order="F").astype(float)
        answer = Answer(y, duals, self.form.slope(x))
        missed = self.judge.missed(x, answer)
        if missed > _ACCURATE:
            return None, f"{word}, but with conditions missed by {missed:.1e}"
        return answer, word

    def _without_far_rows(self, x: Array) -> tuple[Answer | None, str]:
        """Solve without the rows that are slack by far, in a box; right where rows and box turn out slack."""
        cp = cvxpy()
        far = [value < -_FAR for value in self.judge.rows_at(x, np.zeros(self.y.size))]
        far = [f & (not same) for f, same in zip(far, self.form.equal, strict=True)]
        key = np.concatenate([np.zeros(0, bool), *far]).tobytes()
        if key not in self._trimmed:
            kept, rows, equal = [], [], []
            for row, left_out, same in zip(self.form.rows, far, self.form.equal, strict=True):
                where = np.flatnonzero(~left_out)
                kept.append(where)
                if where.size:
                    rows.append(row if where.size == left_out.size else cp.vec(row, order="F")[where])
                    equal.append(same)
            box = [self.y <= _WIDE, self.y >= -_WIDE]
            trimmed = problem(replace(self.form, rows=rows, equal=equal, own=[*self.form.own, *box]))
            self._trimmed[key] = trimmed, kept
        trimmed, kept = self._trimmed[key]
        word = f"{self._options.get('solver', 'the solver')}: {self._run(trimmed, self._options)}"
        if not word.endswith(": optimal"):
            return None, word
        if np.abs(self.y.value).max() > 0.5 * _WIDE:
            return None, ""
        duals, of = [], iter(trimmed.constraints)
        for where, left_out in zip(kept, far, strict=True):
            dual = np.zeros(left_out.size)
            if where.size:
                dual[where] = np.ravel(next(of).dual_value, order="F")
            duals.append(dual)
        return self._judged(x, duals, word)

    def _least_violation(self) -> tuple[float, Array | None] | None:
        """Smallest s with all rows ≤ s, and its gradient in x where it is convex; None where that fails, too."""
        cp = cvxpy()
        if self._elastic is None:
            s = cp.Variable(nonneg=True)
            rows = [part for row, same in self._signed() for part in ([row - s, -row - s] if same else [row - s])]
            elastic = replace(self.form, objective=s + 0.0, rows=rows, equal=[False] * len(rows))
            self._elastic = problem(elastic), s
        elastic, s = self._elastic
        if self._run(elastic, {"solver": "CLARABEL", "warm_start": False}) != "optimal":
            return None
        slope = self.form.slope(np.ravel(self.form.x.value, order="F")) if self.form.convex_in_x else None
        return max(float(s.value), 0.0), slope

    def _signed(self) -> Any:
        return zip(self.form.rows, self.form.equal, strict=True)

    def _loosened(self, x: Array) -> tuple[Answer | None, str]:
        """Solve with the inequalities loosened by what rounding may have taken from them."""
        cp = cvxpy()
        if not self.form.rows:
            return None, ""
        least, unit = self._least_violation(), 1.0 + float(np.abs(x).max(initial=0.0))
        if least is None or not least[0] <= _THIN * unit:
            return None, ""
        if self._loose is None:
            room = cp.Parameter(nonneg=True)
            rows = [row if same else row - room for row, same in self._signed()]
            self._loose = problem(replace(self.form, rows=rows)), room
        loose, room = self._loose
        room.value = 2 * _THIN * unit
        return self._solve(loose, self._options, x)

    def _nothing(self, x: Array, words: list[str]) -> NoAnswerError:
        said = "; ".join(words)
        start = f"CvxpyLevel: the lower level has no solution at x = {x} that could be verified"
        least = self._least_violation() if self.form.rows else None
        if least is None or not least[0] > _THIN * (1.0 + float(np.abs(x).max(initial=0.0))):
            return NoAnswerError(f"{start} ({said})")
        violation, slope = least
        message = f"CvxpyLevel: the lower level is infeasible at x = {x}, by {violation:.3g} or more ({said})"
        return NoAnswerError(message) if slope is None else NoAnswerError(message, violation, slope)
