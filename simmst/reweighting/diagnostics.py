"""What learned weights look like: spread, effective sample size, and detection where the truth is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from simmst.errors import ConfigError

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True, slots=True)
class WeightDiagnostics:
    """Spread of the weights s `[n]`, and of their group means where they are grouped.

    Attributes
    ----------
    effective_share : float
        Effective sample size (Σs)² / Σs², as a share of n: 1 where all weights are equal.
    mean, deviation : float
    quantiles : tuple of float
        At `QUANTILES`.
    auc : float or None
        Probability that a good group weighs more than a bad one (ties count half); 0.5 says nothing was
        learnt. None where the truth is not known.
    good_bad_ratio : float or None
        Mean weight of good groups over that of bad ones; infinite where the bad ones weigh nothing.
    """

    effective_share: float
    mean: float
    deviation: float
    quantiles: tuple[float, ...]
    auc: float | None = None
    good_bad_ratio: float | None = None


def diagnose(
    weights: NDArray[np.floating],
    groups: NDArray[np.integer] | None = None,
    bad: NDArray[np.bool_] | None = None,
) -> WeightDiagnostics:
    """Describe weights.

    Parameters
    ----------
    weights : array of shape (n,)
    groups : int array of shape (n,), optional
        World of each sample, 0 .. W - 1; each sample is its own by default.
    bad : bool array of shape (W,), optional
        Which worlds are known to be bad; detection is judged on the worlds' mean weights.
    """
    weights = np.asarray(weights, dtype=np.float64)
    total = float(weights.sum())
    effective = total**2 / float(weights @ weights) / len(weights) if total > 0 else 0.0
    quantiles = tuple(float(q) for q in np.quantile(weights, QUANTILES))
    auc = ratio = None
    if bad is not None:
        world = np.arange(len(weights)) if groups is None else np.asarray(groups)
        means = np.bincount(world, weights=weights) / np.bincount(world)
        if means.shape != np.shape(bad):
            raise ConfigError(f"bad must have one entry a world, shape {means.shape}, got {np.shape(bad)}")
        auc, ratio = _detection(means, np.asarray(bad, dtype=bool))
    return WeightDiagnostics(effective, float(weights.mean()), float(weights.std()), quantiles, auc, ratio)


def _detection(means: NDArray[np.float64], bad: NDArray[np.bool_]) -> tuple[float | None, float | None]:
    """AUC by the rank sum, and the ratio of means; None where one of the two kinds is absent."""
    good, wrong = int((~bad).sum()), int(bad.sum())
    if not good or not wrong:
        return None, None
    ranks = stats.rankdata(means)
    auc = (float(ranks[~bad].sum()) - good * (good + 1) / 2) / (good * wrong)
    low = float(means[bad].mean())
    return auc, float(means[~bad].mean()) / low if low > 0 else float("inf")


def effective_sample_size(weights: NDArray[np.floating]) -> float:
    """Kish's effective sample size, (sum s)^2 / sum s^2, in samples; 0 where all weights are 0."""
    squares = float(np.square(weights, dtype=np.float64).sum())
    return float(weights.sum(dtype=np.float64)) ** 2 / squares if squares > 0 else 0.0
