"""Fixtures shared by all tests."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cutplane import BilevelProblem, Free, SolutionMap

DATA_DIR = Path(os.environ.get("SIMMST_DATA_DIR", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Path of a real traffic file; the test is skipped where the file is missing."""

    def find(name: str) -> Path:
        path = DATA_DIR / name
        if not path.is_file():
            pytest.skip(f"{name} is not in {DATA_DIR} (set SIMMST_DATA_DIR)")
        return path

    return find


@dataclass(frozen=True)
class QuadraticBilevel:
    """A strongly convex quadratic bi-level problem and its solution in closed form."""

    problem: BilevelProblem
    x: np.ndarray
    y: np.ndarray
    fun: float
    reaction: np.ndarray
    """M of the lower level's solution map y*(x) = M x."""


@pytest.fixture(scope="session")
def quadratic_bilevel() -> Callable[..., QuadraticBilevel]:
    """Random min ½‖y − y_d‖² + (γ/2)‖x‖² over y = argmin ½yᵀHy − yᵀBx, with y*(x) = H⁻¹Bx."""

    def make(
        seed: int, n_x: int = 3, n_y: int = 4, gamma: float = 0.5, norm: str = "plain",
        x_set: Any = None, y_set: Any = None, constraints: Any = (), convex: bool = True,
    ) -> QuadraticBilevel:  # fmt: skip
        rng = np.random.default_rng(seed)
        root = rng.normal(size=(n_y, n_y))
        reaction = np.linalg.solve(root @ root.T + np.eye(n_y), rng.normal(size=(n_y, n_x)))
        wanted = rng.normal(size=n_y)

        def upper(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
            away = y - wanted
            return 0.5 * float(away @ away) + gamma / 2 * float(x @ x), gamma * x, away

        x = np.linalg.solve(reaction.T @ reaction + gamma * np.eye(n_x), reaction.T @ wanted)
        lower = SolutionMap(lambda x: reaction @ x, lambda x, v: reaction.T @ v, norm=norm)
        problem = BilevelProblem(upper, lower, x_set or Free(), y_set or Free(), constraints, convex=convex)
        return QuadraticBilevel(problem, x, reaction @ x, upper(x, reaction @ x)[0], reaction)

    return make
