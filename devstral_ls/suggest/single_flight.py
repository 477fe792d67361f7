"""One request asked twice is answered once: ghost text and completion list ask for the same place at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from devstral_ls.errors import DevstralError
from devstral_ls.suggest.trace import InlineQuery, Outcome


class _Running:
    """A request on its way, which others may join."""

    def __init__(self, query: InlineQuery) -> None:
        self._query = query
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def answers(self, query: InlineQuery) -> bool:
        """Is ``query`` the same request once more, and not a more urgent one?"""
        mine = self._query
        same = (mine.snapshot.version, mine.offset) == (query.snapshot.version, query.offset)
        return same and mine.invoked >= query.invoked and mine.snapshot.text == query.snapshot.text


class SingleFlight:
    """The requests on their way, by document."""

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}

    async def join(self, query: InlineQuery) -> Outcome | None:
        """The outcome of a request at the very same place that runs already, if there is one.

        Raises:
            DevstralError: that one failed.
        """
        running = self._running.get(query.snapshot.uri)
        if running is None or not running.answers(query):
            return None
        await asyncio.wait([running.outcome])
        if running.outcome.cancelled():  # its editor took it back, not ours
            return None
        return running.outcome.result()

    @contextmanager
    def running(self, query: InlineQuery) -> Iterator[asyncio.Future[Outcome]]:
        """Let others join ``query`` inside the block, which sets the outcome."""
        uri, running = query.snapshot.uri, _Running(query)
        self._running[uri] = running
        try:
            yield running.outcome
        except DevstralError as error:
            running.outcome.set_exception(error)
            running.outcome.exception()  # it is raised here, too, so nobody needs to hear of it
            raise
        finally:
            running.outcome.cancel()
            if self._running.get(uri) is running:
                del self._running[uri]
