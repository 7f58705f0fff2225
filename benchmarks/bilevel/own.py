"""Rows on the exact oracle: fixed points, one linear programme, projected Adam, SciPy, and cutplane's methods."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from scipy import optimize

from bilevel.descent import descend
from bilevel.oracle import Oracle, Stop, Trace
from bilevel.tasks import Task
from cutplane import BilevelProblem, BilevelSolver, SolutionMap

Array = np.ndarray
Answer = tuple[Array, dict[str, Any]]


def equal(task: Task, trace: Trace) -> Answer:
    """The start: equal weights, or equal penalties."""
    return task.start, {}


def truth(task: Task, trace: Trace) -> Answer:
    """Equal weights on the groups that deserve them, as large as the budget allows."""
    x = task.good.astype(float)
    return (x if task.cost is None else x * min(1.0, task.budget / float(task.cost @ x))), {}


def one_programme(task: Task, trace: Trace) -> Answer:
    """Hypergradient at the start, then the vertex of the set that it points to."""
    gradient = Oracle(task, trace).hypergradient(task.start)[1]
    rows = {} if task.cost is None else {"A_ub": task.cost[None], "b_ub": [task.budget]}
    x = optimize.linprog(gradient, **rows, bounds=[task.bounds] * task.start.size, method="highs").x
    with suppress(Stop):
        trace.note(x)
    return x, {}


def adam(task: Task, trace: Trace, rate: float) -> Answer:
    """Projected Adam on the exact hypergradient."""
    oracle = Oracle(task)
    return descend(task, lambda x: oracle.hypergradient(x)[1], rate, sigmoid=False, trace=trace), {}


def scipy_method(task: Task, trace: Trace) -> Answer:
    """L-BFGS-B on boxes, SLSQP under a budget, on the exact oracle."""
    oracle = Oracle(task, trace)
    options: dict[str, Any] = {"method": "L-BFGS-B"}
    if task.cost is not None:
        row = {"type": "ineq", "fun": lambda x: task.budget - task.cost @ x, "jac": lambda x: -task.cost}
        options = {"method": "SLSQP", "constraints": [row]}
    best = (np.inf, task.start)

    def asked(x: Array) -> tuple[float, Array]:
        nonlocal best
        value, gradient = oracle.hypergradient(x)
        if value < best[0] and task.violation(x) <= 1e-9:
            best = value, x.copy()
        return value, gradient

    bounds = [task.bounds] * task.start.size
    with suppress(Stop):
        optimize.minimize(asked, task.start, jac=True, bounds=bounds, options={"maxiter": 1000}, **options)
    return best[1], {}


def by_cutplane(task: Task, trace: Trace, method: str, formulation: str = "reduced", **options: Any) -> Answer:
    """One of the library's methods, as its documentation says to call it."""
    trace.strict = False
    oracle = Oracle(task, trace)
    problem = BilevelProblem(
        oracle.upper, SolutionMap(oracle.forward, oracle.vjp), task.x_set, convex=method in ("level", "proximal")
    )
    asked = 0

    def look(record: Any) -> bool:
        nonlocal asked
        asked = len(trace.points)
        return trace.spent

    solver = BilevelSolver(method=method, formulation=formulation, **options)
    y = oracle.forward(task.start) if formulation == "joint" else np.zeros(oracle.level.theta.size)
    result = solver.solve(problem, task.start, y, callback=look)
    trace.keep(asked)  # what the final check of the answer asks is no part of the run
    return result.x, {"status": result.status.name.lower(), "message": result.message}
