"""Coverage: where a city's sites stand, which squares they serve, and how well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import KDTree

from simmst.simulator.prior.scenario import Scenario
from simmst.simulator.radio import links

FloatArray = NDArray[np.float64]

#: Side of a square in km: in a city (the Telecom Italia grid of Milano) and in the country.
SQUARE_KM, RURAL_SQUARE_KM = 0.235, 1.0
# Sites that can serve a square: beyond the 16 nearest the share is below 1e-4 at any drawn parameter.
_CANDIDATES = 16
# Inter-site correlation of shadowing 0.5 (3GPP TR 36.814) [K]: its common half cancels between sites.
_OWN_SHADOW = np.sqrt(0.5)
# Scale of the Gumbel distribution with unit deviation.
_GUMBEL = np.sqrt(6) / np.pi
# Transmit power 46 dBm against thermal noise over 20 MHz with a noise figure of 9 dB, in dB.
_NOISE = -174 + 73 + 9 - 46
# Part of the time in which interfering sites transmit.
_INTERFERENCE_LOAD = 0.5


@dataclass(frozen=True, slots=True)
class Coverage:
    """
    Which sites serve which squares.

    Parameters
    ----------
    share
        Part of each square's demand that each site takes, `[Q, B]`; rows sum to one.
    area
        Part of each square that the operator's coverage map gives to each site, `[Q, B]`; rows sum to one.
    efficiency
        Mean spectral efficiency of each site over what it serves, in bit/s/Hz, `[B]`.
    """

    share: FloatArray
    area: FloatArray
    efficiency: FloatArray

    def spread(self) -> FloatArray:
        """
        Part of each site's traffic that each square is given, `[Q, B]`; columns sum to one.

        A site's counts are spread evenly over its area on the coverage map, which is how the Telecom Italia
        grids were made (Barlacchi et al., Scientific Data 2015). A site without area keeps nothing: all zero.
        """
        total = self.area.sum(axis=0)
        return np.asarray(np.divide(self.area, total, out=np.zeros_like(self.area), where=total > 0))

    def cells(self) -> tuple[NDArray[np.int64], FloatArray]:
        """
        Give each square one cell: the nodes are then cells, not squares of a map.

        Cells are shared out so that the squares' demand for them is largest, each to one square while there are
        cells enough; then a square takes the one that serves it best.

        Returns
        -------
        tuple
            Numbers of the sites that are used, int64 `[C]`, and what each square is given of them, `[Q, C]`: a one
            in each row.
        """
        cell = self.share.argmax(axis=1)
        square, site = linear_sum_assignment(self.share, maximize=True)
        cell[square] = site
        used, column = np.unique(cell, return_inverse=True)
        return used, np.eye(len(used))[column]


def square_centres(side: int, square_km: float) -> FloatArray:
    """
    Centres of `side * side` squares around the origin, row by row from the south-west.

    Parameters
    ----------
    side
        Squares in a row.
    square_km
        Side of a square.

    Returns
    -------
    ndarray
        East and north in km, `[side * side, 2]`.
    """
    axis = (np.arange(side) - (side - 1) / 2) * square_km
    north, east = np.meshgrid(axis, axis, indexing="ij")
    return np.stack([east.ravel(), north.ravel()], axis=1)


def place_sites(distance_km: float, jitter: float, extent_km: float, rng: np.random.Generator) -> FloatArray:
    """
    Sites on a hexagonal grid, turned, shifted and jittered at random.

    Parameters
    ----------
    distance_km
        Distance between neighbouring sites.
    jitter
        Deviation of each coordinate from the grid, in units of the distance.
    extent_km
        Side of the square region to cover; half a distance is added around it.
    rng
        Source of randomness.

    Returns
    -------
    ndarray
        East and north in km, `[B, 2]` with at least one site.
    """
    reach = extent_km / 2 + distance_km / 2
    # Even turned by 45 degrees, and shifted by a whole cell, the grid covers the region.
    count = int(np.ceil(reach * np.sqrt(2) / (distance_km * np.sqrt(0.75)))) + 2
    row, column = (axis.ravel() for axis in np.mgrid[-count : count + 1, -count : count + 1])
    grid = np.stack([column + 0.5 * (row % 2), np.sqrt(0.75) * row], axis=1) + rng.uniform(0, 1, 2)
    angle = rng.uniform(0, np.pi / 3)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    sites = distance_km * (grid @ turn + jitter * rng.standard_normal(grid.shape))
    inside = np.abs(sites).max(axis=1) <= reach
    if not inside.any():
        inside[np.hypot(*sites.T).argmin()] = True
    return np.asarray(sites[inside])


def cover(
    scenario: Scenario, squares: FloatArray, sites: FloatArray, square_km: float, rng: np.random.Generator
) -> Coverage:
    """
    Serve squares by their best sites.

    Parameters
    ----------
    scenario
        Radio parameters.
    squares, sites
        Positions in km, `[Q, 2]` and `[B, 2]`.
    square_km
        Side of a square.
    rng
        Source of shadowing and of power differences between sites.
    """
    n_candidates = min(_CANDIDATES, len(sites))
    distance, site = KDTree(sites).query(squares, k=list(range(1, n_candidates + 1)))
    # Root of squares with 0.383 sides, the mean distance of a square's points from its centre.
    metres = 1000 * np.hypot(distance, 0.383 * square_km)
    gain = _median_gain(scenario, metres) + (scenario["power_jitter_db"] * rng.standard_normal(len(sites)))[site]
    outdoor = 1 - scenario["indoor_share"]
    environment = _environment(scenario)
    common, inside = _shadowing(environment, scenario, square_km)
    offset = _OWN_SHADOW * np.sqrt(outdoor) * common * rng.standard_normal(gain.shape)
    return _serve(environment, scenario, gain, offset, inside, site, len(sites))


def cover_by_gain(scenario: Scenario, gain: FloatArray, square_km: float, rng: np.random.Generator) -> Coverage:
    """
    Serve squares by given path gains: they hold what is common to a square, so no shadowing of it is drawn.

    Parameters
    ----------
    scenario
        Radio parameters; layout and environment play no part (indoors is as in UMa), frequency only indoors.
    gain
        Path gains in dB, `[Q, B]`.
    square_km
        Side of a square.
    rng
        Source of power differences between sites.
    """
    n_sites = gain.shape[1]
    jittered = gain + scenario["power_jitter_db"] * rng.standard_normal(n_sites)
    _, inside = _shadowing("UMa", scenario, square_km)
    site = np.broadcast_to(np.arange(n_sites), gain.shape)
    return _serve("UMa", scenario, jittered, np.zeros_like(gain), inside, site, n_sites)


def _environment(scenario: Scenario) -> links.Environment:
    return links.ENVIRONMENTS[int(scenario["environment"])]


def _shadowing(environment: links.Environment, scenario: Scenario, square_km: float) -> tuple[float, float]:
    """Deviations in dB of the shadowing common to a square (outdoors) and inside it."""
    outdoor = 1 - scenario["indoor_share"]
    common, inside = links.shadow_split(
        scenario["shadow_sigma_db"], scenario["shadow_correlation_m"], 1000 * square_km
    )
    # Indoor shadowing decorrelates in some 10 m, so it lies wholly inside the square.
    return common, float(np.sqrt(outdoor * inside**2 + (1 - outdoor) * links.INDOOR_SHADOWING[environment] ** 2))


def _serve(
    environment: links.Environment,
    scenario: Scenario,
    gain: FloatArray,
    offset: FloatArray,
    inside: float,
    site: NDArray[np.int64],
    n_sites: int,
) -> Coverage:
    """Share squares among candidates: gain, common shadowing and number of the site, `[Q, K]` each."""
    share, area = links.serving_shares(gain, offset, _GUMBEL * _OWN_SHADOW * inside, scenario["map_softness_db"])
    indoor_loss = links.penetration_loss(scenario["frequency_ghz"], links.mean_indoor_depth(environment))
    efficiency = links.spectral_efficiency(
        gain + offset - scenario["indoor_share"] * indoor_loss, load=_INTERFERENCE_LOAD, noise=_NOISE
    )
    share, area = (_scatter(x, site, n_sites) for x in (share, area))
    served = share.sum(axis=0)
    weighted = (share * _scatter(efficiency, site, n_sites)).sum(axis=0)
    return Coverage(share, area, np.divide(weighted, served, out=np.ones_like(served), where=served > 0))


def _median_gain(scenario: Scenario, metres: FloatArray) -> FloatArray:
    """Path gain in dB, averaged over line of sight and none."""
    environment = _environment(scenario)
    seen = links.line_of_sight_probability(environment, metres)
    losses = [links.path_loss(environment, metres, scenario["frequency_ghz"], los) for los in (True, False)]
    return -(seen * losses[0] + (1 - seen) * losses[1])


def _scatter(x: FloatArray, site: NDArray[np.int64], n_sites: int) -> FloatArray:
    full = np.zeros((len(x), n_sites))
    full[np.arange(len(x))[:, None], site] = x
    return full
