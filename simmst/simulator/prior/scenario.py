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
from simmst.simulator.prior.distributions import Distribution, LogUniform, Uniform
from simmst.simulator.prior.parameters import Kind, domain, has_own_stream
from simmst.simulator.streams import stream

#: Names of the priors that stand in this package.
Base = Literal["informed", "literature"]
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
            raise ConfigError(f"unknown parameter {', '.join(unknown)}; see simmst.simulator.prior.parameters")
        for name, value in changes.items():
            if value not in domain(name):
                raise ConfigError(f"{name}: {value:g} is outside its domain: it must be {domain(name)}")
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
    base
        Name of the prior that this one is or started from: "informed" or "literature".

    Raises
    ------
    ConfigError
        If the mixture is none, a name is unknown, or a distribution has values outside its parameter's domain.
    """

    city: Mapping[str, Distribution]
    service: Mapping[Kind, Mapping[str, Distribution]]
    mixture: tuple[float, float, float] = MIXTURE
    base: Base = "informed"

    def __post_init__(self) -> None:
        if len(self.mixture) != 3 or min(self.mixture) < 0 or abs(sum(self.mixture) - 1) > 1e-9:
            raise ConfigError(f"mixture={self.mixture}: must be three probabilities that sum to one")
        for name, distribution in self.city.items():
            domain(name).check(name, distribution)
        for kind, own in self.service.items():
            for name, distribution in own.items():
                domain(f"{kind}.{name}").check(f"{kind}.{name}", distribution)

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
        values = {name: _part(name, d, part).sample(_stream(seed, name, rng)) for name, d in named.items()}
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
            source = _stream(seed, name, rng)
            values[name] = _margin(name, d, source) if name in _TARGET_PARAMETERS else d.sample(source)
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
            math.log(weight) + sum(_part(name, d, k).log_prob(scenario[name]) for name, d in named.items())
            for k, weight in enumerate(self.mixture)
            if weight > 0
        ]
        return float(np.logaddexp.reduce(parts))


def _stream(seed: np.random.SeedSequence | int, name: str, shared: np.random.Generator) -> np.random.Generator:
    """Where a parameter is drawn from."""
    return stream(seed, name) if has_own_stream(name) else shared


def _part(name: str, d: Distribution, k: int) -> Distribution:
    """Distribution of a parameter in one part of the mixture."""
    return d if k == 0 else d.near() if k == 1 else domain(name).limit(d.wide())


def _margin(name: str, d: Distribution, rng: np.random.Generator) -> float:
    """Draw from the widened range without the range, evenly on the distribution's own scale."""
    wide, log = domain(name).limit(d.wide()), isinstance(d, LogUniform)
    if not (isinstance(d, (Uniform, LogUniform)) and isinstance(wide, (Uniform, LogUniform))):
        raise ConfigError(f"{name}: {d} has no range to go beyond; only uniform and log-uniform ones have")
    ends = np.array([wide.low, d.low, d.high, wide.high])
    a, b, c, e = np.log(ends) if log else ends
    x = rng.uniform(0.0, (b - a) + (e - c))
    value = a + x if x < b - a else c + (x - (b - a))
    return float(np.exp(value) if log else value)
