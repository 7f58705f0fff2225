"""Work shared among processes that a stop leaves in order: spawned, on one thread each, gone with their parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Any, TypeVar

from simmst.errors import SimmstError

Result = TypeVar("Result")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class WorkerLost(SimmstError):
    """A process was ended from outside, with the call that it was at."""


def in_processes(
    function: Callable[..., Result], arguments: Sequence[tuple[Any, ...]], workers: int, patient: bool = True
) -> Iterator[Result]:
    """Call a function with each of the arguments; results come as they are ready, in any order.

    After an exception (Ctrl-C among them) no other call is begun; those in hand are finished, or ended where
    they are.

    Parameters
    ----------
    function : callable
        A function of a module, so that processes find it.
    arguments : sequence of tuple
        Positional arguments of each call.
    workers : int
        Number of processes; with 1, or a single call, everything happens in this one.
    patient : bool
        Whether a stop waits for the calls in hand. Calls that take long, and go on where they stopped when they
        are made again, are better ended.

    Raises
    ------
    WorkerLost
        If a process is killed.
    """
    workers = min(workers, len(arguments))
    if workers <= 1:
        for each in arguments:
            yield function(*each)
        return
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(workers, context, initializer=_end_in_time, initargs=(stop,))
    try:
        with _for_workers():
            futures = [pool.submit(function, *each) for each in arguments]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool:
        raise WorkerLost(
            "workers: a process was ended from outside (out of memory?); what is finished is kept: call again "
            "with fewer workers"
        ) from None
    except BaseException:
        if not patient:
            stop.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _for_workers() -> Iterator[None]:
    """What processes spawned inside inherit: one thread for linear algebra, and no ear for Ctrl-C."""
    before = {name: os.environ.get(name) for name in _THREADS}
    main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if main else None
    # Matrices here are small: threads would only wait for each other.
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if main:
            signal.signal(signal.SIGINT, handler)


def _end_in_time(stop: Event) -> None:
    """End this process when it shall stop, or when its parent is killed, which closes no queue between them."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        while parent.is_alive() and not stop.wait(0.2):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
