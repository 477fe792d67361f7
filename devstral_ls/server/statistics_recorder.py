"""Counts what becomes of suggestions, and adds the counts to the machine's file now and then, in a thread."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from devstral_ls.errors import DevstralError
from devstral_ls.languages.table import language_of
from devstral_ls.server.documents.store import DocumentObserver
from devstral_ls.server.reporting import BackgroundTasks
from devstral_ls.statistics import counters
from devstral_ls.statistics.acceptance import AcceptanceTracker
from devstral_ls.statistics.counters import CounterKey, Counts, bucket, kept, looked_at, model_name
from devstral_ls.statistics.retention import is_kept
from devstral_ls.suggest.trace import Outcome, Reason, Suggestion

if TYPE_CHECKING:
    from devstral_ls.statistics.retention import Look
    from devstral_ls.text import DocumentChange, Snapshot

_log = logging.getLogger(__name__)

FLUSH_S = 15.0
"""Seconds that counts stay in memory: a server that is killed loses those of the last ones."""

MAX_WAITING = 5_000
"""Counts that wait for a file that cannot be written; new ones are dropped then."""

OVERTAKEN = frozenset({Reason.SUPERSEDED, Reason.CANCELLED, Reason.DOCUMENT_MOVED})
"""Reasons that leave the suggestion on the screen as it is."""


class StatisticsRecorder(DocumentObserver):
    """Never raises, never blocks, and does nothing where it is not enabled.

    Args:
        folder: the data folder.
        enabled: True while the user wants statistics.
        snapshot: the open document of a URI.
        tasks: runs the writing.
        clock: seconds, for spans of time.
        wall: seconds since 1970, for days.
    """

    def __init__(
        self,
        folder: Path,
        enabled: Callable[[], bool],
        snapshot: Callable[[str], Snapshot | None],
        tasks: BackgroundTasks,
        clock: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._enabled = enabled
        self._snapshot = snapshot
        self._tasks = tasks
        self._clock = clock
        self._wall = wall
        self._waiting = Counts()
        self._looks: list[Look] = []
        self._following = AcceptanceTracker(self._count, clock)
        self._one_at_a_time = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._flush_at: float | None = None
        self._closed = False
        self._logged: set[str] = set()

    # --- what happens ---

    @contextmanager
    def asking(self, snapshot: Snapshot, model: str | None) -> Iterator[None]:
        """Count how the request in the block fails."""
        try:
            yield
        except asyncio.CancelledError:
            self.nothing(snapshot, Reason.CANCELLED, model)
            raise
        except DevstralError:
            self.nothing(snapshot, Reason.ENGINE_ERROR, model)
            raise

    def answered(self, snapshot: Snapshot, outcome: Outcome, latency_ms: float, model: str | None) -> None:
        """A request was answered."""
        trace = outcome.trace
        if not outcome.suggestions:
            self.nothing(snapshot, trace.reason, model)
            return
        kind = counters.MEMORY if trace.cached else counters.MODEL
        self._count(_language(snapshot), model_name(trace.model or model), f"{kind}{bucket(latency_ms)}", 1)

    def nothing(self, snapshot: Snapshot, reason: Reason, model: str | None) -> None:
        """A request was answered with nothing."""
        self._count(_language(snapshot), model_name(model), counters.REASON + reason.value, 1)
        if reason not in OVERTAKEN:
            self._following.nothing_shown(snapshot.uri)

    def shown(self, snapshot: Snapshot, offset: int, suggestions: tuple[Suggestion, ...], model: str | None) -> None:
        """The first of ``suggestions`` is on its way to the screen."""
        if self._enabled():
            for suggestion in suggestions[:1]:
                language = _language(snapshot)
                self._following.shown(snapshot, offset, (suggestion.id, suggestion.text), language, model_name(model))

    def accepted(self, suggestion_id: str) -> None:
        """The user accepted a suggestion, as the client says."""
        self._following.accepted(suggestion_id)
        self._wake()

    def rejected(self, suggestion_id: str) -> None:
        """The user dismissed a suggestion, as the client says."""
        self._following.rejected(suggestion_id)

    def changed(self, change: DocumentChange) -> None:
        """A document has changed."""
        self._following.changed(change)
        self._wake()

    def closed(self, uri: str) -> None:
        """A document was closed."""
        self._following.closed(uri)

    # --- the file ---

    def look(self) -> None:
        """Do what is due now; a timer calls this."""
        self._looks += self._following.looks(self._snapshot)
        if self._looks or (self._flush_at is not None and self._clock() >= self._flush_at):
            self._flush_at = None
            self._tasks.start(self.flush())
        self._wake()

    async def flush(self) -> None:
        """Add the counts to the file now. Counts that cannot be added wait for the next time."""
        async with self._one_at_a_time:
            batch, looks = self._waiting, self._looks
            self._waiting, self._looks, self._flush_at = Counts(), [], None
            if self._closed or not self._enabled():
                self._following.end()
                return
            try:
                await asyncio.to_thread(_write, self._folder, batch, looks, self._today())
            except DevstralError as error:
                self._failed(error, batch)
            except ImportError as error:  # some Pythons are built without SQLite
                self._closed = True
                _log.warning("no statistics: %s is not installed", error.name)

    async def aclose(self) -> None:
        """Count nothing more, and add the counts to the file."""
        self._following.end()
        if self._timer is not None:
            self._timer.cancel()
        if self._waiting or self._looks:
            await self.flush()
        self._closed = True

    def _count(self, language: str, model: str, name: str, n: int) -> None:
        if self._closed or not self._enabled():
            return
        key = CounterKey(self._today(), language, model), name
        if key in self._waiting or len(self._waiting) < MAX_WAITING:
            self._waiting[key] += n
        if self._flush_at is None:
            self._flush_at = self._clock() + FLUSH_S
            self._wake()

    def _wake(self) -> None:
        """Have ``look`` called when something is due."""
        due = [at for at in (self._flush_at, self._following.due) if at is not None]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due and not self._closed:
            left = max(0.0, min(due) - self._clock())
            self._timer = asyncio.get_running_loop().call_later(left, self.look)

    def _failed(self, error: DevstralError, batch: Counts) -> None:
        if error.code == "statistics-newer":
            self._closed = True
        else:
            batch.update(self._waiting)
            self._waiting, self._flush_at = batch, self._clock() + FLUSH_S
            self._wake()
        if error.code not in self._logged:
            self._logged.add(error.code)
            _log.warning("%s: %s. %s", error.code, error.message, error.hint)

    def _today(self) -> str:
        try:
            return date.fromtimestamp(self._wall()).isoformat()
        except (OSError, OverflowError, ValueError):  # a clock far from now
            return date.min.isoformat()


def _language(snapshot: Snapshot) -> str:
    return language_of(snapshot.language, snapshot.uri).id


def _write(folder: Path, batch: Counts, looks: list[Look], today: str) -> None:
    """Compare, and add the counts to the file. Runs in a thread.

    Raises:
        StatisticsError: see ``statistics.store``; ``batch`` then has all that is not in the file.
    """
    from devstral_ls.statistics.store import Store

    for look in looks:
        where = CounterKey(today, look.language, look.model)
        batch[where, looked_at(look.seconds)] += 1
        batch[where, kept(look.seconds)] += is_kept(look)
    looks.clear()
    if batch:
        Store(folder).add(batch)
        batch.clear()
