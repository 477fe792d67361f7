"""When to ask: the newest request of a document wins, and an automatic one waits for a pause in the typing.

A request that a newer one supersedes is answered at once, so an editor that never cancels (Neovim) costs nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from statistics import median
from types import TracebackType

from cachetools import LRUCache

MIN_DEBOUNCE_MS = 40
"""Shorter is not noticed; typing gaps are 120 to 350 ms (``quality.md``)."""

MAX_DEBOUNCE_MS = 200
"""Longer is felt as slowness; Neovim waits 200 ms already."""

DEBOUNCE_SHARE = 0.5
"""Of the usual gap between two keys: the next key of somebody in full flow comes before the model has done much,
and somebody who pauses is not kept waiting."""

LONGEST_GAP_S = 1.0
"""A longer gap is thinking, not typing."""

N_GAPS = 16
MAX_DOCUMENTS = 256


class Superseded(Exception):
    """A newer request of the same document took over."""


class Turn:
    """One request's turn at its document: an ``async with`` that a newer turn breaks off."""

    def __init__(self, pace: Debounce, uri: str) -> None:
        self._pace = pace
        self._uri = uri
        self._superseded = False
        self._task: asyncio.Task[object] | None = None
        self._n_cancels = 0

    async def __aenter__(self) -> Turn:
        self._task = asyncio.current_task()
        self._n_cancels = self._task.cancelling() if self._task else 0
        self._pace.take(self._uri, self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pace.leave(self._uri, self)
        task, self._task = self._task, None
        # As asyncio.timeout() does: take back our own cancellation, let anybody else's pass.
        taken_back = self._superseded and task is not None and task.uncancel() <= self._n_cancels
        if taken_back and kind is asyncio.CancelledError:
            raise Superseded from None

    def supersede(self) -> None:
        """Break off the block, unless it is over."""
        if self._task is not None and not self._superseded:
            self._superseded = True
            self._task.cancel()


class Debounce:
    """Turns and typing rhythm of all documents.

    Args:
        clock: seconds.
        sleep: waits for seconds; tests give their own.
    """

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._turns: dict[str, Turn] = {}
        self._gaps: LRUCache[str, deque[float]] = LRUCache(MAX_DOCUMENTS)
        self._last: LRUCache[str, float] = LRUCache(MAX_DOCUMENTS)

    def turn(self, uri: str) -> Turn:
        """The turn of a new request; entering it supersedes the document's older one."""
        return Turn(self, uri)

    def take(self, uri: str, turn: Turn) -> None:
        """Make ``turn`` the document's."""
        older = self._turns.get(uri)
        self._turns[uri] = turn
        if older is not None:
            older.supersede()

    def leave(self, uri: str, turn: Turn) -> None:
        """End ``turn``, if it still is the document's."""
        if self._turns.get(uri) is turn:
            del self._turns[uri]

    def key_pressed(self, uri: str) -> None:
        """Note that a request came in: requests follow the keys."""
        now = self._clock()
        last = self._last.get(uri)
        self._last[uri] = now
        if last is not None and 0 < now - last <= LONGEST_GAP_S:
            self._gaps.setdefault(uri, deque(maxlen=N_GAPS)).append(now - last)

    async def wait(self, uri: str, debounce_ms: int | str) -> None:
        """Let the typing pause come: ``debounce_ms`` milliseconds since the last key, or ``auto`` from the rhythm."""
        delay = self.debounce_ms(uri) if isinstance(debounce_ms, str) else debounce_ms
        left = delay / 1000 - (self._clock() - self._last.get(uri, self._clock()))
        if left > 0:
            await self._sleep(left)

    def debounce_ms(self, uri: str) -> float:
        """Milliseconds of quiet to wait for, from the document's last gaps."""
        gaps = self._gaps.get(uri)
        usual = median(gaps) * 1000 if gaps else MAX_DEBOUNCE_MS
        return min(MAX_DEBOUNCE_MS, max(MIN_DEBOUNCE_MS, usual * DEBOUNCE_SHARE))

    def forget(self, uri: str) -> None:
        """Drop what is known of a closed document; a request that still runs is answered."""
        if (turn := self._turns.get(uri)) is not None:
            turn.supersede()
        self._gaps.pop(uri, None)
        self._last.pop(uri, None)
