"""A lower level written as a CVXPY problem whose parameter is x and whose variable is y."""

from typing import Any

import numpy as np

from cutplane._arrays import Array, vector
from cutplane.errors import InputError
from cutplane.oracles.cvxpy_expression import Differentiable, cvxpy
from cutplane.oracles.cvxpy_form import form, replaced
from cutplane.oracles.cvxpy_solve import Judge, Solver
from cutplane.oracles.value_function import LowerSolution, ValueFunction


class CvxpyLevel(ValueFunction):
    """Gap g(x, y) − v(x) of a CVXPY problem; the gradient of v comes from a dual.

    Parameters
    ----------
    problem : cvxpy.Problem
        With scalar or vector equalities and inequalities; its only variable is `y_variable`, its only
        parameter `x_parameter`. It must be DPP, as CVXPY asks of problems that are solved repeatedly.
    x_parameter : cvxpy.Parameter
        Scalar or vector. It may enter the objective and the constraints, added or multiplied.
    y_variable : cvxpy.Variable
        Scalar or vector, without attributes: write ``nonneg=True`` or bounds as constraints.
    **options
        For ``cvxpy.Problem.solve``; Clarabel with tolerances of 1e-10 by default.

    Raises
    ------
    ModuleNotFoundError
        Where cvxpy is not installed.
    InputError
        For a problem of another form, or a solver that is not installed.

    Notes
    -----
    The problem is solved with a copy of x as a variable that is held at x, and ∇v(x) is the multiplier of that
    row: right also where a nonsmooth atom holds x and y together. At a kink of v it is a subgradient, where v is
    convex. ∇g is one subgradient in (x, y) by CVXPY's rules. An interior-point solver gives v to about 1e-8
    relative: solve the bi-level problem with ``epsilon`` of 1e-7 or more.

    Every answer is held against the optimality conditions, to 1e-7 relative, and an "infeasible", "unbounded" or
    inaccurate one is not believed at once: rows that are slack by far are left out and looked at afterwards, the
    tolerances are widened to Clarabel's own, and linear problems go to HiGHS (with `options`, only the first of
    these, so that the solver stays yours). An x without a verified answer is a `NoAnswerError`: keep it out by
    `x_set`.
    """

    _looks = 6

    def __init__(self, problem: Any, x_parameter: Any, y_variable: Any, **options: Any) -> None:
        cp = cvxpy()
        _check(problem, x_parameter, y_variable)
        solver = options.get("solver")
        if isinstance(solver, str) and solver.upper() not in cp.installed_solvers():
            raise InputError(
                f"CvxpyLevel: CVXPY finds no solver {solver!r}; installed are {', '.join(cp.installed_solvers())}"
            )
        sign = -1 if isinstance(problem.objective, cp.Maximize) else 1
        objective = sign * problem.objective.expr
        rows = list(problem.constraints)
        for row in rows:
            if not isinstance(row, cp.constraints.nonpos.Inequality | cp.constraints.zero.Equality):
                raise InputError(
                    f"CvxpyLevel: constraints must be equalities or inequalities, not {type(row).__name__}; write "
                    "a cone as a norm inequality"
                )
        self._equal = [isinstance(row, cp.constraints.zero.Equality) for row in rows]
        self._n_x, self._n_y = x_parameter.size, y_variable.size
        sides = [row.args[0] - row.args[1] for row in rows]
        # copies with plain leaves: x and y may then take values that attributes would refuse
        x, y = cp.Variable(x_parameter.shape), cp.Variable(y_variable.shape)
        leaves = {id(x_parameter): x, id(y_variable): y}
        self._g, *self._sides = (Differentiable(replaced(e, leaves), [x, y]) for e in (objective, *sides))
        smooth = objective.is_quadratic() and all(side.is_affine() for side in sides)
        judge = Judge(self._g, self._sides, self._equal, smooth)
        self._solver = Solver(form(objective, sides, self._equal, x_parameter), y_variable, judge, options)
        super().__init__(self._objective, self._inner, self._constraints if rows else None)

    def _objective(self, x: Array, y: Array) -> tuple[float, Array, Array]:
        value, jacobian = self._g(np.concatenate([x, y]))
        return float(value[0]), jacobian[0, : x.size], jacobian[0, x.size :]

    def _constraints(self, x: Array, y: Array) -> tuple[Array, Array, Array]:
        values, jacobians, z = [], [], np.concatenate([x, y])
        for side, equal in zip(self._sides, self._equal, strict=True):
            value, jacobian = side(z)
            for sign in (1.0, -1.0) if equal else (1.0,):
                values.append(sign * value)
                jacobians.append(sign * jacobian)
        jacobian = np.vstack(jacobians)
        return np.concatenate(values), jacobian[:, : x.size], jacobian[:, x.size :]

    def _inner(self, x: Array) -> LowerSolution:
        answer = self._solver(x)
        multipliers = [np.zeros(0)]
        for dual, equal in zip(answer.duals, self._equal, strict=True):
            multipliers.append(np.maximum(dual, 0.0))
            if equal:
                multipliers.append(np.maximum(-dual, 0.0))
        return LowerSolution(answer.y, np.concatenate(multipliers), slope=answer.slope)

    def solve(self, x: Any) -> LowerSolution:
        """Return the solver's answer at x, remembered for repeated questions."""
        return super().solve(vector(x, "x", self._n_x))

    def _pair(self, x: Any, y: Any) -> tuple[Array, Array, LowerSolution]:
        return super()._pair(x, vector(y, "y", self._n_y))


def _check(problem: Any, x_parameter: Any, y_variable: Any) -> None:
    if [id(p) for p in problem.parameters()] != [id(x_parameter)]:
        raise InputError("CvxpyLevel: the problem's only parameter must be x_parameter")
    if [id(v) for v in problem.variables()] != [id(y_variable)]:
        raise InputError("CvxpyLevel: the problem's only variable must be y_variable (no auxiliary ones)")
    if x_parameter.ndim > 1 or y_variable.ndim > 1:
        raise InputError("CvxpyLevel: x_parameter and y_variable must be scalars or vectors; reshape inside")
    marked = [k for k, v in y_variable.attributes.items() if v is not None and v is not False]
    if marked:
        raise InputError(f"CvxpyLevel: y_variable has attributes {marked}; write them as constraints")
    if not problem.is_dcp(dpp=True):
        raise InputError("CvxpyLevel: the problem is not DPP; see CVXPY's rules of disciplined parametrisation")
