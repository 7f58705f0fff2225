"""Pseudo-reality: traffic of moving people and their sessions, a generator unlike the one that trains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError
from simmst.simulator.mobility import draw_town, presence
from simmst.traffic.dataset import TrafficData

FloatArray = NDArray[np.float64]

SERVICES = ("call", "sms", "internet")
# Relative activity asleep, at work and in free time, by service; and that per person and hour [chosen here].
_ACTIVITY = np.array([[0.01, 0.02, 0.08], [1.0, 0.7, 0.8], [0.8, 1.0, 1.2]])
_PER_HOUR = np.array([0.15, 0.25, 1.2])
_WORKERS = 0.6
# Deviation of the logarithm of people's activity: 1 to 1.5 [K].
_PEOPLE_SIGMA = 1.2
# Share of sessions, and mean and deviation of log10 bytes: Zanella et al., IMC 2023 [S: the shares, and that means
# lie within 3.7 and 7.2, deviations within 0.64 and 1.23, with medians of 5.5 and 0.95]. Which app has which mean
# is our guess [C]: streaming the most, messages the least.
_SESSIONS = np.array(
    [
        (0.367, 5.5, 0.95),  # Facebook
        (0.178, 5.2, 0.95),  # Snapchat
        (0.200, 5.9, 0.95),  # Instagram, its two entries together
        (0.050, 6.6, 1.10),  # YouTube
        (0.030, 7.2, 1.23),  # Netflix
        (0.175, 4.6, 0.80),  # all others
    ]
)
# The log-normal's tail would have sessions of terabytes: no session moves more than this [chosen here].
_MOST_BYTES = 5e8
_RECORD_BYTES, _RECORD_SECONDS = 5e6, 900.0
# Log-normal durations: mean 60 to 180 s, deviation of the logarithm 0.8 to 1.5 [K].
_SECONDS_MEAN, _SECONDS_SIGMA = 120.0, 1.2
# Messages are answered: a conversation has a geometric number of them, on average [chosen here].
_MESSAGES = 3.0
_KM_PER_DEGREE = 111.32


def pseudo_reality(seed: int, days: int = 28, nodes: int = 64, people: int = 40_000) -> TrafficData:
    """Simulate a town of people who sleep, work, move about, call, write and use apps.

    It shares neither equations nor code with the worlds of `city.py`: there are no profiles, no log-normal
    residuals and no radio here; rhythm and noise come from what people do. Internet is counted in records by the
    rule of the Telecom Italia data: one at a session's start, one at its end, one every 15 min or 5 MB
    (Barlacchi et al., Scientific Data 2015).

    Parameters
    ----------
    seed : int
        Seed of everything.
    days : int
        Whole days, from a Monday.
    nodes : int
        Number of places, each a node, at least 2.
    people : int
        Number of people.

    Returns
    -------
    TrafficData
        Hourly call, sms and internet `[24 * days, nodes, 3]`, in records.

    Raises
    ------
    ConfigError
        If a number is too small.
    """
    if seed < 0 or days < 1 or nodes < 2 or people < 1:
        raise ConfigError(
            f"seed={seed}, days={days}, nodes={nodes}, people={people}: needs a seed of at least 0, 1 day, "
            "2 nodes and 1 person"
        )
    rng = np.random.default_rng(seed)
    town = draw_town(nodes, rng)
    rate = np.exp(_PEOPLE_SIGMA * rng.standard_normal(people) - _PEOPLE_SIGMA**2 / 2)
    expected = _PER_HOUR * presence(town, rate, _ACTIVITY, _WORKERS, 24 * days, rng)
    calls = rng.poisson(expected[:, :, 0])
    messages = _conversations(expected[:, :, 1] / _MESSAGES, rng)
    internet = _internet_records(expected[:, :, 2], rng)
    return TrafficData(
        values=np.stack([calls, messages, internet], axis=2).astype(np.float32),
        start=np.datetime64("2024-01-01T00:00", "m"),
        step_minutes=60,
        services=SERVICES,
        node_ids=tuple(f"place-{b}" for b in range(nodes)),
        coordinates=town.places / _KM_PER_DEGREE,
        units="records",
    )


def _conversations(expected: FloatArray, rng: np.random.Generator) -> NDArray[np.int64]:
    """Poisson numbers of conversations, and a geometric number of messages in each."""
    begun = rng.poisson(expected)
    # A sum of n geometric numbers is n plus a negative binomial one.
    answers = rng.negative_binomial(np.maximum(begun, 1), 1 / _MESSAGES)
    return np.asarray(begun + np.where(begun > 0, answers, 0))


def _internet_records(expected: FloatArray, rng: np.random.Generator) -> NDArray[np.int64]:
    """Poisson numbers of sessions of each app, and the records that each session leaves."""
    records = np.zeros(expected.shape, dtype=np.int64)
    for share, mean, deviation in _SESSIONS:
        for hour, sessions in enumerate(rng.poisson(share * expected)):
            place = np.repeat(np.arange(len(sessions)), sessions)
            volume = np.minimum(10 ** rng.normal(mean, deviation, len(place)), _MOST_BYTES)
            length = rng.lognormal(np.log(_SECONDS_MEAN) - _SECONDS_SIGMA**2 / 2, _SECONDS_SIGMA, len(place))
            more = np.floor(np.maximum(volume / _RECORD_BYTES, length / _RECORD_SECONDS))
            records[hour] += np.bincount(place, weights=2 + more, minlength=len(sessions)).astype(np.int64)
    return records
