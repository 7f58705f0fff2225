"""A function over arguments in processes of one thread; what a process that ends takes along is tried again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_TRIES = 2  # that end their process before anything came: then none of the rest is tried

A = TypeVar("A")
R = TypeVar("R")


def in_processes(
    function: Callable[[A], R], arguments: Sequence[A], workers: int
) -> Iterator[tuple[A, R | None]]:
    """Yield arguments and results as they are finished, None for those that end their process."""
    lost, done = [], 0
    for argument, result in _in_pool(function, arguments, min(workers, len(arguments))):
        if result is None:
            lost.append(argument)
        else:
            done += 1
            yield argument, result
    # a process that ends takes the rest of its pool along: each is tried again in a pool of its own
    for tried, argument in enumerate(sorted(lost, key=list(arguments).index)):
        result = next(_in_pool(function, [argument], 1))[1] if done or tried < _TRIES else None
        done += result is not None
        yield argument, result


def _in_pool(function: Callable[[A], R], arguments: Sequence[A], workers: int) -> Iterator[tuple[A, R | None]]:
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    try:
        with _one_thread_each():
            futures = {pool.submit(function, argument): argument for argument in arguments}
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except BrokenProcessPool:
                yield futures[future], None
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """What processes spawned inside inherit: one thread for linear algebra, and no ear for Ctrl-C."""
    before = {name: os.environ.get(name) for name in _THREADS}
    main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if main else None
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
