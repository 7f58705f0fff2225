"""Independent tasks over several processes or a Ray cluster: each leaves its result in a folder, none is lost."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simmst.errors import ConfigError, SimmstError
from simmst.io.processes import WorkerLost, in_processes

#: Times that a worker may be killed before the call gives up; a task that fills the memory kills each one.
LOSSES = 3
_THREADS = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


@dataclass(frozen=True, slots=True)
class Workers:
    """Who works.

    Attributes
    ----------
    count : int
        Processes on this machine.
    ray : str, optional
        Address of a Ray cluster in place of them: "auto" for the one of this machine, "local" for a new one.

    Raises
    ------
    ConfigError
        If both are given, or the count is impossible.
    """

    count: int = 1
    ray: str | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ConfigError(f"workers {self.count}: must be at least 1")
        if self.ray is not None and self.count > 1:
            raise ConfigError("workers: a Ray cluster knows its own; leave out --workers or --ray")

    @property
    def several(self) -> bool:
        """Whether tasks leave this process."""
        return self.count > 1 or self.ray is not None


def distribute(
    function: Callable[..., None],
    tasks: Sequence[tuple[Any, ...]],
    workers: Workers,
    folder: Path,
    finished: Callable[[int], None],
) -> None:
    """Call ``function(*task)`` for each task.

    A task whose worker was killed is given to another one, up to `LOSSES` times; so a task must go on, or begin
    anew, where it was left. An exception or Ctrl-C ends the other tasks where they are.

    Parameters
    ----------
    function : callable
        Of a module, so that workers find it. What it has to say it writes into the folder.
    tasks : sequence of tuple
        Arguments, which are pickled.
    workers : Workers
        See `Workers`.
    folder : Path
        Where results go; on a cluster all nodes must see it under the same path.
    finished : callable
        Called with the number of each task as it ends, in any order.

    Raises
    ------
    SimmstError
        What a task raised; or if workers were killed again and again, or a node does not see the folder.
    """
    if workers.ray is not None:
        _on_ray(function, tasks, workers.ray, folder, finished)
        return
    left = dict(enumerate(tasks))
    for loss in range(LOSSES + 1):
        calls = [(function, number, task) for number, task in left.items()]
        try:
            for number in in_processes(_numbered, calls, workers.count, patient=False):
                del left[number]
                finished(number)
            return
        except WorkerLost:
            if loss == LOSSES:
                raise


def _numbered(function: Callable[..., None], number: int, task: tuple[Any, ...]) -> int:
    function(*task)
    return number


def _seen(mark: Path, function: Callable[..., None], task: tuple[Any, ...]) -> None:
    """Do a task on a node, if it shares the folder."""
    if not mark.exists():
        raise ConfigError(
            f"out {mark.parent}: the node {socket.gethostname()} does not see this folder; put it on a file "
            "system that all nodes share"
        )
    function(*task)


def _on_ray(
    function: Callable[..., None],
    tasks: Sequence[tuple[Any, ...]],
    address: str,
    folder: Path,
    finished: Callable[[int], None],
) -> None:
    try:
        import ray
    except ModuleNotFoundError:
        raise ConfigError("ray: ray is missing; install by: pip install 'cutplane[ray]'") from None
    if not ray.is_initialized():
        try:
            ray.init(address=address, runtime_env={"env_vars": _THREADS}, log_to_driver=False)
        except ConnectionError as error:
            raise ConfigError(f"ray {address}: no cluster answers ({error})") from None
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder.absolute() / f".shared-{secrets.token_hex(4)}"
    mark.touch()
    remote = ray.remote(num_cpus=1, max_retries=LOSSES)(_seen)
    pending = {remote.remote(mark, function, task): number for number, task in enumerate(tasks)}
    try:
        while pending:
            (ready,), _ = ray.wait(list(pending), num_returns=1)
            ray.get(ready)
            finished(pending.pop(ready))
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        raise cause if isinstance(cause, SimmstError) else error from None
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):  # killed, by Ray or the system
        raise WorkerLost("ray: a worker was killed again and again (out of memory?); the rest is kept") from None
    finally:
        for one in pending:
            ray.cancel(one, force=True)
        mark.unlink(missing_ok=True)
