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
from typing import Any, TypeVar

from simmst.errors import SimmstError

Result = TypeVar("Result")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def in_processes(
    function: Callable[..., Result], arguments: Sequence[tuple[Any, ...]], workers: int
) -> Iterator[Result]:
    """
    Call a function with each of the arguments; results come as they are ready, in any order.

    After an exception (Ctrl-C among them) the calls in hand are finished and no other is begun.

    Parameters
    ----------
    function
        A function of a module, so that processes find it.
    arguments
        Positional arguments of each call.
    workers
        Number of processes; with 1, or a single call, everything happens in this one.

    Raises
    ------
    SimmstError
        If a process is killed.
    """
    workers = min(workers, len(arguments))
    if workers <= 1:
        for each in arguments:
            yield function(*each)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_end_with_parent)
    try:
        with _for_workers():
            futures = [pool.submit(function, *each) for each in arguments]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool:
        raise SimmstError(
            "workers: a process was ended from outside (out of memory?); what is finished is kept: call again "
            "with fewer workers"
        ) from None
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


def _end_with_parent() -> None:
    """End this process when its parent is killed, which closes none of the queues between them."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
