"""A gap: when a service was not recorded."""

from typing import NamedTuple

import numpy as np


class Gap(NamedTuple):
    """A time without any record of a service, from `start` up to, not including, `stop` (local time)."""

    service: str
    start: np.datetime64
    stop: np.datetime64
