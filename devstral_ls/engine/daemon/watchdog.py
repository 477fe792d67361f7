"""Tells a backend that takes long from one that hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from devstral_ls.errors import EngineSilent


class Watchdog:
    """Ends a generation that has been silent while the backend did nothing at all."""

    def __init__(self, seconds: float, progress: Callable[[], Awaitable[str | None]]) -> None:
        """A stream may be silent for ``seconds``. Then ``progress`` is asked twice, a quarter of that time apart: it may
        be evaluating the long prompt of another slot.
        """
        self._seconds = seconds
        self._progress = progress

    @contextmanager
    def watching(self, fail: Callable[[EngineSilent], None]) -> Iterator[Callable[[], None]]:
        """Watch one stream during the block: call what is given at each event. ``fail`` gets the error."""
        watch = _Watch(self._seconds, self._progress, fail)
        try:
            yield watch.note_event
        finally:
            watch.close()


class _Watch:
    """One stream. A timer that looks again when it ends, so that an event costs nothing but a time."""

    def __init__(
        self, seconds: float, progress: Callable[[], Awaitable[str | None]], fail: Callable[[EngineSilent], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._progress = progress
        self._fail = fail
        self._last = self._loop.time()
        self._task: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(seconds, self._look)

    def note_event(self) -> None:
        self._last = self._loop.time()

    def close(self) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _look(self) -> None:
        left = self._last + self._seconds - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._task = self._loop.create_task(self._check(self._last), name="devstral-ls watchdog")

    async def _check(self, last: float) -> None:
        before = await self._progress()
        if before is None:
            self._fail(EngineSilent(f"the engine said nothing for {self._seconds:g} s, and does not say how it is"))
            return
        await asyncio.sleep(self._seconds / 4)
        if self._last == last and await self._progress() == before:
            self._fail(EngineSilent(f"the engine said nothing for {self._seconds:g} s, and does nothing"))
            return
        self._timer = self._loop.call_later(self._seconds, self._look)
