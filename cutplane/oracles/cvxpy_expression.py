"""A CVXPY expression as a function of numbers, with one subgradient for all its variables together."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cutplane._arrays import Array
from cutplane._install import install_command
from cutplane.errors import OracleError


def cvxpy() -> Any:
    """CVXPY, which is an extra."""
    try:
        import cvxpy
    except ImportError:
        raise ModuleNotFoundError(f"CvxpyLevel needs cvxpy: {install_command('reference')}") from None
    return cvxpy


class Differentiable:
    """Values and Jacobian of an expression in the stacked values of some variables.

    Affine parts are differentiated once, when it is made; at a call CVXPY differentiates the other atoms alone.
    Each atom gives one element of its subdifferential, whichever variables are asked for: where x and y meet in
    a kink, the gradients in x and in y are halves of one subgradient.

    Parameters
    ----------
    expression : cvxpy.Expression
        Of no parameters.
    leaves : list of cvxpy.Variable
        Its variables, in the order in which their values are stacked.
    """

    def __init__(self, expression: Any, leaves: list[Any]) -> None:
        self._name = str(expression)
        self.size = expression.size
        self._atom: Any = None
        self._closed: Callable[..., tuple[Array, list[Array]]] | None = None
        self._inner: list[tuple[Any, Differentiable]] = []
        if expression.is_affine():
            n = sum(leaf.size for leaf in leaves)
            self._matrix, self._offset = _affine(expression, leaves, n)
            return
        expression = _with_gradient(expression)
        self._inner = [
            (_fresh(argument), Differentiable(argument, leaves))
            for argument in expression.args if not argument.is_constant()
        ]  # fmt: skip
        moving = iter(self._inner)
        atom = expression.copy([a if a.is_constant() else next(moving)[0] for a in expression.args])
        self._closed = _closed_form(atom)
        if atom.is_affine():  # a sum, say, of atoms that are not
            inside = [variable for variable, _ in self._inner]
            self._matrix, self._offset = _affine(atom, inside, sum(v.size for v in inside))
        else:
            self._atom = atom

    def value(self, z: Array) -> Array:
        """Values [k] at z, matrices column by column."""
        if self._atom is None:
            inner = np.concatenate([part.value(z) for _, part in self._inner]) if self._inner else z
            return np.asarray(self._matrix @ inner + self._offset)
        return self._numbers([part.value(z) for _, part in self._inner])

    def __call__(self, z: Array) -> tuple[Array, Array]:
        """Values [k] and Jacobian [k, n] at z."""
        if not self._inner:
            return np.asarray(self._matrix @ z + self._offset), self._matrix
        parts = [part(z) for _, part in self._inner]
        if self._atom is None:
            values = self._matrix @ np.concatenate([value for value, _ in parts]) + self._offset
            return np.asarray(values), np.asarray(self._matrix @ np.vstack([slope for _, slope in parts]))
        inside = [value for value, _ in parts]
        values = self._numbers(inside)
        jacobian = np.zeros((self.size, z.size))
        for slope, (_, inner) in zip(self._slopes(inside), parts, strict=True):
            jacobian += slope @ inner
        return values, jacobian

    def _numbers(self, inside: list[Array]) -> Array:
        if self._closed is not None:
            return self._closed(*inside)[0]
        self._set(inside)
        with np.errstate(all="ignore"):  # outside an atom's domain: infinite or NaN, which the caller looks at
            return np.ravel(self._atom.value, order="F").astype(float)

    def _slopes(self, inside: list[Array]) -> list[Array]:
        """The atom's Jacobian [k, m] in each of its arguments."""
        if self._closed is not None:
            return self._closed(*inside)[1]
        self._set(inside)
        try:
            slopes = self._atom.grad
        except Exception as error:  # of several kinds, without the atom's name
            raise OracleError(f"CvxpyLevel: CVXPY has no gradient of {self._name}: {error!r}") from None
        found = []
        for variable, part in self._inner:
            if slopes[variable] is None:
                raise OracleError(f"CvxpyLevel: {self._name} has no gradient here, on the rim of its domain")
            found.append(_dense(slopes[variable], part.size, self.size).T)
        return found

    def _set(self, inside: list[Array]) -> None:
        for (variable, _), value in zip(self._inner, inside, strict=True):
            variable.value = value.reshape(variable.shape, order="F")


def _closed_form(atom: Any) -> Callable[..., tuple[Array, list[Array]]] | None:
    """The atom as a function of its arguments with its Jacobians, where that is a line (CVXPY takes 1 ms)."""
    cp = cvxpy()

    moving = [not a.is_constant() for a in atom.args]
    if isinstance(atom, cp.multiply) and all(moving) and all(a.shape == atom.shape for a in atom.args):
        return lambda u, v: (u * v, [np.diag(v), np.diag(u)])
    if isinstance(atom, cp.atoms.affine.binary_operators.MulExpression) and all(moving):
        if [a.ndim for a in atom.args] == [1, 1]:
            return lambda u, v: (np.array([u @ v]), [v[None, :], u[None, :]])
    one = atom.is_scalar() and moving == [True, False]
    if isinstance(atom, cp.quad_over_lin) and one and atom.args[1].is_scalar():
        share = float(atom.args[1].value)
        return lambda u: (np.array([u @ u / share]), [2.0 / share * u[None, :]])
    if isinstance(atom, cp.norm1) and atom.axis is None:
        return lambda u: (np.array([np.abs(u).sum()]), [np.sign(u)[None, :]])
    if isinstance(atom, cp.abs):
        return lambda u: (np.abs(u), [np.diag(np.sign(u))])
    powers = cp.atoms.elementwise.power
    kind: Any = getattr(powers, "Power", None) or powers.power  # its name in older ones
    if isinstance(atom, kind):
        p = float(atom.p.value) if np.ndim(atom.p.value) == 0 else np.nan
        if p > 1:  # CVXPY has no gradient of a power such as 3/2 at 0, where it is 0

            def power(u: Array) -> tuple[Array, list[Array]]:
                inside = u if p % 2 == 0 else np.where(u >= 0, u, np.nan)
                return inside**p, [np.diag(p * inside ** (p - 1))]

            return power
    return None


def _affine(expression: Any, variables: list[Any], n: int) -> tuple[Array, Array]:
    """Matrix [k, n] and offset [k] of an affine expression."""
    for variable in variables:
        variable.value = np.zeros(variable.shape)
    offset = np.ravel(expression.value, order="F").astype(float)
    matrix = np.zeros((expression.size, n))
    slopes, start = ({} if expression.is_constant() else expression.grad), 0
    for variable in variables:
        if variable in slopes:
            matrix[:, start : start + variable.size] = _dense(slopes[variable], variable.size, expression.size).T
        start += variable.size
    return matrix, offset


def _dense(slope: Any, rows: int, columns: int) -> Array:
    dense = slope.toarray() if hasattr(slope, "toarray") else np.asarray(slope, dtype=float)
    return np.asarray(dense.reshape(rows, columns))


def _fresh(argument: Any) -> Any:
    return cvxpy().Variable(argument.shape)


def _with_gradient(expression: Any) -> Any:
    """The same function by atoms that CVXPY differentiates: it has no gradient of the maximum norm."""
    cp = cvxpy()
    if isinstance(expression, cp.norm_inf):
        return cp.max(cp.abs(expression.args[0]), axis=expression.axis, keepdims=expression.keepdims)
    return expression
