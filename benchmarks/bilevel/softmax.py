"""The lower level of all tasks: softmax regression with weighted samples and a penalty for each coefficient."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

Array = np.ndarray
_STALE = 12
"""Conjugate-gradient steps in one Newton step after which the preconditioner is made anew."""
_DENSE = 2500
"""Coefficients up to which the preconditioner is the Hessian's own Cholesky factor."""


def probabilities(scores: Array) -> Array:
    """Softmax along the classes."""
    out = np.exp(scores - scores.max(axis=1, keepdims=True))
    out /= out.sum(axis=1, keepdims=True)
    return out


def cross_entropy(scores: Array, labels: Array) -> Array:
    """Loss of each sample [n]."""
    top = scores.max(axis=1)
    return top + np.log(np.exp(scores - top[:, None]).sum(axis=1)) - scores[np.arange(labels.size), labels]


class Softmax:
    """g(θ) = (1/n) Σ_j s_j CE_j(θ) + ½ Σ r_fc θ_fc², solved by Newton's method.

    Newton's equations are solved by conjugate gradients behind the Cholesky factor of an earlier Hessian, which is
    made anew when it has become stale: at the next weights that an outer method asks for, a solve costs tens of
    passes over the samples.

    Parameters
    ----------
    features : ndarray of shape (n, p)
    labels : ndarray of int, shape (n,)
    classes : int
    tolerance : float
        Largest entry of the gradient at which θ counts as the solution.
    """

    def __init__(self, features: Array, labels: Array, classes: int, tolerance: float = 1e-8) -> None:
        self.X, self.labels, self.classes, self.tolerance = features, labels, classes, tolerance
        self.hot = np.eye(classes)[labels]
        self.theta = np.zeros((features.shape[1], classes))
        self._factor: Any = None
        self.passes = 0

    def gradient(self, theta: Array, s: Array, r: Array) -> tuple[Array, Array]:
        """Gradient [p, C] and the probabilities [n, C] it came from."""
        P = probabilities(self.X @ theta)
        self.passes += 1
        return self.X.T @ ((P - self.hot) * (s / s.size)[:, None]) + r * theta, P

    def value(self, theta: Array, s: Array, r: Array) -> float:
        """G at θ."""
        return float(s @ cross_entropy(self.X @ theta, self.labels) / s.size + 0.5 * np.sum(r * theta**2))

    def solve(self, s: Array, r: Array) -> Array:
        """Solution [p, C], from where the last solve ended."""
        theta = self.theta
        gradient, P = self.gradient(theta, s, r)
        for _ in range(100):
            size = np.abs(gradient).max()
            if size <= self.tolerance:
                break
            step = self._newton(gradient, P, s, r, accuracy=min(0.1, np.sqrt(size)))
            theta, gradient, P = self._search(theta, step, gradient, s, r)
        else:
            raise RuntimeError(f"Newton's method did not converge: gradient {size:.1e}")
        self.theta, self._at = theta, (P, s, r)
        return theta

    def _search(
        self, theta: Array, step: Array, gradient: Array, s: Array, r: Array
    ) -> tuple[Array, Array, Array]:
        """Halve the step until the slope along it says that it is not too long (the objective is convex)."""
        slope, length = float(np.sum(gradient * step)), 1.0
        while True:
            trial = theta - length * step
            ahead, P = self.gradient(trial, s, r)
            if np.sum(ahead * step) >= -0.5 * slope or length < 1e-8:
                return trial, ahead, P
            length *= 0.5

    def adjoint(self, v: Array) -> Array:
        """H⁻¹v at the solution found last, [p, C]."""
        P, s, r = self._at
        return self._newton(v, P, s, r, accuracy=1e-7)

    def pull(self, adjoint: Array, theta: Array) -> tuple[Array, Array]:
        """(vᵀ∂θ/∂s [n], vᵀ∂θ/∂r [p, C]) for the adjoint H⁻¹v."""
        P = self._at[0]
        return -np.sum((self.X @ adjoint) * (P - self.hot), axis=1) / self.labels.size, -adjoint * theta

    def _apply(self, V: Array, P: Array, s: Array, r: Array) -> Array:
        """Hessian times V."""
        D = self.X @ V
        D = P * (D - np.sum(P * D, axis=1, keepdims=True))
        self.passes += 1
        return self.X.T @ (D * (s / s.size)[:, None]) + r * V

    def _newton(self, b: Array, P: Array, s: Array, r: Array, accuracy: float) -> Array:
        if self._factor is None:
            self._refresh(P, s, r)
        x, steps = self._conjugate_gradients(b, P, s, r, accuracy)
        if steps > _STALE:
            self._factor = None
        return x

    def _conjugate_gradients(self, b: Array, P: Array, s: Array, r: Array, accuracy: float) -> tuple[Array, int]:
        x, residual = np.zeros_like(b), b.copy()
        if not b.any():
            return x, 0
        z = self._precondition(residual)
        direction, product = z, float(np.sum(residual * z))
        target = accuracy * np.linalg.norm(b)
        for steps in range(1, 1000):  # noqa: B007 - returned
            H = self._apply(direction, P, s, r)
            length = product / float(np.sum(direction * H))
            x = x + length * direction
            residual = residual - length * H
            if np.linalg.norm(residual) <= target:
                break
            z = self._precondition(residual)
            before, product = product, float(np.sum(residual * z))
            direction = z + (product / before) * direction
        return x, steps

    def _precondition(self, v: Array) -> Array:
        if isinstance(self._factor, np.ndarray):
            return v / self._factor
        return linalg.cho_solve(self._factor, v.ravel(order="F"), check_finite=False).reshape(v.shape, order="F")

    def _refresh(self, P: Array, s: Array, r: Array) -> None:
        """Factorise the Hessian; its diagonal alone where it is large."""
        weights, (p, C) = s / s.size, r.shape
        if r.size > _DENSE:
            self._factor = (self.X**2).T @ (P * (1 - P) * weights[:, None]) + r
            return
        H = np.empty((C, p, C, p))
        for c in range(C):
            for d in range(c, C):
                curve = P[:, c] * ((c == d) - P[:, d]) * weights
                H[c, :, d, :] = self.X.T @ (self.X * curve[:, None])
                H[d, :, c, :] = H[c, :, d, :].T
        H = H.reshape(C * p, C * p)
        H[np.diag_indices(C * p)] += r.ravel(order="F")
        self.passes += C * (C + 1) // 2
        self._factor = linalg.cho_factor(H, lower=True, overwrite_a=True, check_finite=False)


class Steps(Softmax):
    """K plain gradient steps from θ = 0 in place of the solution, with their derivative (the paper's φ^K)."""

    def __init__(self, features: Array, labels: Array, classes: int, count: int, length: float) -> None:
        super().__init__(features, labels, classes)
        self.count, self.length = count, length

    def solve(self, s: Array, r: Array) -> Array:
        """θ after K steps."""
        theta, self._path = np.zeros_like(self.theta), []
        for _ in range(self.count):
            gradient, P = self.gradient(theta, s, r)
            self._path.append((theta, P))
            theta = theta - self.length * gradient
        self.theta, self._given = theta, (s, r)
        return theta

    def pull_through(self, v: Array) -> tuple[Array, Array]:
        """(vᵀ∂θ/∂s [n], vᵀ∂θ/∂r [p, C]) back through the steps."""
        (s, r), alpha = self._given, v
        by_sample, by_penalty = np.zeros(s.size), np.zeros_like(r)
        for theta, P in reversed(self._path):
            by_sample -= self.length * np.sum((self.X @ alpha) * (P - self.hot), axis=1) / s.size
            by_penalty -= self.length * alpha * theta
            alpha = alpha - self.length * self._apply(alpha, P, s, r)
        return by_sample, by_penalty
