"""How a certified gap closes: three methods on the largest of thirty planes, with a quadratic on top."""

import numpy as np
from gallery import BLUE, GREEN, ORANGE, picture, save

from cutplane import BilevelProblem, BilevelSolver, Box, SolutionMap

rng = np.random.default_rng(4)
SLOPES, HEIGHTS = rng.normal(size=(30, 12)), rng.normal(size=30)


def upper(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the largest of the planes at y, plus ‖y‖²/20, with a subgradient."""
    values = SLOPES @ y + HEIGHTS
    k = int(np.argmax(values))
    return float(values[k] + 0.05 * y @ y), 0 * x, SLOPES[k] + 0.1 * y


problem = BilevelProblem(upper, SolutionMap(lambda x: x, lambda x, v: v), x_set=Box(-1.0, 1.0), convex=True)
figure = picture(7, 3.4)
axes = figure.subplots()
zero = np.zeros(12)
optimum = BilevelSolver(method="level", formulation="reduced", tolerance=1e-9).solve(problem, zero, zero)
looks = {"level": (BLUE, "-"), "proximal": (GREEN, "--"), "linear": (ORANGE, ":")}
for method, (colour, dash) in looks.items():
    result = BilevelSolver(method=method, formulation="reduced").solve(problem, zero, zero)
    assert result.success, result.message
    columns = result.history.to_dict()
    best = np.maximum(columns["best"] - optimum.bound, 1e-9)
    axes.semilogy(columns["iteration"], best, dash, color=colour, label=f"{method}: best value so far")
    if np.isfinite(columns["bound"]).any():
        bound = np.maximum(optimum.fun - columns["bound"], 1e-9)
        axes.semilogy(columns["iteration"], bound, dash, color=colour, lw=0.8, alpha=0.7, label=f"{method}: bound")
axes.set(xlabel="iteration", ylabel="distance from the optimum", title="What is found, and what is proved")
axes.grid(alpha=0.3)
axes.legend(fontsize="small")
save(figure, __file__)
