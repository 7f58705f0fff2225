"""A CVXPY problem with its parameter as a variable, so that one dual is the gradient of the optimal value."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cutplane._arrays import Array
from cutplane.errors import InputError
from cutplane.oracles.cvxpy_expression import Differentiable, cvxpy


def replaced(expression: Any, leaves: dict[int, Any]) -> Any:
    """A copy of an expression with other leaves, by the ids of the old ones."""
    if id(expression) in leaves:
        return leaves[id(expression)]
    if not expression.args:
        return expression
    return expression.copy([replaced(argument, leaves) for argument in expression.args])


@dataclass
class Form:
    """min over y of a problem's objective, written in a copy x̂ of the parameter x with the row x̂ = x.

    With the multiplier ν of that row, ∇v(x) = −ν: right as well where a nonsmooth atom holds x and y together, for
    which the gradients of the atoms alone do not tell how y moves with x. A product of x with a function A(y) is
    not convex in both: it becomes a variable z with a row z = x·A(y) that keeps the parameter, and the
    multiplier λ of that row adds −λ·A(y). Where A is not affine, z = x·w with w ≥ A(y) (w ≤ A(y) where A is
    concave): the rules of disciplined programming let such a product stand only where a larger w does not help.

    Attributes
    ----------
    objective : cvxpy.Expression
        To be minimised.
    rows : list of cvxpy.Expression
        Each ≤ 0, or = 0 where `equal` says so.
    equal : list of bool
    own : list of cvxpy.Constraint
        The rows that the form brings with it.
    """

    x: Any
    objective: Any
    rows: list[Any]
    equal: list[bool]
    own: list[Any] = field(default_factory=list)
    _pin: Any = None
    _products: list[tuple[Any, Differentiable, list[Any]]] = field(default_factory=list)

    @property
    def convex_in_x(self) -> bool:
        """Whether x enters without products, so that v and the least violation are convex in x."""
        return not self._products

    def slope(self, x: Array) -> Array:
        """∇v(x) after a solve, from the multipliers and y's value."""
        total = np.zeros(x.size)
        if self._pin is not None:
            total -= np.ravel(self._pin.dual_value, order="F")
        for row, product, still in self._products:
            fixed = [np.ravel(argument.value, order="F") for argument in still]
            jacobian = product(np.concatenate([x, *fixed]))[1][:, : x.size]
            total -= np.ravel(row.dual_value, order="F") @ jacobian
        return total


def form(objective: Any, rows: list[Any], equal: list[bool], x: Any) -> Form:
    """Bring a problem that is DPP in x into the form.

    Raises
    ------
    InputError
        Where it is not convex in that form.
    """
    cp = cvxpy()
    # a copy of x that knows its sign makes more compositions convex, but its bound has a multiplier of its own
    signs = {name: True for name in ("nonneg", "nonpos") if x.attributes.get(name)}
    for attributes in [{}, signs] if signs else [{}]:
        copy = cp.Variable(x.shape, **attributes)
        new = Form(x, None, [], equal)
        new.objective = _lifted(objective, copy, new)
        new.rows = [_lifted(row, copy, new) for row in rows]
        used = [new.objective, *new.rows]
        if any(copy.id == v.id for e in used for v in e.variables()):
            new._pin = copy == x
            new.own.append(new._pin)
        if problem(new).is_dcp(dpp=True):
            return new
    raise InputError(
        "CvxpyLevel: with x as a variable the problem does not follow CVXPY's rules of convexity, so that no dual "
        "gives the gradient in x; write products of x and y apart from other functions of x"
    )


def problem(form: Form) -> Any:
    """The problem of a form, whose first constraints are those of its rows, in order."""
    cp = cvxpy()
    rows = [row == 0 if same else row <= 0 for row, same in zip(form.rows, form.equal, strict=True)]
    return cp.Problem(cp.Minimize(form.objective), rows + form.own)


def _lifted(expression: Any, copy: Any, form: Form) -> Any:
    if not expression.parameters():
        return expression
    if expression is form.x:
        return copy
    if _is_product(expression):
        return _product(expression, form)
    return expression.copy([_lifted(argument, copy, form) for argument in expression.args])


def _is_product(expression: Any) -> bool:
    """Whether functions of x alone and of y alone are multiplied."""
    cp = cvxpy()
    of_x = [bool(a.parameters()) for a in expression.args]
    of_y = [bool(a.variables()) for a in expression.args]
    if not (any(of_x) and any(of_y)) or any(a and b for a, b in zip(of_x, of_y, strict=True)):
        return False
    fresh = [cp.Variable(a.shape) if a.parameters() or a.variables() else a for a in expression.args]
    return isinstance(expression, cp.atoms.affine.affine_atom.AffAtom) and not expression.copy(fresh).is_affine()


def _product(expression: Any, form: Form) -> Any:
    cp = cvxpy()
    arguments, moving = [], cp.Variable(form.x.shape)
    for argument in expression.args:
        if argument.variables() and not argument.is_affine():
            bound = cp.Variable(argument.shape)
            form.own.append(bound >= argument if argument.is_convex() else bound <= argument)
            arguments.append(bound)
        else:
            arguments.append(argument)
    result = cp.Variable(expression.shape)
    row = result == expression.copy(arguments)
    form.own.append(row)
    # the product as a function of x and of the rest, for its gradient in x
    still = [a for a in expression.args if a.variables()]
    fresh = [cp.Variable(a.shape) for a in still]
    leaves = {id(a): variable for a, variable in zip(still, fresh, strict=True)} | {id(form.x): moving}
    form._products.append((row, Differentiable(replaced(expression, leaves), [moving, *fresh]), still))
    return result
