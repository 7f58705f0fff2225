"""Quantiles of the coming hours of any number of series, by the pretrained network."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simmst.errors import DataError
from simmst.pretraining.network import PretrainedNet
from simmst.pretraining.reading import BLOCKS, DAY, FLOOR, HOURS, LEVELS, MEDIAN, Scale, repeated

LONGEST = BLOCKS * DAY
_BATCH = 2048
# Where some of the four weeks are not known, they are read twice: masked, and with known days repeated. Short of a
# week the first expects the prior's weekend and the second none: their mean was below either in three of four data
# sets' validation days, and near the better one in the fourth (docs/pretrained.md).
_OF_REPEATED = 0.6
_LARGEST = float(np.finfo(np.float32).max)


def quantiles(
    network: PretrainedNet,
    traffic: NDArray[np.floating],
    known: NDArray[np.bool_],
    hour_of_week: int | NDArray[np.int64],
    horizon: int,
) -> NDArray[np.float32]:
    """Forecast the hours after the end of series.

    Parameters
    ----------
    network : PretrainedNet
        In evaluation mode.
    traffic, known : array [R, T]
        R series in any unit, and which of their hours are known; of more than 672 hours the last ones are read.
    hour_of_week : int or int array [R]
        Local time of the first hour that is forecast; 0 is Monday's first.
    horizon : int
        Hours H, 1 to 168.

    Returns
    -------
    float32 array [R, H, Q]
        Traffic at the levels `LEVELS`, finite, 0 at least, ascending. A series without traffic in its known
        hours, or without known hours, is forecast as 0.

    Raises
    ------
    DataError
        If the horizon is out of range or there is not a day of history.
    """
    if not 1 <= horizon <= LONGEST:
        raise DataError(f"horizon {horizon}: the pretrained network forecasts 1 to {LONGEST} hours")
    if traffic.shape[1] < DAY:
        raise DataError(f"traffic: {traffic.shape[1]} hours; the pretrained network needs a day of history")
    device = next(network.parameters()).device
    hours = np.broadcast_to(np.asarray(hour_of_week, dtype=np.int64), len(traffic))
    blocks = -(-horizon // DAY)
    out = np.empty((len(traffic), horizon, len(LEVELS)), dtype=np.float32)
    with torch.inference_mode():
        for first in range(0, len(traffic), _BATCH):
            part = slice(first, first + _BATCH)
            near, exponents = _near_one(traffic[part, -HOURS:], known[part, -HOURS:])
            history, seen = _four_weeks(near).to(device), _four_weeks(known[part, -HOURS:]).to(device)
            clock = torch.from_numpy(hours[part].copy()).to(device)
            asked = torch.arange(blocks, device=device).expand(len(history), blocks)
            found = _both(network, history, seen, clock, asked).flatten(1, 2)[:, :horizon].cpu().numpy()
            out[part] = np.minimum(np.ldexp(found, exponents[:, None, None], dtype=np.float64), _LARGEST)
    return out


def _near_one(
    traffic: NDArray[np.floating], known: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Series over a power of two, their largest known value below 1, and its exponent `[R]`.

    The network squares and sums in single precision, which units of 1e-30 or 1e36 would leave; a power of two
    changes no digit. What is unknown becomes 0.
    """
    seen = np.where(known, traffic, 0)
    exponents = np.frexp(seen.max(axis=1))[1].astype(np.int32)
    return np.ldexp(seen, -exponents[:, None], dtype=np.float64).astype(np.float32), exponents


def _both(network: PretrainedNet, traffic: Tensor, known: Tensor, clock: Tensor, blocks: Tensor) -> Tensor:
    """Quantiles [B, K, 24, Q], the mean of both readings where some hours are unknown."""
    alive = (traffic * known).sum(1) > 0
    scaled, scale = network(traffic, known, clock, blocks)
    found = _as_traffic(scaled, scale)
    partly = alive & (known.sum(1) < HOURS)
    if partly.any():
        whole = repeated(traffic[partly], known[partly])
        other = _as_traffic(*network(whole, torch.ones_like(whole), clock[partly], blocks[partly]))
        here, median = found[partly], found[partly][..., MEDIAN : MEDIAN + 1]
        wanted = (1 - _OF_REPEATED) * median + _OF_REPEATED * other[..., MEDIAN : MEDIAN + 1]
        # Days that repeat each other look surer than they are: the width is that of the masked reading, in its
        # logarithms of floor + traffic. A ratio without the floor grows beyond all bounds as a median nears 0.
        floor = FLOOR * scale.unit[partly].view(-1, 1, 1, 1)
        moved = (here + floor) * ((wanted + floor) / (median + floor)) - floor
        found[partly] = moved.clamp(min=0.0)
    return found * alive.view(-1, 1, 1, 1)


def _as_traffic(scaled: Tensor, scale: Scale) -> Tensor:
    return scale.relative(scaled) * scale.unit.view(-1, 1, 1, 1)


def _four_weeks(last: NDArray[np.generic]) -> Tensor:
    """Hours `[B, 672]` that end with these, 0 before them."""
    out = np.zeros((len(last), HOURS), dtype=np.float32)
    out[:, HOURS - last.shape[1] :] = last
    return torch.from_numpy(out)
