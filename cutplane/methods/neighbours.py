"""Points beside one with whole numbers: a number moved by one, or two against each other."""

from collections.abc import Iterator

import numpy as np

from cutplane._arrays import Array
from cutplane.core.formulations import Joint, Reduced
from cutplane.sets import violation

MOST = 100
"""Points that are tried."""
_STEEPEST = 30
"""Whole numbers up and down that pairs are made of."""


def neighbours(model: Joint | Reduced, z: Array) -> Iterator[Array]:
    """Up to 100 points of the set beside z, those first that the gradient promises most of.

    A row that holds with equality, as one that counts, allows no number to move alone: so pairs come after.

    Parameters
    ----------
    model : Joint or Reduced
    z : ndarray of shape (n,)
        In scaled variables.
    """
    _, gradient = model.objective(z)
    columns = np.flatnonzero(model.integer)
    unit = 1.0 / model.scale
    moves = [(gradient[j] * sign * unit[j], ((int(j), sign),)) for j in columns for sign in (1.0, -1.0)]
    moves.sort(key=lambda move: move[0])
    up = [move for move in moves if move[1][0][1] > 0][:_STEEPEST]
    down = [move for move in moves if move[1][0][1] < 0][:_STEEPEST]
    pairs = [(a[0] + b[0], a[1] + b[1]) for a in up for b in down if a[1][0][0] != b[1][0][0]]
    pairs.sort(key=lambda move: move[0])
    tried = 0
    for group in (moves, pairs):
        for _, steps in group:
            beside = z.copy()
            for column, sign in steps:
                beside[column] += sign * unit[column]
            x = beside[: model.n_x] * model.scale[: model.n_x]
            if violation(model.problem.x_set, x) <= 1e-9 * (1.0 + float(np.abs(x).max())):
                tried += 1
                yield beside
                if tried >= MOST:
                    return
