"""Whether a point can be left downhill at once: a search by the follower's true answers, without any gradient."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from .small import Small
from .terms import Array

STEPS = (1e-4, 1e-3, 1e-2)
"""Lengths of a way (unit variables), at all of which F must be lower: not merely another basin far away."""
SLOPE = 1e-3
"""By how much, per unit length and relative to max(1, |F|)."""
DIRECTIONS = 300


def way_down(case: Small, u: Array, v: Array) -> str:
    """A direction of first-order descent from (u, v*(u)), in words; empty where the search finds none.

    The variables are u and, where the follower has several answers, the answer's parameters: the optimistic leader
    may choose among them. All points on the way are feasible.
    """
    rng = np.random.default_rng([case.seed, 8])
    t = case.follower.tie_of(u, v)
    base = case.scale_f * case.fun.value(np.concatenate([u, case.follower.answers(u[None], t[None])[0]]))
    if not np.isfinite(base):
        return ""
    allowed = SLOPE * max(1.0, abs(base))
    D = _directions(case, u, t, rng)
    lower = np.ones(len(D), dtype=bool)
    slopes = np.full(len(D), -np.inf)
    for step in STEPS:
        values = case.values(u + step * D[:, : u.size], t + step * D[:, u.size :])
        outside = np.any((t + step * D[:, u.size :] < 0) | (t + step * D[:, u.size :] > 1), axis=1)
        slope = np.where(outside, np.inf, (values - base) / step)
        slopes = np.maximum(slopes, slope)
        lower &= slope < -allowed
    if not lower.any():
        return ""
    best = int(np.argmin(np.where(lower, slopes, np.inf)))
    return f"F {base:.8g} falls by {-slopes[best]:.3g} per unit along {np.array2string(D[best], precision=3)}"


def _directions(case: Small, u: Array, t: Array, rng: np.random.Generator) -> Array:
    """Unit directions [k, n_x + ties], random, coordinate and downhill, that do not leave the sets at once."""
    n = u.size + t.size
    points = np.hstack([case.place_x.sample(rng, DIRECTIONS), rng.uniform(size=(DIRECTIONS, t.size))])
    random = rng.normal(size=(DIRECTIONS, n))
    D = np.vstack([np.eye(n), -np.eye(n), random, points - np.append(u, t), _downhill(case, u, t, rng)])
    D[:, : u.size] = case.place_x.flat(D[:, : u.size])
    # what leaves the bounds at once is taken off
    w, near = np.append(u, t), 2e-8
    low, high = np.append(case.place_x.lower, np.zeros(t.size)), np.append(case.place_x.upper, np.ones(t.size))
    D = np.where(((w <= low + near) & (D < 0)) | ((w >= high - near) & (D > 0)), 0.0, D)
    D[:, : u.size] = case.place_x.flat(D[:, : u.size])
    length = np.linalg.norm(D, axis=1)
    return D[length > 1e-9] / length[length > 1e-9][:, None]


def _downhill(case: Small, u: Array, t: Array, rng: np.random.Generator) -> Array:
    """Minus the slopes at points nearby, and minus the shortest mixture of them (gradient sampling) [k, n]."""
    w = np.append(u, t)
    near = w + 3e-5 * rng.uniform(-1, 1, size=(3 * w.size, w.size))
    h, eye = 1e-7, np.eye(w.size)
    points = np.vstack([near[:, None] + h * eye, near[:, None] - h * eye]).reshape(-1, w.size)
    V = case.follower.answers(points[:, : u.size], points[:, u.size :])
    values = case.fun.values(np.hstack([points[:, : u.size], V])).reshape(2, len(near), w.size)
    slopes = (values[0] - values[1]) / (2 * h)
    slopes = slopes[np.isfinite(slopes).all(axis=1)]
    if not len(slopes):
        return np.zeros((0, w.size))
    # shortest Σ λ g with Σ λ = 1, λ ≥ 0, by non-negative least squares with a heavy row for the sum
    weights, _ = nnls(np.vstack([slopes.T, np.full(len(slopes), 1e3)]), np.append(np.zeros(w.size), 1e3))
    return -np.vstack([slopes, weights @ slopes])
