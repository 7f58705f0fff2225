"""Records finer than an hour: each hour's traffic is split into parts that sum to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError
from simmst.simulator.prior.scenario import Scenario

#: Lengths in minutes that worlds can be recorded at.
STEPS = (15, 30, 60)
# More records than this are split in proportion: the multinomial's noise would not show in float32.
_MANY = 10**9


def check_step(step_minutes: int) -> None:
    """Refuse a length that is not one of `STEPS`."""
    if step_minutes not in STEPS:
        raise ConfigError(f"step_minutes={step_minutes}: must be one of {', '.join(map(str, STEPS))}")


def refine(
    scenario: Scenario, counts: NDArray[np.float32], step_minutes: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """
    Split hourly traffic into shorter steps.

    The expected parts follow the slope between the neighbouring hours; a Dirichlet draw with concentration
    `fine_dispersion` makes them noisy, and an hour's records (`record_scale` to a unit) fall into them one by one,
    so that small counts stay whole records.

    Parameters
    ----------
    scenario
        Concentration and record scales.
    counts
        Hourly traffic, float32 `[T, B, S]`.
    step_minutes
        15, 30 or 60.
    rng
        Source of randomness.

    Returns
    -------
    ndarray
        float32 `[T * 60 / step_minutes, B, S]`; the parts of an hour sum to it, but for rounding.

    Raises
    ------
    ConfigError
        If the length is another.
    """
    check_step(step_minutes)
    parts = 60 // step_minutes
    if parts == 1:
        return counts
    hourly = counts.astype(np.float64)
    ahead, behind = hourly[np.minimum(np.arange(len(hourly)) + 1, len(hourly) - 1)], np.roll(hourly, 1, axis=0)
    behind[0] = hourly[0]
    middle = (np.arange(parts) + 0.5) / parts - 0.5
    expected = np.maximum(hourly[..., None] + 0.5 * (ahead - behind)[..., None] * middle, 0.0)  # [T, B, S, k]
    total = expected.sum(axis=-1, keepdims=True)
    expected = np.divide(expected, total, out=np.full_like(expected, 1 / parts), where=total > 0)
    drawn = rng.standard_gamma(scenario["fine_dispersion"] * expected)
    total = drawn.sum(axis=-1, keepdims=True)
    share = np.divide(drawn, total, out=expected, where=total > 0)
    records = np.rint(np.minimum(hourly * scenario.of_services("record_scale"), _MANY)).astype(np.int64)
    whole = rng.multinomial(records, share) / np.maximum(records, 1)[..., None]
    split = hourly[..., None] * np.where((records > 0)[..., None], whole, share)
    return np.asarray(np.moveaxis(split, -1, 1).reshape(-1, *counts.shape[1:]), dtype=np.float32)
