"""A gap: when a service was not recorded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Gap(NamedTuple):
    """A time without any record of a service, from `start` up to, not including, `stop` (local time)."""

    service: str
    start: np.datetime64
    stop: np.datetime64


def each_node(filled: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Give steps filled of all nodes `[T, S]`, or of each `[T, N, S]`, an axis of nodes: `[T, 1 or N, S]`."""
    return filled[:, None] if filled.ndim == 2 else filled
