"""One request made twice is answered once: ghost text and completion list ask for the same place at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from devstral_ls.errors import DevstralError
from devstral_ls.suggest.trace import InlineQuery, Outcome


class SingleFlight:
    """The request of one document that is on its way."""

    def __init__(self) -> None:
        self._running: tuple[InlineQuery, asyncio.Future[Outcome]] | None = None

    async def join(self, query: InlineQuery) -> Outcome | None:
        """The outcome of the same request that runs already; ``None`` where there is none, or its editor took it back.

        Raises:
            DevstralError: that one failed.
        """
        if self._running is None or not _answers(self._running[0], query):
            return None
        outcome = self._running[1]
        await asyncio.wait([outcome])
        return None if outcome.cancelled() else outcome.result()

    @contextmanager
    def running(self, query: InlineQuery) -> Iterator[asyncio.Future[Outcome]]:
        """Let others join ``query`` inside the block, which sets the outcome."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        running = self._running = query, outcome
        try:
            yield outcome
        except DevstralError as error:
            outcome.set_exception(error)
            outcome.exception()  # it is raised here, too: where none has joined it is not lost
            raise
        finally:
            outcome.cancel()
            if self._running is running:
                self._running = None


def _answers(running: InlineQuery, query: InlineQuery) -> bool:
    """True when ``query`` is the same request once more, and not a more urgent one."""
    is_same = running.snapshot.text is query.snapshot.text and running.offset == query.offset
    return is_same and running.snapshot.version == query.snapshot.version and running.invoked >= query.invoked
