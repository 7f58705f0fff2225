"""How far two sets of days are apart: samples of simulated and of real traffic; each checked on a closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FloatArray = NDArray[np.float64]


def day_vectors(series: FloatArray) -> FloatArray:
    """Days as vectors of 24 hours with mean 0 and deviation 1 (a constant day is all 0).

    Parameters
    ----------
    series : float64 array
        Hourly series `[T, N]` that begins at midnight; what is left of the last day is dropped.

    Returns
    -------
    ndarray
        `[days * N, 24]`.
    """
    days = len(series) // 24
    vectors = series[: 24 * days].reshape(days, 24, -1).transpose(0, 2, 1).reshape(-1, 24).astype(np.float64)
    vectors -= vectors.mean(axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(vectors.std(axis=1, keepdims=True), 1e-9))


def maximum_mean_discrepancy(x: FloatArray, y: FloatArray) -> float:
    """Squared maximum mean discrepancy, unbiased, with a Gaussian kernel at the median distance (Gretton 2012).

    Parameters
    ----------
    x, y : float64 array
        Samples `[n, d]` and `[m, d]`, at least two each.

    Returns
    -------
    float
        About 0 for samples of one distribution; it may be slightly negative.
    """
    both = np.concatenate([x, y])
    square = (both**2).sum(axis=1)
    distance = np.maximum(square[:, None] + square - 2 * both @ both.T, 0.0)
    kernel = np.exp(-distance / np.median(distance[np.triu_indices(len(both), 1)]))
    n, m = len(x), len(y)
    within_x = (kernel[:n, :n].sum() - n) / (n * (n - 1))
    within_y = (kernel[n:, n:].sum() - m) / (m * (m - 1))
    return float(within_x + within_y - 2 * kernel[:n, n:].mean())


def sliced_wasserstein(x: FloatArray, y: FloatArray, rng: np.random.Generator, slices: int = 64) -> float:
    """Mean distance of order 1 between projections on random directions.

    Parameters
    ----------
    x, y : float64 array
        Samples `[n, d]` and `[m, d]`.
    rng : Generator
        Source of directions.
    slices : int
        Number of directions.
    """
    direction = rng.standard_normal((x.shape[1], slices))
    direction /= np.linalg.norm(direction, axis=0)
    return float(
        np.mean(
            [stats.wasserstein_distance(a, b) for a, b in zip((x @ direction).T, (y @ direction).T, strict=True)]
        )
    )


def two_sample_auc(x: FloatArray, y: FloatArray, rng: np.random.Generator) -> float:
    """How well a classifier tells two samples apart: area under the ROC curve on held-out halves.

    The classifier is a ridge regression of the label on the variables, their squares and products.

    Parameters
    ----------
    x, y : float64 array
        Samples `[n, d]` and `[m, d]`, at least four each.
    rng : Generator
        Source of the halves.

    Returns
    -------
    float
        0.5 if nothing tells them apart, 1 if everything does; mean over the two halves.
    """
    data = np.concatenate([x, y])
    upper = np.triu_indices(data.shape[1])
    features = np.concatenate([data, (data[:, :, None] * data[:, None, :])[:, upper[0], upper[1]]], axis=1)
    features = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-9)
    label = np.concatenate([np.zeros(len(x)), np.ones(len(y))])
    half = np.concatenate([rng.permutation(len(x)) % 2, rng.permutation(len(y)) % 2])
    areas = []
    for held_out in (0, 1):
        train, test = half != held_out, half == held_out
        a = features[train]
        gram = a.T @ a + len(a) * 0.1 * np.eye(a.shape[1])
        score = features[test] @ np.linalg.solve(gram, a.T @ (label[train] - label[train].mean()))
        rank = stats.rankdata(score)
        positive = label[test] == 1
        n, m = positive.sum(), (~positive).sum()
        areas.append((rank[positive].sum() - n * (n + 1) / 2) / (n * m))
    return float(np.mean(areas))
