"""How many forecast origins a horizon and filled gaps leave in each part of a run, said before its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simmst.evaluation.scores import counted, table_horizons
from simmst.experiments.job import Job
from simmst.traffic.recorded import HOW_GAPS_MEET, recorded_origins
from simmst.traffic.split import Protocol
from simmst.traffic.windows import needed_steps

#: Origins of a part that figures can rest on: a day of them.
ENOUGH = 24
_LONGEST_FILE = 400  # days; horizons of a week need 55


@dataclass(frozen=True, slots=True)
class OriginCount:
    """Origins of one part at one horizon.

    Attributes
    ----------
    part : str
        "training", "validation" or "test".
    horizon : int
        Steps H.
    kept, of : int
        Origins whose H steps were recorded, of all services, at one node at least; and all origins.
    counted : mapping of str to float
        By service: share of the O H N forecast steps that were recorded, in [0, 1].
    alone : mapping of str to int
        By service: origins that its own gaps would leave.
    """

    part: str
    horizon: int
    kept: int
    of: int
    counted: Mapping[str, float]
    alone: Mapping[str, int]

    @property
    def scarce(self) -> bool:
        """Whether less than half is left of what counts: a service's steps in the test, else origins."""
        share = min(self.counted.values()) if self.part == "test" else self.kept / self.of
        return share < 0.5

    def as_dict(self) -> dict[str, object]:
        """Return it as metrics.json holds it."""
        return {"kept": self.kept, "of": self.of, "counted": dict(self.counted)}

    def __str__(self) -> str:
        """Return the count in words."""
        if self.kept == self.of:
            return f"{self.of} forecast origin{'s' * (self.of != 1)}"
        words = f"{self.kept} of {self.of} forecast origins have their whole horizon recorded"
        if self.part == "test":
            shares = {service: f"{100 * share:.1f} %" for service, share in self.counted.items()}
            if len(set(shares.values())) == 1:
                shares = {"each service": next(iter(shares.values()))}
            listed = ", ".join(f"{share} of {service}" for service, share in shares.items())
            words += f"; counted are the recorded hours of all of them: {listed}"
        return words


def count_origins(job: Job) -> list[OriginCount]:
    """Count the origins of training and validation, and those of the test at each of `table_horizons`."""
    horizon, parts = job.config.horizon, job.protocol
    first = needed_steps(job.config.lookback, parts.steps_per_day)  # an earlier origin has no history
    train = parts.train.origins(horizon)
    return [
        _left(job, "training", train[train >= first], horizon),
        _left(job, "validation", parts.validation.origins(horizon), horizon),
        *(_left(job, "test", parts.test.origins(h), h) for h in table_horizons(horizon)),
    ]


def _left(job: Job, part: str, origins: npt.NDArray[np.int64], horizon: int) -> OriginCount:
    services, filled = job.target.data.services, job.target.data.unrecorded
    recorded = counted(filled, origins, horizon)
    shares = np.ones(len(services)) if recorded is None else recorded.mean(axis=(0, 1, 2))
    return OriginCount(
        part,
        horizon,
        len(recorded_origins(filled, origins, horizon)),
        len(origins),
        {name: float(share) for name, share in zip(services, shares, strict=True)},
        {name: len(recorded_origins(filled[..., [s]], origins, horizon)) for s, name in enumerate(services)},
    )


def origins_in_metrics(left: list[OriginCount]) -> dict[str, object]:
    """Return the counts by part, those of the test by horizon."""
    found: dict[str, object] = {one.part: one.as_dict() for one in left if one.part != "test"}
    return {**found, "test": {str(one.horizon): one.as_dict() for one in left if one.part == "test"}}


def origin_notices(job: Job) -> list[str]:
    """Warn where gaps leave less than half, or a part holds too few origins for its figures to mean much."""
    left = [one for one in count_origins(job) if one.horizon == job.config.horizon]
    return [*_scarce(left), *_few(left, job.protocol)]


def _scarce(left: list[OriginCount]) -> list[str]:
    scarce = [one for one in left if one.scarce]
    if not scarce:
        return []
    services = list(scarce[0].alone)
    guilty = [name for name in services if any(one.alone[name] < one.of / 2 for one in scarce)]
    guilty = guilty or [name for name in services if any(one.alone[name] < one.of for one in scarce)]
    others = [name for name in services if name not in guilty]
    drop = f" or run without them (services {','.join(others)})" if others else ""
    counts = "; ".join(f"{one.part} days, {one.horizon} h: {one}" for one in scarce)
    return [
        f"GAPS LEAVE LESS THAN HALF. {counts}. They are gaps of {', '.join(guilty)}. {HOW_GAPS_MEET}: leave out "
        f"the nodes that were down when you write the file,{drop} or give a file with other days."
    ]


def _few(left: list[OriginCount], protocol: Protocol) -> list[str]:
    ours = left[0].horizon
    few = [one for one in left if one.part != "training" and one.of < ENOUGH]
    if not few:
        return []
    counts = " and ".join(f"{one.of} hour{'s' * (one.of != 1)} of the {one.part} days" for one in few)
    rest = {"validation": "the choice of the epoch, the intervals", "test": "the table"}
    hangs = ", ".join(rest[one.part] for one in few)
    days = protocol.test.stop // protocol.steps_per_day
    shorter = next((h for h in range(ours - 1, 0, -1) if _enough(days, h)), None)
    less = f", or a horizon of at most {shorter} h" if shorter else ""
    longer = next((d for d in range(days, _LONGEST_FILE) if _enough(d, ours)), _LONGEST_FILE)
    return [
        f"FEW ORIGINS. A horizon of {ours} h leaves {counts} to forecast from: {hangs} rest on no more than that "
        f"and say little. {ENOUGH} of each need a file of {longer} days{less}."
    ]


def _enough(days: int, horizon: int) -> bool:
    """Whether a file of whole days of hours has `ENOUGH` origins in validation and test."""
    if not Protocol.fits(days, 24, horizon):
        return False
    parts = Protocol.proportional(24 * days, 60, horizon)
    return min(len(span.origins(horizon)) for span in (parts.validation, parts.test)) >= ENOUGH
