"""Weighted ridge regression by its normal equations: sums over batches, and one Cholesky factor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from simmst.errors import ConfigError

Array = NDArray[np.floating]
FloatArray = NDArray[np.float64]


class NormalEquations:
    """The sums Σ_j s_j a_j a_jᵀ and Σ_j s_j a_j y_jᵀ of a ridge, in float64.

    Their ridge is argmin Σ_j s_j ‖Θᵀa_j − y_j‖² + Σ_i penalty_i ‖Θ_i‖², Θ_i the coefficients of input i.

    Parameters
    ----------
    inputs : int
        Entries d of a sample a_j; a constant is one of them, if there is to be one.
    outputs : int
        Entries m of a target y_j.

    Attributes
    ----------
    gram : float64 array `[d, d]`
        The first sum.
    moment : float64 array `[d, m]`
        The second one.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        self.gram = np.zeros((inputs, inputs))
        self.moment = np.zeros((inputs, outputs))

    def add(self, inputs: Array, targets: Array, weights: Array | None = None) -> None:
        """Add samples.

        Parameters
        ----------
        inputs : array `[n, d]`
            Products within one call are made in its dtype.
        targets : array `[n, m]`
        weights : array `[n]`, optional
            At least 0 each; None: all 1.
        """
        weighted = inputs if weights is None else inputs * weights.astype(inputs.dtype)[:, None]
        self.gram += inputs.T @ weighted
        self.moment += weighted.T @ targets

    def solve(self, penalty: float | Array) -> FloatArray:
        """Return the ridge's coefficients Θ, `[d, m]`.

        Parameters
        ----------
        penalty : float or array `[d]`
            As in `factor`.

        Raises
        ------
        ConfigError
            As `factor`.
        """
        return solved(self.factor(penalty), self.moment)

    def factor(self, penalty: float | Array) -> FloatArray:
        """Return the lower Cholesky factor of the first sum with the penalty on its diagonal, `[d, d]`.

        Parameters
        ----------
        penalty : float or array `[d]`
            Of the squares of all coefficients, or of each input's.

        Raises
        ------
        ConfigError
            If the penalty is too small for the rounding of the sums to be made up for.
        """
        matrix = self.gram.copy()
        matrix[np.diag_indices_from(matrix)] += penalty
        try:
            return np.asarray(linalg.cholesky(matrix, lower=True))
        except linalg.LinAlgError:
            lost = f"penalty: {np.min(penalty):g} is lost in the rounding of these samples; give a larger one"
            raise ConfigError(lost) from None


def solved(factor: Array, right: Array) -> FloatArray:
    """Solve by a factor of `NormalEquations.factor`.

    Parameters
    ----------
    factor : array `[d, d]`
    right : array `[d, m]`

    Returns
    -------
    float64 array `[d, m]`
    """
    return np.asarray(linalg.cho_solve((factor, True), right))
