"""A lower level written as a CVXPY problem whose parameter is x and whose variable is y."""

from typing import Any

import numpy as np

from cutplane._arrays import Array
from cutplane.errors import InputError, OracleError
from cutplane.oracles.value_function import LowerSolution, ValueFunction


class CvxpyLevel(ValueFunction):
    """Gap g(x, y) − v(x) of a CVXPY problem; the gradient of v comes from the duals.

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
        For a problem of another form.

    Notes
    -----
    ∇v(x) is the gradient in x of the Lagrangian at (y*, duals): the problem's expressions are copied with
    x as a variable and y as a parameter, and CVXPY differentiates them. An interior-point solver gives v to
    about 1e-8 relative: solve the bi-level problem with ``epsilon`` of 1e-7 or more. An x without feasible
    y is an `OracleError`: keep it out by `x_set`.
    """

    def __init__(self, problem: Any, x_parameter: Any, y_variable: Any, **options: Any) -> None:
        cp = _cvxpy()
        _check(problem, x_parameter, y_variable)
        self._options = options or {
            "solver": "CLARABEL", "tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10,
        }  # fmt: skip
        self._x, self._y = x_parameter, y_variable
        sign = -1 if isinstance(problem.objective, cp.Maximize) else 1
        objective = sign * problem.objective.expr
        rows = list(problem.constraints)
        for row in rows:
            if not isinstance(row, cp.constraints.nonpos.Inequality | cp.constraints.zero.Equality):
                raise InputError(
                    f"CvxpyLevel: constraints must be equalities or inequalities, not {type(row).__name__}; write "
                    "a cone as a norm inequality"
                )
        self._problem = cp.Problem(cp.Minimize(objective), rows)
        self._equal = [isinstance(row, cp.constraints.zero.Equality) for row in rows]
        self._rows = rows
        expressions = [objective] + [row.args[0] - row.args[1] for row in rows]
        # copies with plain leaves: x and y may then take values that attributes would refuse
        x, y = self._x, self._y
        self._along_x = _Copy(expressions, x, cp.Variable(x.shape), y, cp.Parameter(y.shape))
        self._along_y = _Copy(expressions, y, cp.Variable(y.shape), x, cp.Parameter(x.shape))
        super().__init__(self._objective, self._inner, self._constraints if rows else None)

    def _objective(self, x: Array, y: Array) -> tuple[float, Array, Array]:
        value, g_x = self._along_x(0, x, y)
        _, g_y = self._along_y(0, y, x)
        return float(value[0]), g_x[0], g_y[0]

    def _constraints(self, x: Array, y: Array) -> tuple[Array, Array, Array]:
        values, j_x, j_y = [], [], []
        for i, equal in enumerate(self._equal, start=1):
            value, rows_x = self._along_x(i, x, y)
            rows_y = self._along_y(i, y, x)[1]
            for sign in (1.0, -1.0) if equal else (1.0,):
                values.append(sign * value)
                j_x.append(sign * rows_x)
                j_y.append(sign * rows_y)
        return np.concatenate(values), np.vstack(j_x), np.vstack(j_y)

    def _inner(self, x: Array) -> LowerSolution:
        self._x.value = x.astype(float).reshape(self._x.shape)
        self._problem.solve(**self._options)
        if self._problem.status != "optimal":
            raise OracleError(f"CvxpyLevel: the lower level is {self._problem.status} at x = {x}")
        duals = []
        for row, equal in zip(self._rows, self._equal, strict=True):
            dual = np.ravel(row.dual_value, order="F")
            duals += [np.maximum(dual, 0.0), np.maximum(-dual, 0.0)] if equal else [np.maximum(dual, 0.0)]
        y = np.ravel(self._y.value).astype(float)
        return LowerSolution(y, np.concatenate(duals) if duals else np.zeros(0))


class _Copy:
    """The problem's expressions as functions of one leaf, with the other held fixed."""

    def __init__(self, expressions: list[Any], moving: Any, variable: Any, held: Any, parameter: Any) -> None:
        leaves = {id(moving): variable, id(held): parameter}
        self._variable, self._parameter = variable, parameter
        self._expressions = [_replace(e, leaves) for e in expressions]

    def __call__(self, index: int, moving: Array, held: Array) -> tuple[Array, Array]:
        """Values [k] and jacobian [k, n] of one expression."""
        self._variable.value = moving.reshape(self._variable.shape)
        self._parameter.value = held.reshape(self._parameter.shape)
        expression, n = self._expressions[index], moving.size
        value = np.ravel(expression.value, order="F").astype(float)
        if expression.is_constant():
            return value, np.zeros((value.size, n))
        slope = expression.grad[self._variable]
        if slope is None:
            raise OracleError(f"CvxpyLevel: {expression} has no gradient at {moving}")
        dense = slope.toarray() if hasattr(slope, "toarray") else np.asarray(slope, dtype=float)
        return value, np.asarray(dense.reshape(n, value.size).T)


def _replace(expression: Any, leaves: dict[int, Any]) -> Any:
    if id(expression) in leaves:
        return leaves[id(expression)]
    if not expression.args:
        return expression
    return expression.copy([_replace(argument, leaves) for argument in expression.args])


def _cvxpy() -> Any:
    try:
        import cvxpy
    except ImportError:
        raise ModuleNotFoundError("CvxpyLevel needs cvxpy: pip install 'cutplane[reference]'") from None
    return cvxpy


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
