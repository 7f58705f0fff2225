"""Demand in space: log-Gaussian fields over squares, a city's centre, and the mix of land uses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.linalg
from numpy.typing import NDArray

from simmst.simulator.prior.parameters import LAND_USES
from simmst.simulator.prior.scenario import Scenario

FloatArray = NDArray[np.float64]

# Below this number of squares the exact Cholesky factor is cheaper than the Fourier transform.
_CHOLESKY_SQUARES = 1024


@dataclass(frozen=True, slots=True)
class SpatialDemand:
    """Mean demand of squares.

    Parameters
    ----------
    level : float64 array `[Q, S]`
        Mean traffic per hour of each service.
    density : float64 array `[Q]`
        What the services share: demand without level and own field.
    land_use : float64 array `[Q, 5]`
        Mix of the five land uses; rows sum to one.
    """

    level: FloatArray
    density: FloatArray
    land_use: FloatArray


def gaussian_fields(side: int, length: float, count: int, rng: np.random.Generator) -> FloatArray:
    """Unit Gaussian fields on a square grid with covariance `exp(-distance / length)`.

    Small grids use the exact Cholesky factor. Large ones use circulant embedding (Dietrich and Newsam 1997),
    padded by four lengths; what little is negative in the spectrum is cut off, and the variance put right.

    Parameters
    ----------
    side : int
        Squares in a row.
    length : float
        Correlation length in squares.
    count : int
        Number of independent fields.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray
        `[count, side * side]`, row by row.
    """
    if side * side <= _CHOLESKY_SQUARES:
        row, column = np.divmod(np.arange(side * side), side)
        distance = np.hypot(row[:, None] - row, column[:, None] - column)
        factor = scipy.linalg.cholesky(np.exp(-distance / length), lower=True, check_finite=False)
        return np.asarray(rng.standard_normal((count, side * side)) @ factor.T)
    size = scipy.fft.next_fast_len(2 * side + int(np.ceil(4 * length)))
    lag = np.minimum(np.arange(size), size - np.arange(size))
    covariance = np.exp(-np.hypot(lag[:, None], lag) / length)
    spectrum = np.maximum(scipy.fft.fft2(covariance).real, 0.0)
    amplitude = np.sqrt(spectrum / spectrum.sum()) * size
    pairs = (count + 1) // 2
    noise = rng.standard_normal((pairs, size, size)) + 1j * rng.standard_normal((pairs, size, size))
    # Real and imaginary part of one transform are two independent fields.
    fields = scipy.fft.fft2(amplitude * noise)[:, :side, :side] / size
    both = np.concatenate([fields.real, fields.imag])[:count]
    return np.asarray(both.reshape(count, side * side))


def spatial_demand(
    scenario: Scenario, squares: FloatArray, square_km: float, rng: np.random.Generator
) -> SpatialDemand:
    """Draw the demand of squares on a grid.

    The logarithm of density is a field plus a nugget, less the distance from the city's centre over its
    radius (the squares' mean taken off). A service follows it with its own exponent and adds a field of
    its own. Land use is a softmax over five fields with half the correlation length, after the finding that
    any tower's profile mixes a few (Wang et al., IMC 2015).

    Parameters
    ----------
    scenario : Scenario
        Parameters.
    squares : float64 array `[Q, 2]`
        Centres in km, a full square grid row by row.
    square_km : float
        Side of a square.
    rng : Generator
        Source of randomness.
    """
    side = round(np.sqrt(len(squares)))
    n_services = len(scenario.services)
    length = scenario["field_length_km"] / square_km
    fields = gaussian_fields(side, length, 1 + n_services, rng)
    log_density = scenario["field_sigma"] * fields[0] + scenario["nugget"] * rng.standard_normal(len(squares))
    bearing = rng.uniform(0, 2 * np.pi)
    if scenario["monocentric"]:
        centre = scenario["centre_distance_km"] * np.array([np.cos(bearing), np.sin(bearing)])
        slope = np.hypot(*(squares - centre).T) / scenario["city_radius_km"]
        log_density -= slope - slope.mean()
    log_level = (
        scenario.of_services("ln_mean")
        + log_density[:, None] * scenario.of_services("field_exponent")
        + fields[1:].T * scenario.of_services("field_sigma")
    )
    uses = gaussian_fields(side, length / 2, len(LAND_USES), rng).T
    weight = np.exp(scenario["land_use_sharpness"] * (uses - uses.max(axis=1, keepdims=True)))
    return SpatialDemand(np.exp(log_level), np.exp(log_density), weight / weight.sum(axis=1, keepdims=True))
