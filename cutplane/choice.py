"""`minimise`: a formulation and a method by what the problem declares, and the choice said with the result."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cutplane.errors import InputError
from cutplane.methods import Level, Linear, Method, OuterApproximation, PrimalDual
from cutplane.problem import BilevelProblem, start_point
from cutplane.result import Result
from cutplane.solver import BilevelSolver, Callback

_FEW = 10
"""Variables of a problem that is not convex up to which linear masters are the faster way in the reduced form."""


def minimise(
    problem: BilevelProblem, x0: Any, y0: Any, *, callback: Callback | Sequence[Callback] | None = None,
    **options: Any,
) -> Result:  # fmt: skip
    """Solve a problem with the formulation and the method that fit what it declares; the message says which.

    - Reduced where the lower level has ``solution`` and ``vjp`` and both answer at x0, else joint.
    - `OuterApproximation` where x has whole numbers.
    - `Level` where the problem is declared convex: it ends with a certified gap.
    - Others in the reduced form: `Linear` up to ten variables, `PrimalDual` above. Linear masters learn one slope
      a plane: on ``min ½‖tanh(Sx) − t‖² + 0.02‖x‖²`` in a box they took 24 iterations in 2 variables, 220 in 10,
      1700 in 30 and more than 4900 in 100, the primal-dual steps 500 to 550.
    - Others in the joint form: `Linear`. On the same problem it came to rest where n_x ≤ 10, and after 12 seconds
      was at a lower F than the primal-dual steps up to n_x = 60 (0.79 to 1.91 at 30, 3.93 to 6.52 at 60).

    It is one choice, not a search: a problem that is not convex may have better local solutions, and another
    method or start may find them.

    Parameters
    ----------
    problem : BilevelProblem
    x0 : array_like of shape (n_x,)
    y0 : array_like of shape (n_y,)
        In the reduced form only its length counts.
    callback : callable or sequence of callables, optional
        As of `BilevelSolver.solve`.
    **options : Any
        Of `Options`, but for the formulation: ``minimise(problem, x0, y0, tolerance=1e-8)``.

    Raises
    ------
    InputError
        For a method or a formulation among the options: with one of your own choice take `BilevelSolver`; and for
        whatever `BilevelSolver.solve` refuses.

    Examples
    --------
    >>> import numpy as np
    >>> from cutplane import BilevelProblem, Box, SolutionMap, minimise
    >>> problem = BilevelProblem(
    ...     upper=lambda x, y: (float((y - 2) @ (y - 2)) / 2, 0 * x, y - 2),
    ...     lower=SolutionMap(forward=lambda x: x, vjp=lambda x, v: v),
    ...     x_set=Box(0, 1), convex=True)
    >>> minimise(problem, x0=[0.5], y0=[0.0]).message
    'level, reduced: the certified gap is within the tolerance'
    """
    for name in ("method", "formulation"):
        if name in options:
            raise InputError(f"minimise chooses the {name}: with one of your own take BilevelSolver({name}=...)")
    if not isinstance(problem, BilevelProblem):
        raise InputError(f"problem must be a BilevelProblem, not {type(problem).__name__}; then come x0 and y0")
    x = start_point(x0, "x0", problem.x_set)
    formulation = "reduced" if _answers(problem, x) else "joint"
    few = formulation == "joint" or x.size <= _FEW
    whole = bool(np.any(getattr(problem.x_set, "integer", False)))
    method: Method = Level() if problem.convex else Linear() if few else PrimalDual()
    if whole:
        method = OuterApproximation()
    solver = BilevelSolver(method, formulation=formulation, **options)
    result = solver.solve(problem, x, y0, callback=callback)
    return replace(result, message=f"{method.name}, {formulation}: {result.message}")


def _answers(problem: BilevelProblem, x: Any) -> bool:
    """Whether the lower level says at x what the reduced form asks of it."""
    solution, vjp = (getattr(problem.lower, name, None) for name in ("solution", "vjp"))
    if not callable(solution) or not callable(vjp):
        return False
    try:
        y = np.asarray(solution(x.copy()))
        return bool(np.isfinite(y).all() and np.isfinite(vjp(x.copy(), np.ones_like(y))).all())
    except Exception:  # no answer here, or several; the joint form does without, or says in words what is wrong
        return False
