"""The residual of log demand: correlated noise, slow change of the daily shape, drift, and events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from simmst.errors import ConfigError
from simmst.simulator.prior.scenario import Scenario

FloatArray = NDArray[np.float64]

# Memory in hours of the three parts of the noise. Three Milano squares have autocorrelations at 1, 2 and 3 h such
# as .64 .48 .37, and these parts give .64 .46 .36 [M]. A first part of 0.6 h, as at first, is nearly white, and a
# model trained on it smooths over hours that real traffic does not ask it to smooth.
_MEMORY = np.array([1.2, 4.0, 40.0])
# Regional noise comes from this many centres, or one for each square of side `_REGION_KM` if that is more.
_REGIONS, _REGION_KM = 8, 2.0
_EVENT_HOURS_SD = 0.6


def noise_weights(acf1: float) -> FloatArray:
    """
    Shares of variance of the three AR(1) parts, so that the noise has a given autocorrelation at 1 h.

    The shares are in the ratio 1 : x : x^2, and x solves a quadratic equation [D].

    Parameters
    ----------
    acf1
        Autocorrelation at 1 h, between those of the parts (0.435 and 0.975).

    Raises
    ------
    ConfigError
        If the autocorrelation is not between them.
    """
    a, b, c = acf1 - np.exp(-1 / _MEMORY)
    if not a > 0 > c:
        raise ConfigError(f"residual_acf1={acf1:.3g}: must be between 0.435 and 0.975")
    # c x^2 + b x + a = 0 with a > 0 > c has one positive root.
    x = (-b - np.sqrt(b * b - 4 * a * c)) / (2 * c)
    shares = np.array([1.0, x, x * x])
    return np.asarray(shares / shares.sum())


def coloured_noise(
    acf1: float, steps: int, series: int, rng: np.random.Generator, stretch: float = 1.0
) -> FloatArray:
    """
    Stationary noise of unit variance with short and long memory.

    Parameters
    ----------
    acf1
        Autocorrelation at 1 h.
    steps, series
        Hours and number of independent series.
    rng
        Source of randomness.
    stretch
        Factor on the memory of all parts; `acf1` is then the autocorrelation at so many hours.

    Returns
    -------
    ndarray
        `[steps, series]`.
    """
    total = np.zeros((steps, series))
    for memory, share in zip(stretch * _MEMORY, noise_weights(acf1), strict=True):
        total += np.sqrt(share) * _autoregression(np.exp(-1 / memory), rng.standard_normal((steps, series)))
    return total


def _autoregression(phi: float, white: FloatArray) -> FloatArray:
    """Stationary AR(1) of unit variance along the first axis, from white noise of unit variance."""
    first = white[:1]
    if len(white) == 1:
        return first
    start = phi * first
    later, _ = lfilter([np.sqrt(1 - phi * phi)], [1.0, -phi], white[1:], axis=0, zi=start)
    return np.concatenate([first, later])


def changing_pattern(memory_days: float, first_hour: int, hours: int, rng: np.random.Generator) -> FloatArray:
    """
    Slow change of the daily shape: unit variance, smooth over the day, an AR(1) from day to day.

    It is what makes the residual of an hour resemble the residual of the same hour a day earlier.

    Parameters
    ----------
    memory_days
        Memory from day to day.
    first_hour
        Hour of day of the first step.
    hours
        Number of steps.
    rng
        Source of randomness.

    Returns
    -------
    ndarray
        `[hours]`.
    """
    days = (first_hour + hours + 23) // 24
    # Three harmonics of the day, each with a random and changing amplitude; cos^2 + sin^2 keep the variance.
    angle = 2 * np.pi / 24 * np.arange(24)[:, None] * np.arange(1, 4)
    basis = np.concatenate([np.cos(angle), np.sin(angle)], axis=1) / np.sqrt(3)
    amplitude = _autoregression(np.exp(-1 / memory_days), rng.standard_normal((days, 6)))
    return np.asarray((amplitude @ basis.T).ravel()[first_hour : first_hour + hours])


def log_residual(
    scenario: Scenario, first_hour: int, hours: int, sites: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """
    Draw the residual of log demand at sites.

    It adds noise of the city, of its regions, of each site and of each site's services; a changing daily
    pattern of the city and of each region; a factor a day; and a drift of each site.

    Parameters
    ----------
    scenario
        Parameters.
    first_hour
        Hour of day of the first step.
    hours
        Number of steps.
    sites
        Positions in km, `[B, 2]`.
    rng
        Source of randomness.

    Returns
    -------
    ndarray
        `[T, B, S]`.
    """
    n_sites, n_services = len(sites), len(scenario.services)
    region = _region_weights(sites, rng)  # [R, B]
    n_regions = len(region)
    sizes = np.cumsum([1, n_regions, n_sites])
    noise = coloured_noise(
        scenario["residual_acf1"], hours, int(sizes[-1]) + n_sites * n_services, rng, scenario["memory_factor"]
    )
    city, regional, own, services = np.split(noise, sizes, axis=1)
    common = (
        scenario["residual_city"] * city
        + scenario["residual_region"] * regional @ region
        + scenario["residual_site"] * own
    )
    pattern = np.stack(
        [changing_pattern(scenario["pattern_days"], first_hour, hours, rng) for _ in range(1 + n_regions)]
    )
    # Half of the pattern's variance is the city's and half the region's.
    common += scenario["pattern"] * np.sqrt(0.5) * (pattern[0][:, None] + pattern[1:].T @ region)

    # Day factor and drift are drawn at each noon and joined by straight lines.
    days = (first_hour + hours) // 24 + 2
    daily = scenario["day_factor"] * rng.standard_normal((days, 1)) + scenario["drift"] * np.cumsum(
        rng.standard_normal((days, n_sites)), axis=0
    )
    at = (first_hour + np.arange(hours) + 12) / 24
    day = at.astype(np.int64)
    part = (at - day)[:, None]
    common += (1 - part) * daily[day] + part * daily[np.minimum(day + 1, days - 1)]
    own_services = services.reshape(hours, n_sites, n_services)
    service_sd = scenario["residual_service"] * scenario.of_services("residual_factor")
    total = common[:, :, None] + service_sd * own_services
    return np.asarray(scenario["residual_scale"] * total)


def events(
    scenario: Scenario, hours: int, sites: FloatArray, extent_km: float, rng: np.random.Generator
) -> FloatArray:
    """
    Rise of log demand by events: crowds at a place for some hours.

    Parameters
    ----------
    scenario
        Rate per day and 10 km2, and mean size.
    hours
        Number of steps.
    sites
        Positions in km, `[B, 2]`.
    extent_km
        Side of the region in which events happen.
    rng
        Source of randomness.

    Returns
    -------
    ndarray
        `[T, B]`.
    """
    rise = np.zeros((hours, len(sites)))
    count = rng.poisson(scenario["event_rate"] * extent_km**2 / 10 * hours / 24)
    for _ in range(count):
        place = rng.uniform(-extent_km / 2, extent_km / 2, 2)
        footprint = np.exp(rng.uniform(np.log(0.2), np.log(1.0)))
        length = 1.5 * np.exp(_EVENT_HOURS_SD * rng.standard_normal())
        size = rng.exponential(scenario["event_size"])
        when = np.exp(-0.5 * ((np.arange(hours) - rng.uniform(0, hours)) / length) ** 2)
        where = np.exp(-0.5 * ((sites - place) ** 2).sum(axis=1) / footprint**2)
        rise += size * np.outer(when, where)
    return rise


def _region_weights(sites: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Weights `[R, B]` of regional noise at the sites; squares of a column sum to one."""
    low, high = sites.min(axis=0), sites.max(axis=0)
    count = max(_REGIONS, int(np.ceil(np.prod(high - low) / _REGION_KM**2)))
    centres = rng.uniform(low, high, (count, 2))
    distance = ((sites[None] - centres[:, None]) ** 2).sum(axis=2)
    # The nearest centre's distance is taken off, so that no column can vanish.
    weight = np.exp(-0.5 * (distance - distance.min(axis=0)) / _REGION_KM**2)
    return np.asarray(weight / np.sqrt((weight**2).sum(axis=0)))
