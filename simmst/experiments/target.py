"""The traffic a run validates and tests on: a file, summed to hours, or a synthetic city."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from simmst.data.dataset import TrafficData
from simmst.errors import ConfigError, DataError
from simmst.experiments.config import RunConfig
from simmst.simulator.city import synthetic_target


@dataclass(frozen=True, slots=True)
class Target:
    """Hourly traffic with the name it is shown under, and what a reader must know about it first."""

    data: TrafficData
    name: str
    notices: tuple[str, ...] = ()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hex; it tells on resuming whether the file is still the same."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise DataError(f"--data {path}: no such file") from None
    except OSError as error:
        raise DataError(f"--data {path}: cannot be read ({error.strerror})") from None


def load_target(config: RunConfig) -> Target:
    """Read or make the traffic of a run.

    Parameters
    ----------
    config : RunConfig
        With ``data`` the file is read, its services selected and finer steps summed to hours; without it
        a city is simulated whose parameters lie outside the training prior.

    Returns
    -------
    Target

    Raises
    ------
    SimmstError
        If the file cannot be used, has changed since the run began, or lacks a service.
    """
    if config.data is None:
        city = synthetic_target(
            config.seed, config.target.days, config.services or config.target.services, config.target.nodes
        )
        return Target(
            city,
            "a synthetic city",
            (
                "No traffic file was given: the target is a synthetic city, simulated with parameters outside "
                "the prior that the training worlds are drawn from. These figures say nothing about real "
                "traffic; run with --data FILE for that.",
            ),
        )
    path = Path(config.data)
    if config.data_sha256 is not None and file_digest(path) != config.data_sha256:
        raise DataError(f"{path}: has changed since the run began; begin a new run")
    data = TrafficData.load(path).select(services=config.services)
    notices: tuple[str, ...] = ()
    if data.step_minutes != 60:
        notices = (f"The file has steps of {data.step_minutes} minutes; they were summed to hours.",)
        data = hourly(data)
    return Target(data, path.name, notices)


def hourly_units(data: TrafficData) -> str:
    """Units of hourly traffic, in words."""
    named = {"unknown": "units of the file", "simulated": "simulated units"}
    return f"{named.get(data.units, data.units)} per hour"


def hourly(data: TrafficData) -> TrafficData:
    """Sum finer steps to whole hours of the clock; part hours at either end are left out.

    Raises
    ------
    ConfigError
        If the steps are longer than an hour or do not divide it.
    """
    if 60 % data.step_minutes:
        raise ConfigError(
            f"data: steps of {data.step_minutes} minutes cannot be summed to hours; simulated worlds are hourly"
        )
    per_hour = 60 // data.step_minutes
    minute = int((data.start - data.start.astype("datetime64[h]")) / np.timedelta64(1, "m"))
    if minute % data.step_minutes:
        raise ConfigError(f"data: the first step begins at {data.start}, so no step begins on the hour")
    first = (60 - minute) % 60 // data.step_minutes
    hours = (len(data.values) - first) // per_hour
    if hours < 1:
        raise DataError(f"data: {len(data.values)} steps of {data.step_minutes} minutes hold no whole hour")
    values = data.values[first : first + hours * per_hour]
    summed = values.reshape(hours, per_hour, *values.shape[1:]).sum(axis=1, dtype=np.float64)
    return replace(data, values=summed.astype(np.float32), start=data.times[first], step_minutes=60)
