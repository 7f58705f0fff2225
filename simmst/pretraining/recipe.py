"""What makes the shipped weights: worlds, windows, steps and seed, with no traffic of any real city."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from simmst.errors import ConfigError
from simmst.pretraining.network import NetworkConfig


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is pretrained; two runs of one recipe on one machine end with the same weights.

    Attributes
    ----------
    prior : str
        "literature" or "informed": what the worlds are drawn from.
    worlds, days : int
        Number of worlds, of 16 nodes and two services each, and their length.
    steps, batch : int
        Gradient steps, and windows in each.
    rate, decay : float
        Largest learning rate (it rises for 300 steps, then falls along a cosine) and weight decay of AdamW.
    averaged : float
        Decay of the running mean of the weights, which is what is kept.
    regimes : float
        Share of windows in which level and shape of the day change at a recent midnight.
    mixed : float
        Share of windows that are a mixture of two series.
    seed : int
    network : NetworkConfig
    """

    prior: Literal["literature", "informed"] = "literature"
    worlds: int = 5000
    days: int = 49
    steps: int = 12000
    batch: int = 512
    rate: float = 1e-3
    decay: float = 0.01
    averaged: float = 0.999
    regimes: float = 0.25
    mixed: float = 0.3
    seed: int = 0
    network: NetworkConfig = field(default_factory=NetworkConfig)

    def __post_init__(self) -> None:
        if self.prior not in ("literature", "informed"):
            raise ConfigError(f"prior {self.prior!r}: must be literature or informed")
        for name, least in (("worlds", 1), ("days", 42), ("steps", 1), ("batch", 2), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} {getattr(self, name)}: must be at least {least}")
        for name, most in (("rate", 1.0), ("decay", 1.0), ("averaged", 1.0), ("regimes", 1.0), ("mixed", 1.0)):
            if not 0 <= getattr(self, name) <= most:
                raise ConfigError(f"{name} {getattr(self, name)}: must lie between 0 and {most:g}")
