"""The distributions a prior is made of: each can be sampled, evaluated, narrowed and widened."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simmst.errors import ConfigError, short


@dataclass(frozen=True, slots=True)
class Uniform:
    """Uniform on [low, high].

    Parameters
    ----------
    low, high : float
        The range.
    nominal : float
        The usual value.
    floor, ceiling : float
        Limits that the wide range may not pass, outside of the range.
    """

    low: float
    high: float
    nominal: float
    floor: float = -math.inf
    ceiling: float = math.inf

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, self.nominal)
        _check_limits(self.low, self.high, self.floor, self.ceiling)

    def sample(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        return float(rng.uniform(self.low, self.high))

    def log_prob(self, x: float) -> float:
        """Log density at `x`."""
        return -math.log(self.high - self.low) if self.low <= x <= self.high else -math.inf

    def near(self) -> Uniform:
        """A quarter of the range, around the nominal value."""
        low, high = _near(self.low, self.high, self.nominal, 0.125 * (self.high - self.low))
        return Uniform(low, high, self.nominal, self.floor, self.ceiling)

    def wide(self) -> Uniform:
        """1.5 times the range, within the limits."""
        low, high = _wide(self.low, self.high)
        return Uniform(max(low, self.floor), min(high, self.ceiling), self.nominal, self.floor, self.ceiling)


@dataclass(frozen=True, slots=True)
class LogUniform:
    """Uniform in the logarithm on [low, high], both positive.

    Parameters
    ----------
    low, high : float
        The range.
    nominal : float
        The usual value.
    ceiling : float
        Limit that the wide range may not pass, outside of the range.
    """

    low: float
    high: float
    nominal: float
    ceiling: float = math.inf

    def __post_init__(self) -> None:
        if self.low <= 0:
            raise ConfigError(f"low={self.low}: must be positive for a log-uniform distribution")
        _check_range(self.low, self.high, self.nominal)
        _check_limits(self.low, self.high, -math.inf, self.ceiling)

    def sample(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        return float(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))

    def log_prob(self, x: float) -> float:
        """Log density at `x`."""
        # Ends are compared with a margin: exp(log(low)) may fall a rounding error below low.
        if not self.low * (1 - 1e-12) <= x <= self.high * (1 + 1e-12):
            return -math.inf
        return -math.log(x) - math.log(math.log(self.high / self.low))

    def near(self) -> LogUniform:
        """Within some 25 % of the nominal value."""
        low, high = _near(math.log(self.low), math.log(self.high), math.log(self.nominal), math.log(1.25))
        # A nominal value at an end of the range: exp(log(x)) may miss x by a rounding error.
        low, high = min(math.exp(low), self.nominal), max(math.exp(high), self.nominal)
        return LogUniform(low, high, self.nominal, self.ceiling)

    def wide(self) -> LogUniform:
        """1.5 times the range of the logarithm, within the limit."""
        low, high = _wide(math.log(self.low), math.log(self.high))
        return LogUniform(math.exp(low), min(math.exp(high), self.ceiling), self.nominal, self.ceiling)


@dataclass(frozen=True, slots=True)
class Normal:
    """Normal with mean `nominal` and deviation `sd`.

    Parameters
    ----------
    nominal, sd : float
        Mean and standard deviation.
    """

    nominal: float
    sd: float

    def __post_init__(self) -> None:
        if not self.sd > 0 or not math.isfinite(self.nominal):
            raise ConfigError(f"nominal={self.nominal}, sd={self.sd}: sd must be positive, both finite")

    def sample(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        return float(rng.normal(self.nominal, self.sd))

    def log_prob(self, x: float) -> float:
        """Log density at `x`."""
        return -0.5 * ((x - self.nominal) / self.sd) ** 2 - math.log(self.sd * math.sqrt(2 * math.pi))

    def near(self) -> Normal:
        """A quarter of the deviation."""
        return Normal(self.nominal, self.sd / 4)

    def wide(self) -> Normal:
        """1.5 times the deviation."""
        return Normal(self.nominal, self.sd * 1.5)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values.

    Parameters
    ----------
    values, weights : tuple of float
        The values and their probabilities, which sum to one.
    nominal : float
        The usual value, one of `values`.
    """

    values: tuple[float, ...]
    weights: tuple[float, ...]
    nominal: float

    def __post_init__(self) -> None:
        if len(self.values) != len(self.weights) or self.nominal not in self.values:
            values = short(self.values)
            raise ConfigError(f"values={values}: need a weight each, and nominal={self.nominal} among them")
        if min(self.weights) < 0 or abs(sum(self.weights) - 1) > 1e-9:
            raise ConfigError(f"weights={short(self.weights)}: must be probabilities that sum to one")

    def sample(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        return float(self.values[rng.choice(len(self.values), p=self.weights)])

    def log_prob(self, x: float) -> float:
        """Log probability of `x`."""
        weight = self.weights[self.values.index(x)] if x in self.values else 0.0
        return math.log(weight) if weight > 0 else -math.inf

    def near(self) -> Choice:
        """The nominal value alone."""
        return Choice((self.nominal,), (1.0,), self.nominal)

    def wide(self) -> Choice:
        """Unchanged: a choice has no range."""
        return self


Distribution = Uniform | LogUniform | Normal | Choice


def _check_range(low: float, high: float, nominal: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(f"low={low}, high={high}: need finite low < high")
    if not low <= nominal <= high:
        raise ConfigError(f"nominal={nominal}: must lie in [{low}, {high}]")


def _check_limits(low: float, high: float, floor: float, ceiling: float) -> None:
    # With a margin, since the ends of a narrowed log-uniform range come from exp(log(x)).
    if not (floor <= low and high <= ceiling * (1 + 1e-12)):
        raise ConfigError(f"floor={floor}, ceiling={ceiling}: must not cut into the range [{low}, {high}]")


def _near(low: float, high: float, nominal: float, reach: float) -> tuple[float, float]:
    return max(low, nominal - reach), min(high, nominal + reach)


def _wide(low: float, high: float) -> tuple[float, float]:
    middle, half = (low + high) / 2, 0.75 * (high - low)
    return middle - half, middle + half
