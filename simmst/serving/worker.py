"""One thread that computes, and a short queue before it: who comes too many is told when to come again."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import torch

T = TypeVar("T")


class Busy(Exception):
    """The queue is full; `seconds` is when to ask again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"busy: ask again in {seconds} s")
        self.seconds = seconds


class Worker:
    """A thread for torch and the requests that may wait for it.

    Parameters
    ----------
    waiting : int
        Requests at once, the one that is computed among them. A request has its place before its body is read,
        so that bodies in memory are bounded too.
    """

    def __init__(self, waiting: int) -> None:
        self._waiting, self._taken, self._last = waiting, 0, 1.0
        self._pool = ThreadPoolExecutor(1, "forecast", initializer=torch.set_num_threads, initargs=(1,))

    def take(self) -> None:
        """Take a place, to be given back by `leave` or by `run`; called in the event loop only.

        Raises
        ------
        Busy
            If there is none.
        """
        if self._taken >= self._waiting:
            raise Busy(max(1, math.ceil(self._last * self._taken)))
        self._taken += 1

    def leave(self) -> None:
        """Give a place back."""
        self._taken -= 1

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Compute in the thread; the place is given back when that is done, also if nobody waits any more."""
        loop = asyncio.get_running_loop()

        def timed() -> T:
            begin = time.monotonic()
            try:
                return work(*arguments)
            finally:
                self._last = time.monotonic() - begin

        def done(_: Future[T]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self.leave)

        future = self._pool.submit(timed)
        future.add_done_callback(done)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let the thread end what it computes, and no more."""
        self._pool.shutdown(cancel_futures=True)
