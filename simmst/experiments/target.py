"""The traffic a run validates and tests on: a file, summed to hours, or a synthetic city."""

import hashlib
from pathlib import Path

from simmst.errors import DataError
from simmst.evaluation.target import Target
from simmst.experiments.config import RunConfig
from simmst.simulator.city import synthetic_target
from simmst.traffic.dataset import TrafficData


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hex; it tells on resuming whether the file is still the same."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise DataError(f"data {path}: no such file") from None
    except OSError as error:
        raise DataError(f"data {path}: cannot be read ({error.strerror})") from None


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
                "traffic; give a traffic file (data) for that.",
            ),
        )
    path = Path(config.data)
    if config.data_sha256 is not None and file_digest(path) != config.data_sha256:
        raise DataError(f"{path}: has changed since the run began; begin a new run")
    data = TrafficData.load(path).select(services=config.services)
    notices: tuple[str, ...] = ()
    if data.step_minutes != 60:
        levels = f", {', '.join(data.averaged)} averaged" if data.averaged else ""
        notices = (f"The file has steps of {data.step_minutes} minutes; they were summed to hours{levels}.",)
        data = data.hourly()
    return Target(data, path.name, notices)
