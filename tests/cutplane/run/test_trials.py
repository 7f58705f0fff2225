"""Trial points beside a reference: y follows x, and what the leader chose of several answers is kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, BilevelSolver, Box, QuadraticLevel
from cutplane.core.formulations import build_model
from cutplane.options import Options
from cutplane.run.trials import Trials

SHARES = st.floats(0.05, 0.95)


def tied(share):
    """y₁ = x, and any y₂ in [−1, 1]: F = x² + (y₂ − s)² has its least at the leader's choice y₂ = s."""
    lower = QuadraticLevel(
        Q=np.diag([1.0, 0.0]), P=[[-1.0], [0.0]], c=[0.0, 0.0], lower=[-np.inf, -1.0], upper=[np.inf, 1.0]
    )
    return BilevelProblem(
        lambda x, y: (float(x @ x + (y[1] - share) ** 2), 2 * x, np.array([0.0, 2 * (y[1] - share)])), lower,
        Box(-3, 3),
    )  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(SHARES, st.floats(-0.5, 0.5))
def test_the_choice_among_several_answers_is_kept_where_x_moves(share, step):
    problem = tied(share)
    state = BilevelSolver("linear").init(problem, [1.0], [1.0, share])
    model = build_model(problem, "joint", 1, 2, (1.0, 1.0), 1e-10)
    state.best = np.array([1.0, 1.0, share])
    trials = Trials(model, state, Options())
    fun, point = trials.value(state.best + np.array([step, 0.0, 0.0]))
    assert fun == pytest.approx((1.0 + step) ** 2, abs=1e-6)
    np.testing.assert_allclose(point, [1.0 + step, 1.0 + step, share], atol=1e-4)
