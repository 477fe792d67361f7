"""Who goes first, among all clients of one engine: files whose locks say that somebody wants the engine now.

A request shares the lock of its rank's file, from when it begins to wait until it ends; who may be made to wait looks
whether anybody holds one above. A client that dies leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

from devstral_ls.engine import locks
from devstral_ls.engine.place import Place

LOOK_SECONDS = 0.01
"""Between two looks at the others: another process wakes nobody."""

_STARVED_SECONDS = 3.0
"""Who has waited so long runs for ``_SHARE_SECONDS`` all the same: eight people who type must not stop an action. What
nobody waits for never does.
"""

_SHARE_SECONDS = 0.5

_JAM_SECONDS = 5.0
"""An inline request of another client that got no event for so long, or whose client shows no life, does not keep us
waiting: that client may be stopped (an editor in the background of a terminal), and would stop everybody."""

_ALIVE_SECONDS = 1.0
"""Between two signs of life of who wants the engine."""


class Rank(IntEnum):
    """Who goes first: what somebody of a lower number waits for or runs makes the others pause."""

    HOT = 0
    """Inline, and the prompt is cached but for the last tokens: over in less than a second."""
    COLD = 1
    """Inline, and the prompt is new: it pauses between batches, until it has begun to answer."""
    ACTION = 2
    BACKGROUND = 3


_T = TypeVar("_T")


class Turns:
    """The turns at one engine; without a place nobody ever waits."""

    def __init__(self, place: Place | None = None, *, one_at_a_time: bool = False) -> None:
        """``one_at_a_time``: does only one inline request run at a time?

        On a CPU two that decode together take more than twice as long as one: the kernels work on one row or on four.
        Then the second one had better wait, for half of the first one on average.
        """
        self._paths = [place.turn(rank.name.lower()) for rank in Rank] if place else []
        self._run = place.turn("run") if place and one_at_a_time else None
        self._runs = False

    @property
    def shared(self) -> bool:
        """Are there others at the engine, whom we can make wait?"""
        return bool(self._paths)

    @asynccontextmanager
    async def wanting(self, rank: Rank) -> AsyncIterator[None]:
        """While the block runs, all below pause."""
        lock = None
        with contextlib.suppress(OSError):  # where no file can be made, nobody can be told
            while self._paths and lock is None:
                lock = locks.try_shared(self._paths[rank])
                if lock is None:  # somebody looks whether it is held, for this moment
                    await asyncio.sleep(0)
        if lock is None:
            yield
            return
        _touch(self._paths[rank])
        alive = asyncio.create_task(show_life(self._paths[rank]))
        try:
            yield
        finally:
            alive.cancel()
            lock.close()

    @asynccontextmanager
    async def running(self, rank: Rank) -> AsyncIterator[None]:
        """Wait until no other inline request runs, where only one may; others then wait for the block to end."""
        if self._run is None or rank > Rank.COLD:
            yield
            return
        lock = None
        with contextlib.suppress(OSError):
            lock = locks.try_exclusive(self._run)
            while lock is None and not self._jammed():
                await asyncio.sleep(LOOK_SECONDS)
                lock = locks.try_exclusive(self._run)
        with lock or contextlib.nullcontext():
            self._runs = lock is not None
            self.beat()
            try:
                yield
            finally:
                self._runs = False

    def beat(self) -> None:
        """The engine said something to us: who waits for our end need not think that we are stopped."""
        if self._run is not None and self._runs:
            _touch(self._run)

    def _jammed(self) -> bool:
        return self._run is None or is_old(self._run)

    def must_pause(self, rank: Rank, not_before: float = 0.0) -> bool:
        """Does anybody want the engine who goes before ``rank``? No, before the time that ``mine`` gave."""
        if time.monotonic() < not_before:
            return False
        return any(locks.is_taken(path) and not is_old(path) for path in self._paths[:rank])

    async def mine(self, rank: Rank) -> float:
        """Wait until nobody goes before ``rank``, or for so long that it is fair not to; ``not_before``, for
        ``must_pause``.
        """
        starved = math.inf if rank is Rank.BACKGROUND else time.monotonic() + _STARVED_SECONDS
        while self.must_pause(rank):
            if time.monotonic() >= starved:
                return time.monotonic() + _SHARE_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
        return 0.0

    async def wanted(self, rank: Rank, not_before: float = 0.0) -> None:
        """Until ``must_pause`` says so."""
        while not self.must_pause(rank, not_before):  # noqa: ASYNC110  other processes
            await asyncio.sleep(LOOK_SECONDS)


async def show_life(path: Path) -> None:
    """Touch the file again and again, for those who look at its time."""
    while True:
        await asyncio.sleep(_ALIVE_SECONDS)
        _touch(path)


def _touch(path: Path) -> None:
    with contextlib.suppress(OSError):
        os.utime(path)


def is_old(path: Path) -> bool:
    """Has nobody who has the file's lock shown life lately? A time in the future is of a clock that was set back, and
    says as little.
    """
    try:
        return abs(time.time() - path.stat().st_mtime) > _JAM_SECONDS
    except OSError:
        return False


async def until(
    events: AsyncGenerator[_T, None], stop: Coroutine[Any, Any, None], can_stop: Callable[[], bool]
) -> AsyncGenerator[_T, None]:
    """``events`` to their end, or until ``stop`` is over and ``can_stop`` is true: then at once, in the middle of the
    wait for the next one.
    """
    stopped = asyncio.create_task(stop)
    coming: asyncio.Task[_T] | None = None
    try:
        while not (stopped.done() and can_stop()):
            coming = asyncio.create_task(_next(events))
            await asyncio.wait({coming, stopped} if can_stop() else {coming}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                return
            try:
                event = coming.result()
            except StopAsyncIteration:
                return
            yield event
    finally:
        left = [task for task in (stopped, coming) if task is not None]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _next(events: AsyncGenerator[_T, None]) -> _T:
    return await anext(events)
