"""What planes certify of the point found: bounds in closed form, and what contradicts them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, BilevelSolver, Box, SolutionMap
from cutplane.core.formulations import build_model
from cutplane.masters.certificate import Bound
from cutplane.options import Options
from cutplane.run.certified import bounded, closed, promise_over_set, uncontradicted
from cutplane.run.found import evaluate_found


def at(x, curvature, slope=1.0, dtype=float):
    """The point x of F = slope·x + curvature·x²/2 on [−1, 1], with no plane but its own."""
    problem = BilevelProblem(
        lambda x, y: (float(slope * x[0] + 0.5 * curvature * x[0] ** 2), slope + curvature * x, 0 * y),
        SolutionMap(lambda x: x, lambda x, v: v), Box(-1, 1), convex=True,
    )  # fmt: skip
    model = build_model(problem, "reduced", 1, 1, (1.0, 1.0), 0.0)
    state = BilevelSolver(formulation="reduced").init(problem, np.array([x], dtype), np.array([x], dtype))
    state.point = state.best = np.array([x], dtype)
    state.best_fun = slope * x + 0.5 * curvature * x**2
    return model, state, evaluate_found(problem, model, state)


@settings(max_examples=15, deadline=None)
@given(st.floats(-1, 1), st.floats(0, 5))
def test_the_bound_is_the_lower_end_of_the_points_own_tangent(x, curvature):
    """The tangent at x has the slope 1 + c x: its least on [−1, 1] lies below F(x) by (1 + c x) x + |1 + c x|."""
    model, state, found = at(x, curvature)
    tangent = 1 + curvature * x
    fall = tangent * x + abs(tangent)
    bound, against = bounded(Options(), model, state, found)
    assert against is None and bound.radius == np.inf
    assert bound.value == pytest.approx(found.fun - fall, abs=1e-9)
    assert promise_over_set(Options(), model, state, found) == pytest.approx(fall, abs=1e-9)
    assert closed(model, state, Options()) == (fall <= 2e-6 * max(1.0, abs(found.fun)))


def test_a_concave_function_contradicts_its_own_tangent():
    """F = x − x² at 0.2: the tangent's least on [−1, 1] is −0.56, and F(−1) = −2."""
    model, state, found = at(0.2, -2.0)
    _, against = bounded(Options(), model, state, found)
    assert against is not None and "feasible point" in against


def test_in_float32_nothing_is_certified_and_so_nothing_is_open():
    model, state, _ = at(0.5, 1.0, dtype=np.float32)
    assert closed(model, state, Options())
    model, state, _ = at(0.5, 1.0)
    assert not closed(model, state, Options())


@pytest.mark.parametrize(("fun", "inside"), [(1.0, 1e-6), (1e3, 1e-3)])
def test_a_gap_up_to_twice_the_tolerance_of_the_value_contradicts_nothing(fun, inside):
    assert uncontradicted(None, fun, Options())
    assert uncontradicted(Bound(fun - 1.9 * inside, np.inf), fun, Options())
    assert not uncontradicted(Bound(fun - 2.1 * inside, np.inf), fun, Options())
