"""Whether a convex quadratic programme has another answer beside the one found.

All answers y share Qy, and hold every row that has a positive multiplier at its side (Mangasarian, Operations
Research Letters 1988). What is left to move in is a subspace; two small linear programmes over the other rows look
how far one can go along a fixed direction and against it.
"""

import numpy as np

from cutplane._arrays import Array
from cutplane.programs import dense_lp

_NOTHING = 1e-9
"""Singular values, parts of rows and slacks up to which they are rounding, relative."""


def distance_to_another(Q: Array, rows: Array, slack: Array, held: Array, reach: float) -> float:
    """How far another answer is, within a box of half-width `reach` in the directions left open.

    The direction is random and fixed: one that misses a set of answers larger than a point has probability zero.

    Parameters
    ----------
    Q : ndarray of shape (n, n)
        With entries near 1.
    rows : ndarray of shape (k, n)
        Of lengths near 1.
    slack : ndarray of shape (k,)
        What the rows leave at the answer.
    held : ndarray of shape (k,)
        True for the rows of positive multiplier.
    reach : float
        Positive; what the distance is measured by.
    """
    _, sizes, directions = np.linalg.svd(np.vstack([Q, rows[held], np.zeros((1, Q.shape[0]))]))
    rank = int(np.sum(sizes > _NOTHING * max(float(sizes.max(initial=0.0)), 1e-300)))
    left = directions[rank:]
    if not len(left):
        return 0.0
    across = rows[~held] @ left.T
    length = np.linalg.norm(rows[~held], axis=1, keepdims=True)
    across = np.where(np.abs(across) > _NOTHING * length, across, 0.0)
    room = np.where(slack[~held] > _NOTHING * reach, slack[~held], 0.0)
    way = left @ np.random.default_rng(0).normal(size=Q.shape[0])
    box = np.full(len(left), reach)
    steps = [dense_lp.minimise(sign * way, across, room, -box, box).point for sign in (1.0, -1.0)]
    return max(float(np.linalg.norm(step)) for step in steps)
