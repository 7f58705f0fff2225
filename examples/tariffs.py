"""A leader and a follower: what an evening limit costs a supplier whose customers shift their use."""

import numpy as np
from gallery import BLUE, GREEN, GREY, ORANGE, picture, save

from cutplane import BilevelProblem, BilevelSolver, Box, LinearConstraint, SolutionMap

HABIT, COST = np.array([3.0, 6.0, 9.0]), np.array([1.0, 2.0, 3.0])
Q = np.array([[2.0, -0.4, -0.4], [-0.4, 2.0, -0.4], [-0.4, -0.4, 2.0]])
PARTS = ("night", "day", "evening")


def solve(limit: float):
    """Return the most profitable tariffs when evening use may not exceed the limit."""
    problem = BilevelProblem(
        upper=lambda x, y: (float(-(x - COST) @ y), -y, -(x - COST)),
        lower=SolutionMap(lambda x: HABIT - np.linalg.solve(Q, x), lambda x, v: -np.linalg.solve(Q, v)),
        x_set=Box(0.0, 12.0),
        constraints=LinearConstraint(np.zeros((1, 3)), [[0.0, 0.0, 1.0]], [limit]),
        convex=True,  # true for the reduced formulation: the profit is concave in the tariffs
    )
    result = BilevelSolver(method="level", formulation="reduced").solve(problem, [2.0, 4.0, 11.0], np.zeros(3))
    assert result.success, result.message
    return result


limits = np.linspace(1.8, 4.2, 13)
results = [solve(limit) for limit in limits]
figure = picture(8, 3.4)
left, right = figure.subplots(1, 2)
left.plot(limits, [-r.fun for r in results], "o-", color=BLUE, label="profit found")
left.plot(limits, [-r.bound for r in results], "--", color=ORANGE, label="proved: no more than this")
left.set(xlabel="evening limit (kWh)", ylabel="profit (ct)", title="What the limit costs")
for k, (colour, dash) in enumerate(((GREY, ":"), (GREEN, "--"), (BLUE, "-"))):
    right.plot(limits, [r.x[k] for r in results], dash, color=colour, label=PARTS[k])
right.set(xlabel="evening limit (kWh)", ylabel="tariff (ct/kWh)", title="The tariffs that answer to it")
for axes in (left, right):
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
save(figure, __file__)
