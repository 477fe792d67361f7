"""Statistics of one server: what happens is counted here, and added to the machine's file now and then, in a thread."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devstral_ls.errors import DevstralError
from devstral_ls.languages.table import language_of
from devstral_ls.statistics import counters as names
from devstral_ls.statistics.acceptance import Following
from devstral_ls.statistics.counters import CounterKey, Counts, bucket, kept, looked_at, model_name
from devstral_ls.statistics.history import AcceptanceRate, likings
from devstral_ls.statistics.retention import is_kept
from devstral_ls.suggest.trace import Outcome, Reason, Suggestion

if TYPE_CHECKING:
    from devstral_ls.statistics.retention import Look
    from devstral_ls.text import Snapshot

_log = logging.getLogger(__name__)

FLUSH_S = 15.0
"""Seconds that counts stay in memory: what a server that is killed loses."""

Background = Callable[[Coroutine[Any, Any, None]], object]
"""Runs something beside everything else."""

MAX_WAITING = 5_000
"""Counts that wait for a file that cannot be written; new ones are dropped then."""

OVERTAKEN = frozenset({Reason.SUPERSEDED, Reason.CANCELLED, Reason.DOCUMENT_MOVED})
"""Reasons that say nothing of what is on the screen."""


class Statistics:
    """Never raises, never blocks, and does nothing where it is not enabled.

    Args:
        folder: the data folder.
        enabled: does the user want statistics, at this moment?
        clock: seconds, for spans of time.
        wall: seconds since 1970, for days.
    """

    def __init__(
        self,
        folder: Path,
        enabled: Callable[[], bool],
        clock: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._enabled = enabled
        self._clock = clock
        self._wall = wall
        self._waiting = Counts()
        self._looks: list[Look] = []
        self._likings: dict[str, AcceptanceRate] = {}
        self._following = Following(self._count, clock)
        self._snapshot: Callable[[str], Snapshot | None] = lambda uri: None
        self._background: Background | None = None
        self._one_at_a_time = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._flush_at: float | None = None
        self._closed = False
        self._said: set[str] = set()

    def start(self, snapshot: Callable[[str], Snapshot | None], background: Background) -> None:
        """Learn what was counted before. ``snapshot`` gives an open document, ``background`` runs work beside others."""
        self._snapshot, self._background = snapshot, background
        background(self.flush())

    # --- what happens ---

    @contextmanager
    def asking(self, snapshot: Snapshot, model: str | None) -> Iterator[None]:
        """The pipeline is asked in the block; how it fails is counted."""
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
        kind = names.MEMORY if trace.cached else names.MODEL
        self._count(_language(snapshot), model_name(trace.model or model), f"{kind}{bucket(latency_ms)}", 1)

    def nothing(self, snapshot: Snapshot, reason: Reason, model: str | None) -> None:
        """A request was answered with nothing."""
        self._count(_language(snapshot), model_name(model), names.REASON + reason.value, 1)
        if reason not in OVERTAKEN:
            self._following.nothing_shown(snapshot.uri)

    def shown(self, snapshot: Snapshot, offset: int, suggestions: tuple[Suggestion, ...], model: str | None) -> None:
        """The first of ``suggestions`` is on its way to the screen."""
        if self._enabled():
            for one in suggestions[:1]:
                language = _language(snapshot)
                self._following.shown(snapshot, offset, (one.id, one.text), language, model_name(model))

    def accepted(self, suggestion_id: str) -> None:
        """The client says that a suggestion was taken."""
        self._following.accepted(suggestion_id)
        self._wake()

    def rejected(self, suggestion_id: str) -> None:
        """The client says that a suggestion was dismissed."""
        self._following.rejected(suggestion_id)

    def changed(self, before: Snapshot, after: Snapshot) -> None:
        """A document has changed."""
        self._following.changed(before, after)
        self._wake()

    def forget(self, uri: str) -> None:
        """A document was closed."""
        self._following.closed(uri)

    # --- what is made of it ---

    def strictness(self, snapshot: Snapshot) -> float:
        """By what the confidence asked for is to be multiplied in such a document: for what was taken over weeks."""
        if not self._enabled():
            return 1.0
        language = _language(snapshot)
        since = likings({key: n for key, n in self._waiting.items() if key[0].language == language}, self._today())
        return (self._likings.get(language, AcceptanceRate()) + since.get(language, AcceptanceRate())).strictness()

    def look(self) -> None:
        """Do what is due now; a timer calls this."""
        self._looks += self._following.looks(self._snapshot)
        if self._looks or (self._flush_at is not None and self._clock() >= self._flush_at):
            self._flush_at = None
            if self._background is not None:
                self._background(self.flush())
        self._wake()

    async def flush(self) -> None:
        """Add what was counted to the file, now. What cannot be added waits for the next time."""
        async with self._one_at_a_time:
            batch, looks = self._waiting, self._looks
            self._waiting, self._looks, self._flush_at = Counts(), [], None
            if self._closed or not self._enabled():
                self._following.end()
                return
            try:
                self._likings = await asyncio.to_thread(_write, self._folder, batch, looks, self._today())
            except DevstralError as error:
                self._failed(error, batch)
            except ImportError as error:  # some Pythons are built without SQLite
                self._closed = True
                _log.warning("no statistics: %s is not to be had", error.name)

    async def aclose(self) -> None:
        """Count nothing more; what was counted is added to the file."""
        self._following.end()
        if self._timer is not None:
            self._timer.cancel()
        if self._waiting or self._looks:
            await self.flush()
        self._closed = True

    # --- inside ---

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
        if error.code not in self._said:  # reading and writing fail alike
            self._said.add(error.code)
            _log.warning("%s: %s. %s", error.code, error.message, error.hint)

    def _today(self) -> str:
        try:
            return date.fromtimestamp(self._wall()).isoformat()
        except (OSError, OverflowError, ValueError):  # a clock far from now
            return date.min.isoformat()


def _language(snapshot: Snapshot) -> str:
    return language_of(snapshot.language, snapshot.uri).id


def _write(folder: Path, batch: Counts, looks: list[Look], today: str) -> dict[str, AcceptanceRate]:
    """Runs in a thread: compares, writes and reads. Returns what the file says of each language then.

    Raises:
        StatisticsError: see ``statistics.store``; ``batch`` has everything in it then that is not in the file.
    """
    from devstral_ls.statistics.store import Store

    for look in looks:
        where = CounterKey(today, look.language, look.model)
        batch[where, looked_at(look.seconds)] += 1
        batch[where, kept(look.seconds)] += is_kept(look)
    looks.clear()
    store = Store(folder)
    if batch:
        store.add(batch)
        batch.clear()  # it is there, even if nothing can be read now
    return likings(store.read(), today)
