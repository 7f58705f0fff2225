"""Radio: path loss of 3GPP TR 38.901, and the shares in which squares of a city are served by its sites."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simmst.errors import ConfigError

FloatArray = NDArray[np.float64]
Environment = Literal["UMa", "UMi", "RMa"]

ENVIRONMENTS: tuple[Environment, ...] = ("UMa", "UMi", "RMa")
#: Heights of the base stations in metres (TR 38.901, Table 7.2-1 and 7.2-3).
HEIGHT_BS: dict[Environment, float] = {"UMa": 25.0, "UMi": 10.0, "RMa": 35.0}
HEIGHT_UT = 1.5
#: Standard deviation of shadowing in dB: line of sight, none (Table 7.4.1-1; RMa before its break point).
SHADOWING: dict[Environment, tuple[float, float]] = {"UMa": (4.0, 6.0), "UMi": (4.0, 7.82), "RMa": (4.0, 8.0)}
#: Standard deviation of shadowing indoors in dB, and largest depth in metres of a terminal in its building; the
#: depth is the smaller of two uniform draws (Table 7.4.3-2 and section 7.4.3.1).
INDOOR_SHADOWING: dict[Environment, float] = {"UMa": 7.0, "UMi": 7.0, "RMa": 8.0}
INDOOR_REACH: dict[Environment, float] = {"UMa": 25.0, "UMi": 25.0, "RMa": 10.0}
_BUILDING_HEIGHT, _STREET_WIDTH = 5.0, 20.0
_SPEED_OF_LIGHT = 3.0e8
# Gauss-Legendre rule on [0, 1].
_NODES, _WEIGHTS = ((x + shift) / 2 for x, shift in zip(np.polynomial.legendre.leggauss(24), (1, 0), strict=True))


def path_loss(
    environment: Environment,
    distance: ArrayLike,
    frequency: float,
    line_of_sight: bool,
    height_ut: float = HEIGHT_UT,
) -> FloatArray:
    """Median path loss in dB, TR 38.901 Table 7.4.1-1.

    Parameters
    ----------
    environment : Environment
        "UMa", "UMi" or "RMa", with the base station heights of `HEIGHT_BS`.
    distance : ArrayLike
        Ground distance in metres, any shape, at least 1.
    frequency : float
        Carrier in GHz.
    line_of_sight : bool
        Whether the site is seen.
    height_ut : float
        Height of the terminal in metres; below 13, where the environment height of UMa is exactly 1 m.

    Returns
    -------
    ndarray
        Path loss, the shape of `distance`.
    """
    if environment not in ENVIRONMENTS:
        raise ConfigError(f"environment={environment!r}: must be one of {', '.join(ENVIRONMENTS)}")
    if not 1.0 <= height_ut < 13.0:
        raise ConfigError(f"height_ut={height_ut}: must be in [1, 13) m")
    ground = np.asarray(distance, dtype=np.float64)
    slant = np.hypot(ground, HEIGHT_BS[environment] - height_ut)
    seen = _line_of_sight(environment, ground, slant, frequency, height_ut)
    if line_of_sight:
        return seen
    return np.maximum(seen, _blocked(environment, slant, frequency, height_ut))


def _line_of_sight(
    environment: Environment, ground: FloatArray, slant: FloatArray, frequency: float, height_ut: float
) -> FloatArray:
    height_bs = HEIGHT_BS[environment]
    log_slant, log_f = np.log10(slant), np.log10(frequency)
    if environment == "RMa":
        break_point = 2 * np.pi * height_bs * height_ut * frequency * 1e9 / _SPEED_OF_LIGHT
        below = _rural_before_break(slant, frequency)
        beyond = _rural_before_break(np.asarray(break_point), frequency) + 40 * np.log10(slant / break_point)
        rural: FloatArray = np.where(ground <= break_point, below, beyond)
        return rural
    # Effective heights: the environment's height of 1 m is taken off both ends.
    break_point = 4 * (height_bs - 1) * (height_ut - 1) * frequency * 1e9 / _SPEED_OF_LIGHT
    intercept, slope, bend = (28.0, 22.0, 9.0) if environment == "UMa" else (32.4, 21.0, 9.5)
    near = intercept + slope * log_slant + 20 * log_f
    bent = bend * np.log10(break_point**2 + (height_bs - height_ut) ** 2)
    far = intercept + 40 * log_slant + 20 * log_f - bent
    urban: FloatArray = np.where(ground <= break_point, near, far)
    return urban


def _rural_before_break(slant: FloatArray, frequency: float) -> FloatArray:
    h = _BUILDING_HEIGHT
    loss: FloatArray = (
        20 * np.log10(40 * np.pi * slant * frequency / 3)
        + min(0.03 * h**1.72, 10.0) * np.log10(slant)
        - min(0.044 * h**1.72, 14.77)
        + 0.002 * np.log10(h) * slant
    )
    return loss


def _blocked(environment: Environment, slant: FloatArray, frequency: float, height_ut: float) -> FloatArray:
    log_slant, log_f = np.log10(slant), np.log10(frequency)
    loss: FloatArray
    if environment == "UMa":
        loss = 13.54 + 39.08 * log_slant + 20 * log_f - 0.6 * (height_ut - 1.5)
        return loss
    if environment == "UMi":
        loss = 22.4 + 35.3 * log_slant + 21.3 * log_f - 0.3 * (height_ut - 1.5)
        return loss
    height_bs, h = HEIGHT_BS["RMa"], _BUILDING_HEIGHT
    loss = (
        161.04
        - 7.1 * np.log10(_STREET_WIDTH)
        + 7.5 * np.log10(h)
        - (24.37 - 3.7 * (h / height_bs) ** 2) * np.log10(height_bs)
        + (43.42 - 3.1 * np.log10(height_bs)) * (log_slant - 3)
        + 20 * log_f
        - (3.2 * np.log10(11.75 * height_ut) ** 2 - 4.97)
    )
    return loss


def line_of_sight_probability(environment: Environment, distance: ArrayLike) -> FloatArray:
    """Probability that a terminal below 13 m sees the site, TR 38.901 Table 7.4.2-1.

    Parameters
    ----------
    environment : Environment
        "UMa", "UMi" or "RMa".
    distance : ArrayLike
        Ground distance in metres, any shape.
    """
    d = np.asarray(distance, dtype=np.float64)
    if environment == "RMa":
        return np.exp(-np.maximum(d - 10.0, 0.0) / 1000.0)
    reach = 63.0 if environment == "UMa" else 36.0
    d = np.maximum(d, 18.0)
    return 18.0 / d + np.exp(-d / reach) * (1.0 - 18.0 / d)


def mean_indoor_depth(environment: Environment) -> float:
    """Mean depth in metres of indoor terminals, TR 38.901 section 7.4.3.1.

    The depth is the smaller of two independent uniform draws from 0 to a, whose mean is a / 3 [D].

    Parameters
    ----------
    environment : Environment
        "UMa", "UMi" or "RMa".
    """
    return INDOOR_REACH[environment] / 3


def penetration_loss(frequency: float, depth: float) -> float:
    """Mean loss in dB into a low-loss building, TR 38.901 Table 7.4.3-2.

    Parameters
    ----------
    frequency : float
        Carrier in GHz.
    depth : float
        Metres indoors.
    """
    glass, concrete = 2 + 0.2 * frequency, 5 + 4 * frequency
    walls = 5 - 10 * np.log10(0.3 * 10 ** (-glass / 10) + 0.7 * 10 ** (-concrete / 10))
    return float(walls + 0.5 * depth)


def serving_shares(
    gain: FloatArray, offset: FloatArray, softness: float, map_softness: float
) -> tuple[FloatArray, FloatArray]:
    """Best-server shares of each square, averaged over its ground in closed form.

    Shadowing decorrelates in some 50 m, far less than a square's 235 m, so each point of a square draws its
    own best server. If the shadowing were Gumbel with the same deviation, the share of a site would be
    exactly the softmax of its gain over `s = 0.78 sigma` [D: the Gumbel's deviation is pi / sqrt(6) s].

    Parameters
    ----------
    gain : float64 array `[Q, K]`
        Median path gain plus power in dB.
    offset : float64 array `[Q, K]`
        Part of the shadowing that is common to a square, in dB.
    softness, map_softness : float
        Scale in dB of the true shares, and of the operator's (unshadowed) coverage map.

    Returns
    -------
    tuple
        Shares of demand, and shares of area on the map, each `[Q, K]` with rows that sum to one.
    """
    return _softmax((gain + offset) / softness), _softmax(gain / map_softness)


def spectral_efficiency(gain: FloatArray, load: float, noise: float, peak: float = 4.4) -> FloatArray:
    """Attenuated Shannon capacity of each link in bit/s/Hz, after 3GPP TR 36.942 Annex A.

    Parameters
    ----------
    gain : float64 array `[Q, K]`
        Received power in dB up to a constant.
    load : float
        Part of the time in which the other sites transmit, in [0, 1].
    noise : float
        Noise in dB on the scale of `gain`.
    peak : float
        Largest efficiency of the modulation.
    """
    power: FloatArray = 10 ** (gain / 10)
    others = power.sum(axis=1, keepdims=True) - power
    shannon: FloatArray = 0.6 * np.log2(1 + power / (10 ** (noise / 10) + load * others))
    return np.minimum(shannon, peak)


def shadow_split(sigma: float, correlation: float, side: float) -> tuple[float, float]:
    """Split shadowing into a part common to a square and a part inside it.

    The variance of the mean over a square is `sigma^2` times the mean over pairs of its points of
    Gudmundson's correlation `exp(-r / d)`, by quadrature of `4 (1 - u) (1 - v) exp(-side hypot(u, v) / d)`
    [D].

    Parameters
    ----------
    sigma : float
        Deviation of shadowing in dB.
    correlation : float
        Correlation distance in metres.
    side : float
        Side of the square in metres.

    Returns
    -------
    tuple
        Deviations in dB of the common part and of the rest; their squares add up to `sigma ** 2`.
    """
    apart = np.hypot(_NODES[:, None], _NODES) * side / correlation
    weight = _WEIGHTS * (1 - _NODES)
    common = float(4 * weight @ np.exp(-apart) @ weight)
    return float(sigma * np.sqrt(common)), float(sigma * np.sqrt(1 - common))


def _softmax(x: FloatArray) -> FloatArray:
    weight = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))
