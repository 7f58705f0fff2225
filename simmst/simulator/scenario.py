"""The randomised prior over cities: every parameter of a world is drawn from it and kept with the world."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError
from simmst.simulator.distributions import Choice, Distribution, LogUniform, Normal, Uniform

Kind = Literal["call", "sms", "internet", "volume"]
LAND_USES = ("residential", "business", "night", "transit", "shop")

# Ranges from published figures and an earlier prototype unless a comment says otherwise (docs/simulator.md).
# [own]: chosen here, where they give none.
CITY: dict[str, Distribution] = {
    # Layout. Squares are 0.235 km wide in a city (the Milano grid) and 1 km outside it (rural).
    "rural": Choice((0.0, 1.0), (0.85, 0.15), 0.0),
    "isd_km": LogUniform(0.35, 1.2, 0.5),
    "rural_isd_km": LogUniform(1.0, 4.0, 2.0),
    "site_jitter": Uniform(0.05, 0.4, 0.2, floor=0.0),  # [own] of the distance between sites
    # Radio.
    "environment": Choice((0.0, 1.0, 2.0), (0.6, 0.25, 0.15), 0.0),  # UMa, UMi, RMa; weights [own]
    "frequency_ghz": Choice((0.8, 1.8, 2.1, 2.6, 3.5), (0.2,) * 5, 2.1),
    "shadow_sigma_db": Uniform(4.0, 9.0, 6.0, floor=1.0),
    "shadow_correlation_m": LogUniform(30.0, 120.0, 50.0),
    "indoor_share": Uniform(0.3, 0.9, 0.7, floor=0.0, ceiling=1.0),
    "power_jitter_db": Uniform(2.0, 4.0, 3.0),  # the prototype fixed 3
    "map_softness_db": LogUniform(0.3, 8.0, 1.5),  # [own] how sharp the operator's coverage map is
    "load_coupled": Choice((0.0, 1.0), (0.7, 0.3), 0.0),
    "peak_load": Uniform(0.2, 1.2, 0.6, floor=0.05),
    # Demand in space.
    # To 1.4 in the prototype; what sites and their coverage smooth away is put on top here.
    "field_sigma": Uniform(0.6, 1.8, 1.2, floor=0.1),
    "field_length_km": LogUniform(1.0, 7.0, 4.0),
    "monocentric": Choice((0.0, 1.0), (0.3, 0.7), 1.0),
    "city_radius_km": LogUniform(3.0, 15.0, 5.0),
    "centre_distance_km": Uniform(0.0, 12.0, 4.0, floor=0.0),  # [own] of this part of the city
    "nugget": Uniform(0.0, 0.4, 0.1, floor=0.0),
    "land_use_sharpness": Uniform(1.0, 3.0, 2.0, floor=0.0),
    # Weekly profile.
    "base": LogUniform(0.03, 0.35, 0.1, ceiling=0.9),
    "sharpness": LogUniform(0.2, 1.6, 0.7),  # from 0.35 in the prototype; Milano's squares are flatter
    "hour_jitter": Uniform(0.2, 1.0, 0.4, floor=0.0),
    "saturday_ratio": LogUniform(0.6, 1.3, 0.85),
    # [own] Cities differ in whether there is a weekend at all (Milano has one, Jinan hardly), and in how
    # deep the night is between broad days (Jinan: peak/mean 1.6 with peak/trough 9, which bumps alone miss).
    "weekend_strength": LogUniform(0.05, 1.0, 0.5),
    "texture": LogUniform(0.01, 0.1, 0.03),  # [own] fine structure of a day, the same every week
    "night_depth": Uniform(0.0, 0.9, 0.4, floor=0.0, ceiling=0.97),
    # The prototype had one weekend ratio in (0.35, 1.8); split by land use here after its three squares.
    "weekend.residential": LogUniform(0.6, 1.4, 1.0),
    "weekend.business": LogUniform(0.35, 0.9, 0.55),
    "weekend.night": LogUniform(0.7, 1.5, 1.1),
    "weekend.transit": LogUniform(0.4, 1.1, 0.7),
    "weekend.shop": LogUniform(0.5, 1.8, 1.1),
    "holiday.residential": Uniform(0.35, 1.1, 0.7, floor=0.1),
    "holiday.business": Uniform(0.2, 0.55, 0.35, floor=0.05),
    "holiday.night": Uniform(0.35, 1.1, 0.6, floor=0.1),
    "holiday.transit": Uniform(0.3, 0.9, 0.6, floor=0.05),  # [own]
    "holiday.shop": LogUniform(0.1, 1.3, 0.6),
    "holiday_rate": LogUniform(0.001, 0.03, 0.01),  # [own] holidays that begin, a day
    "holiday_days": Uniform(1.0, 3.0, 1.5, floor=1.0),  # [own] mean length
    "clock_shift_h": Choice((-1.0, 0.0, 1.0), (0.025, 0.95, 0.025), 0.0),
    "start_hour": Choice(tuple(float(h) for h in range(168)), (1 / 168,) * 168, 0.0),
    # Residual of the logarithm. Wider to the quiet side than the prototype, which saw three busy squares: in
    # Jinan services are nearly independent (0.1 to 0.45) and the noise is short (0.45 at 1 h).
    # [own] One factor on all of the parts, since large nodes are quieter than small ones. To 1.2 at first: the
    # differences from a week before in 100 Milano squares (training days) were larger and not white.
    "residual_scale": LogUniform(0.2, 2.0, 0.6, ceiling=2.0),
    "residual_city": LogUniform(0.01, 0.10, 0.03),
    "residual_region": LogUniform(0.01, 0.12, 0.05),
    "residual_site": LogUniform(0.01, 0.12, 0.05),
    "residual_service": LogUniform(0.03, 0.6, 0.12, ceiling=0.6),
    "residual_acf1": Uniform(0.46, 0.9, 0.6, floor=0.44, ceiling=0.96),
    "pattern": LogUniform(0.01, 0.12, 0.04),  # [own] slow change of the daily shape: residual ACF at 24 h
    "pattern_days": LogUniform(1.5, 10.0, 4.0),  # [own] its memory
    "day_factor": LogUniform(0.005, 0.1, 0.03),
    "drift": LogUniform(0.002, 0.04, 0.012),  # a day
    # Rare things. Published sets have their gaps filled, so few records are missing (prototype: U(0, .02)).
    "event_rate": LogUniform(0.002, 0.05, 0.01),  # a day and 10 km2
    "event_size": Uniform(0.3, 1.5, 0.8, floor=0.05),
    "outage_rate": LogUniform(1e-6, 1e-4, 1e-5),  # [own] a site and hour
    "missing_share": LogUniform(1e-6, 1e-3, 1e-4),
}

SERVICE: dict[Kind, dict[str, Distribution]] = {
    "call": {
        "ln_mean": Normal(1.5, 0.8),
        "lag_h": Uniform(-0.5, 1.0, 0.0),
        # Voice all but stops at night (Milano: peak over trough 27 in the city, 60 to 230 in its squares) and
        # rests at weekends; the prototype's 0.25 to 0.5 and 0.35 to 0.7 for messages left too much.
        "base_factor": LogUniform(0.005, 0.5, 0.1),
        "weekend_factor": LogUniform(0.4, 1.0, 0.7),
        "record_scale": LogUniform(0.5, 50.0, 10.0),
    },
    "sms": {
        "ln_mean": Normal(1.9, 0.8),
        "lag_h": Uniform(-0.5, 1.0, 0.3),
        "base_factor": LogUniform(0.02, 0.7, 0.25),
        "weekend_factor": LogUniform(0.6, 1.1, 0.85),
        "record_scale": LogUniform(0.5, 50.0, 10.0),
    },
    "internet": {
        "ln_mean": Normal(5.2, 0.8),
        "lag_h": Uniform(-0.5, 1.0, 0.8),
        "base_factor": LogUniform(0.7, 1.4, 1.0),
        "weekend_factor": LogUniform(0.8, 1.25, 1.0),
        "record_scale": Choice((1.0,), (1.0,), 1.0),
        # LogU(60, 2000) in the prototype: more white noise than the training days of Milano and Jinan have.
        "dispersion": LogUniform(200.0, 5000.0, 1000.0),
    },
    # [own] Bytes of one direction or generation: levels spread over decades, many records in each megabyte.
    "volume": {
        "ln_mean": Normal(3.5, 1.5),
        "lag_h": Uniform(-0.5, 1.0, 0.5),
        "base_factor": LogUniform(0.7, 1.4, 1.0),
        "weekend_factor": LogUniform(0.9, 1.15, 1.0),
        "record_scale": LogUniform(2.0, 500.0, 30.0),
        "field_sigma": Uniform(0.05, 0.9, 0.3, floor=0.0),  # Jinan: correlation over streets of 4G and 5G 0.77
        "dispersion": LogUniform(200.0, 5000.0, 1000.0),
    },
}
# For all kinds that do not say otherwise.
EVERY_SERVICE: dict[str, Distribution] = {
    "field_exponent": Uniform(0.85, 1.15, 1.0, floor=0.3),
    "field_sigma": Uniform(0.05, 0.35, 0.2, floor=0.0),
    # [own] Services differ in how noisy they are by themselves (Jinan: 5G downlink least).
    "residual_factor": LogUniform(0.25, 2.5, 0.8, ceiling=2.5),
}
#: Shares of worlds drawn from the prior itself, near the nominal values, and from the widened ranges.
MIXTURE = (0.7, 0.2, 0.1)
# What makes a city unlike the training worlds: its shape of the day and its noise.
_TARGET_PARAMETERS = (
    "base",
    "sharpness",
    "hour_jitter",
    "field_sigma",
    "residual_city",
    "residual_site",
    "pattern",
    "day_factor",
)


def service_kind(name: str) -> Kind:
    """
    Kind of process that a service's name stands for.

    The name is cut into words at everything but letters and digits. With "sms" or "mms" among them it is
    "sms"; with "call", "calls" or "voice", "call"; with "up", "down", "ul", "dl", "uplink", "downlink",
    "volume", "bytes" or "traffic", "volume" (bytes moved); anything else is "internet". Services of one kind
    are exchangeable: each draws its own parameters from the same distributions.

    Parameters
    ----------
    name
        The service, such as "sms", "internet" or "5g_down".
    """
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    if words & {"sms", "mms"}:
        return "sms"
    if words & {"call", "calls", "voice"}:
        return "call"
    if words & {"up", "down", "ul", "dl", "uplink", "downlink", "volume", "bytes", "traffic"}:
        return "volume"
    return "internet"


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    Parameters of one world: named numbers, those of a service as "service.name".

    Parameters
    ----------
    services
        The services, in order.
    values
        The numbers.
    """

    services: tuple[str, ...]
    values: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        """Return the number with this name."""
        return self.values[name]

    def of_services(self, name: str) -> NDArray[np.float64]:
        """One number a service, float64 `[S]`; a service that lacks it has +inf (no such effect)."""
        return np.array([self.values.get(f"{service}.{name}", math.inf) for service in self.services])

    def with_values(self, **changes: float) -> Scenario:
        """Copy with some numbers changed; a name with a dot goes in as **{"weekend.shop": 1.0}."""
        unknown = sorted(set(changes) - set(self.values))
        if unknown:
            raise ConfigError(f"unknown parameter {', '.join(unknown)}; see simmst.simulator.scenario.CITY")
        return Scenario(self.services, {**self.values, **changes})


@dataclass(frozen=True, slots=True)
class Prior:
    """
    Distribution over scenarios: 70 % of the worlds from the ranges, 20 % near nominal, 10 % from wide ranges.

    Parameters
    ----------
    city
        Distributions of the city-wide parameters.
    service
        Distributions of a service's parameters by its kind, those shared by all kinds included.
    mixture
        Weights of the three parts.
    """

    city: Mapping[str, Distribution]
    service: Mapping[Kind, Mapping[str, Distribution]]
    mixture: tuple[float, float, float] = MIXTURE

    def __post_init__(self) -> None:
        if len(self.mixture) != 3 or min(self.mixture) < 0 or abs(sum(self.mixture) - 1) > 1e-9:
            raise ConfigError(f"mixture={self.mixture}: must be three probabilities that sum to one")

    def distributions(self, services: Sequence[str]) -> dict[str, Distribution]:
        """Distribution of every named number of a scenario with these services."""
        if not services or len(set(services)) != len(services):
            raise ConfigError(f"services={tuple(services)}: need one or more different names")
        named = dict(self.city)
        for service in services:
            for name, distribution in self.service[service_kind(service)].items():
                named[f"{service}.{name}"] = distribution
        return named

    def sample(self, seed: np.random.SeedSequence | int, services: Sequence[str]) -> Scenario:
        """
        Draw the parameters of one world.

        Parameters
        ----------
        seed
            Seed of this world.
        services
            Names of its services; `service_kind` maps them to kinds.
        """
        rng = np.random.default_rng(seed)
        named = self.distributions(services)
        part = int(rng.choice(3, p=self.mixture))
        values = {name: _part(d, part).sample(rng) for name, d in named.items()}
        return Scenario(tuple(services), values)

    def sample_beyond(self, seed: np.random.SeedSequence | int, services: Sequence[str]) -> Scenario:
        """
        Draw a city outside the ranges, for a target that training has not covered.

        Eight parameters of the daily shape and of the noise lie between the range's end and the widened
        range's (a side with no room is not used); the others come from the ranges. Of the training mixture
        only the 10 % of wide worlds can come there, and all eight at once practically never do.

        Parameters
        ----------
        seed
            Seed of this city.
        services
            Names of its services.
        """
        rng = np.random.default_rng(seed)
        values = {}
        for name, d in self.distributions(services).items():
            values[name] = _margin(d, rng) if name in _TARGET_PARAMETERS else d.sample(rng)
        return Scenario(tuple(services), values)

    def nominal(self, services: Sequence[str]) -> Scenario:
        """Scenario with every number at its usual value."""
        named = self.distributions(services)
        return Scenario(tuple(services), {name: d.nominal for name, d in named.items()})

    def log_prob(self, scenario: Scenario) -> float:
        """
        Log of the mixture's density at a scenario; -inf outside it.

        Parameters
        ----------
        scenario
            The scenario; its names must be those of this prior.
        """
        named = self.distributions(scenario.services)
        if named.keys() != scenario.values.keys():
            odd = sorted(named.keys() ^ scenario.values.keys())
            raise ConfigError(f"scenario: parameters {', '.join(odd)} are in the prior or the scenario only")
        parts = [
            math.log(weight) + sum(_part(d, k).log_prob(scenario[name]) for name, d in named.items())
            for k, weight in enumerate(self.mixture)
            if weight > 0
        ]
        return float(np.logaddexp.reduce(parts))


def default_prior() -> Prior:
    """Prior with the ranges of this file, over any services."""
    return Prior(CITY, {kind: {**EVERY_SERVICE, **own} for kind, own in SERVICE.items()})


def _part(d: Distribution, k: int) -> Distribution:
    return d if k == 0 else d.near() if k == 1 else d.wide()


def _margin(d: Distribution, rng: np.random.Generator) -> float:
    """Draw from the widened range without the range, evenly on the distribution's own scale."""
    if not isinstance(d, (Uniform, LogUniform)):
        raise ConfigError(f"{d}: has no range to go beyond; only uniform and log-uniform ones have")
    wide, log = d.wide(), isinstance(d, LogUniform)
    ends = np.array([wide.low, d.low, d.high, wide.high])
    a, b, c, e = np.log(ends) if log else ends
    x = rng.uniform(0.0, (b - a) + (e - c))
    value = a + x if x < b - a else c + (x - (b - a))
    return float(np.exp(value) if log else value)
