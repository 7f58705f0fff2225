"""The largest value that a service can have, as a user says it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError

#: One for all services, or one for each named; None: none.
MaxValue = float | Mapping[str, float] | None


def limits_of(max_value: MaxValue, services: Sequence[str]) -> NDArray[np.float64]:
    """Return the limit of each service, float64 `[S]`, infinite where there is none.

    Raises
    ------
    ConfigError
        If a limit is not above 0, or of no service.
    """
    one = math.inf if max_value is None else max_value
    named = one if isinstance(one, Mapping) else dict.fromkeys(services, one)
    for name, limit in named.items():
        if name not in services:
            raise ConfigError(f"max_value: {name!r} is none of the services {', '.join(services)}")
        if not limit > 0:
            raise ConfigError(f"max_value: {limit} of {name} must be above 0")
    return np.array([named.get(name, math.inf) for name in services])


def drop_above(values: NDArray[np.float32], limits: NDArray[np.float64]) -> int:
    """Make values `[..., S]` above their limit unknown, in place, and count them."""
    above = values > limits
    values[above] = np.nan
    return int(above.sum())


def parsed_limits(texts: Sequence[str]) -> MaxValue:
    """Read limits as the command line has them: "1e6", or "dl=1e6", "users=500".

    Raises
    ------
    ConfigError
        If one is written otherwise, or named twice.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, mark, number = text.rpartition("=")
        try:
            limit = float(number)
        except ValueError:
            limit = math.nan
        if math.isnan(limit) or name in found or (not mark and len(texts) > 1):
            raise ConfigError(f"max_value: {text!r} must be a number, or once a service, as dl=1e6")
        if not mark:
            return limit
        found[name] = limit
    return found
