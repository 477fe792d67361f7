"""The newest request of a document wins.

A request that a newer one supersedes is answered at once, so an editor that never cancels (Neovim) costs nothing.
"""

from __future__ import annotations

import asyncio
from types import TracebackType


class Superseded(Exception):
    """A newer request of the same document took over."""


class LatestWins:
    """The requests of one document."""

    def __init__(self) -> None:
        self._turn: Turn | None = None

    def turn(self) -> Turn:
        """The turn of a new request; entering it supersedes the document's older one."""
        return Turn(self)

    @property
    def is_running(self) -> bool:
        """True while a request of the document waits for its answer."""
        return self._turn is not None

    def supersede(self) -> None:
        """Break off the request that runs, if one does."""
        if self._turn is not None:
            self._turn.supersede()

    def take(self, turn: Turn) -> None:
        """Make ``turn`` the document's."""
        older, self._turn = self._turn, turn
        if older is not None:
            older.supersede()

    def leave(self, turn: Turn) -> None:
        """End ``turn``, if it still is the document's."""
        if self._turn is turn:
            self._turn = None


class Turn:
    """One request's turn: an ``async with`` that a newer turn breaks off, by ``Superseded``."""

    def __init__(self, requests: LatestWins) -> None:
        self._requests = requests
        self._superseded = False
        self._task: asyncio.Task[object] | None = None
        self._n_cancels = 0

    async def __aenter__(self) -> Turn:
        self._task = asyncio.current_task()
        self._n_cancels = self._task.cancelling() if self._task else 0
        self._requests.take(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._requests.leave(self)
        task, self._task = self._task, None
        # As asyncio.timeout() does: take back our own cancellation, let every other one pass.
        taken_back = self._superseded and task is not None and task.uncancel() <= self._n_cancels
        if taken_back and kind is asyncio.CancelledError:
            raise Superseded from None

    def supersede(self) -> None:
        """Break off the block, unless it is over."""
        if self._task is not None and not self._superseded:
            self._superseded = True
            self._task.cancel()
