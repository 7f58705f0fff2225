"""A penalty for each feature, chosen by validation error: idle features are switched off, useful ones are not."""

import numpy as np
from gallery import BLUE, GREY, ORANGE, picture, save

from cutplane import BilevelProblem, BilevelSolver, Box, SolutionMap

rng = np.random.default_rng(1)
TRUTH = np.concatenate([[2.0, -1.5, 1.0], np.zeros(9)])
X, Z = rng.normal(size=(40, 12)), rng.normal(size=(200, 12))
t, u = X @ TRUTH + rng.normal(size=40), Z @ TRUTH + rng.normal(size=200)


def system(x: np.ndarray) -> np.ndarray:
    """Return the ridge's matrix at the logarithms x of the penalties."""
    return X.T @ X + np.diag(np.exp(x))


def forward(x: np.ndarray) -> np.ndarray:
    """Return the ridge's coefficients."""
    return np.linalg.solve(system(x), X.T @ t)


def vjp(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Differentiate the normal equations: one more solve."""
    return -np.exp(x) * forward(x) * np.linalg.solve(system(x), v)


def upper(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return half the mean squared validation error."""
    away = Z @ y - u
    return float(away @ away) / 400, np.zeros_like(x), Z.T @ away / 200


problem = BilevelProblem(upper, SolutionMap(forward, vjp), x_set=Box(-6.0, 8.0))
start = np.zeros(12)
result = BilevelSolver(method="linear", formulation="reduced").solve(problem, start, forward(start))
assert result.success, result.message

figure = picture(8, 3.4)
left, right = figure.subplots(1, 2)
feature = np.arange(1, 13)
left.bar(feature, result.x, color=np.where(TRUTH != 0, BLUE, GREY))
left.set(xlabel="feature (blue: useful)", ylabel="log penalty", title="Penalties: low where it matters")
right.plot(feature, TRUTH, "_", color="black", ms=14, label="truth")
right.plot(feature, forward(start), "o", color=ORANGE, mfc="none", label="one penalty for all")
right.plot(feature, result.y, "x", color=BLUE, label="a penalty each")
right.set(xlabel="feature", ylabel="coefficient", title="Coefficients")
for axes in (left, right):
    axes.grid(alpha=0.3, axis="y")
right.legend(fontsize="small")
save(figure, __file__)
