"""A cut never removes a point that is feasible, and always removes the point it was made at."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cutplane import MuCut
from cutplane.core.cuts import gradient_cut, separates
from cutplane.core.model import Piece
from cutplane.core.pool import Kind
from cutplane.methods.base import cut
from cutplane.solver import BilevelSolver

SEEDS = st.integers(0, 10**6)


def random_convex(rng, n):
    """max of two convex quadratics plus a norm: nonsmooth, unbounded, with a feasible point."""
    roots, centers = rng.normal(size=(2, n, n)), rng.normal(size=(2, n))
    anchor, level = rng.normal(size=n), rng.uniform(0.5, 5)

    def h(z):
        pieces = [0.5 * float(((z - c) @ q) @ (q.T @ (z - c))) for q, c in zip(roots, centers, strict=True)]
        i = int(np.argmax(pieces))
        away = z - anchor
        length = float(np.linalg.norm(away))
        gradient = roots[i] @ (roots[i].T @ (z - centers[i])) + away / max(length, 1e-300)
        return pieces[i] + length - level, gradient

    return h


@given(SEEDS, st.integers(1, 6))
def test_a_gradient_cut_of_a_convex_function_never_removes_a_feasible_point(seed, n):
    rng = np.random.default_rng(seed)
    h = random_convex(rng, n)
    for _ in range(20):
        z = 3 * rng.normal(size=n)
        value, gradient = h(z)
        if value <= 0:
            continue
        plane = gradient_cut(Kind.GAP, z, value, gradient)
        assert separates(plane, z)
        for _ in range(20):
            u = 2 * rng.normal(size=n)
            if h(u)[0] <= 0:
                assert plane.normal @ u + plane.offset <= 1e-9 * (1 + np.abs(u).max() * np.abs(plane.normal).max())


@given(SEEDS, st.integers(1, 5), st.sampled_from(["trust-region", "ball"]), st.floats(0.05, 3.0))
def test_a_mu_cut_keeps_every_feasible_point_within_its_radius(seed, n, form, radius):
    rng = np.random.default_rng(seed)
    convex, mu = random_convex(rng, n), rng.uniform(0.1, 2)

    def h(z):  # h + (μ/2)‖·‖² is convex, h itself need not be
        value, gradient = convex(z)
        return value - mu / 2 * float(z @ z), gradient - mu * z

    rule, options = MuCut(mu, radius, form), BilevelSolver(cut=MuCut(mu, radius, form))
    for _ in range(20):
        z = rng.normal(size=n)
        if form == "ball":
            z *= min(1.0, radius / np.linalg.norm(z))
        value, gradient = h(z)
        if value <= 0:
            continue
        used = cut(Piece(Kind.GAP, value, gradient), z, options)
        plane = rule(Kind.GAP, z, value, gradient)
        # the slack that validity costs is never more than what separates, or the cut is skipped
        assert (used is not None) == (plane.normal @ z + plane.offset > 0)
        for _ in range(20):
            step = rng.normal(size=n)
            step *= radius * rng.uniform() / np.linalg.norm(step)
            u = step if form == "ball" else z + step
            if h(u)[0] <= 0:
                assert plane.normal @ u + plane.offset <= 1e-9 * (1 + np.abs(plane.normal).max())


def test_the_gradient_cut_of_a_nonconvex_function_does_remove_feasible_points():
    # why the μ-cut is there: h(u) = 1 − u² is feasible at both ends, and its tangent at 0.5 cuts one off
    plane = gradient_cut(Kind.GAP, np.array([0.5]), 0.75, np.array([-1.0]))
    assert plane.normal @ np.array([-1.5]) + plane.offset > 0
    kept = MuCut(2.0, 2.0)(Kind.GAP, np.array([0.5]), 0.75, np.array([-1.0]))
    assert kept.normal @ np.array([-1.5]) + kept.offset <= 0
