"""A generation that goes on while requests come and go: what is typed next is often what is being written already.

A request that a newer one supersedes, or that its editor takes back because a key was pressed, does not end the
generation it waited for. The next request goes on with it as long as what was typed since is what is written, or may
still become it: while the prompt is read nothing is lost in any case, as the next prompt begins with the same tokens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from devstral_ls.languages.lexing import CLOSERS, QUOTES
from devstral_ls.suggest.cache import (
    MAX_AUTO_CLOSED,
    MAX_TYPED_THROUGH,
    Answer,
    CacheKey,
    Recalled,
    SuggestionCache,
    head_of,
    tail_of,
)
from devstral_ls.suggest.trace import InlineQuery, Trace
from devstral_ls.text import unix_newlines

LINGER_S = 0.5
"""Seconds a generation goes on when no request waits for it: the next key comes sooner (gaps are 120 to 350 ms)."""

OnText = Callable[[str], None]
"""Called with all the text that was generated so far."""


class Work(Protocol):
    """What a generation does: one request, written by ``generator.SuggestionGenerator``."""

    async def write(self, on_text: OnText) -> Answer:
        """The finished answer, which is in the document's cache then; ``on_text`` is called as it grows.

        Raises:
            NothingToShow: there is none worth showing.
            EngineError: the engine failed.
        """
        ...

    def first_lines(self, text: str) -> Answer | None:
        """An answer of the whole lines of ``text``, which is still growing; ``None`` where they must not be shown."""
        ...


class InFlightGeneration:
    """One generation for one place. It runs from the start on, until it has ended or is cancelled.

    Args:
        query: the request it was started for.
        key: the place of ``query``.
        trace: records how it goes.
        work: writes the answer.
        cache: has the finished answer, for cursors further on as well.
        sleep: waits for seconds; tests give their own.
        is_prefetch: True when no request of an editor waits for it yet.
    """

    def __init__(
        self,
        query: InlineQuery,
        key: CacheKey,
        trace: Trace,
        work: Work,
        cache: SuggestionCache,
        sleep: Callable[[float], Awaitable[None]],
        *,
        is_prefetch: bool,
    ) -> None:
        self.query = query
        self.trace = trace
        self._key = key
        self._work = work
        self._cache = cache
        self._sleep = sleep
        self._is_prefetch = is_prefetch
        self._n_waiting = 0
        self._shown: Answer | None = None
        """Its first lines, if they are shown already: the rest is written even if no request waits for it."""
        self._text = ""
        self._grown = asyncio.Event()
        self._lingering: asyncio.Task[None] | None = None
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._on_done)

    async def _run(self) -> Answer:
        return await self._work.write(self._on_text)

    @property
    def is_running(self) -> bool:
        """True until it has ended."""
        return not self._task.done()

    @property
    def has_answer(self) -> bool:
        """True once it has ended by itself; False while it runs, and where it was cancelled."""
        return self._task.done() and not self._task.cancelled()

    @property
    def has_started(self) -> bool:
        """True once some text was generated."""
        return bool(self._text)

    @property
    def is_prefetch(self) -> bool:
        """True until a request waits for it."""
        return self._is_prefetch

    @property
    def is_preemptible(self) -> bool:
        """True when it may be cancelled for another request: it is a prefetch, or its first lines are shown and no
        request waits for the rest.
        """
        return self._is_prefetch or (self._shown is not None and not self._n_waiting)

    def cancel(self) -> None:
        """End it at once."""
        self._task.cancel()
        if self._lingering is not None:
            self._lingering.cancel()

    def typed_since(self, query: InlineQuery, key: CacheKey) -> str | None:
        """What was typed at the cursor since the generation began; ``None`` where something else was changed as well."""
        snapshot, offset = query.snapshot, query.offset
        start, mine = self.query.offset, self._key
        if key.fingerprint != mine.fingerprint or not 0 <= offset - start <= MAX_TYPED_THROUGH:
            return None
        typed = unix_newlines(snapshot.text[start:offset])  # as models write
        if head_of(snapshot.text, start) != mine.head or not self._may_begin_with(typed):
            return None
        for n_closed in range(MAX_AUTO_CLOSED + 1 if typed else 1):
            if (tail_of(snapshot.text, offset + n_closed) if n_closed else key.tail) == mine.tail:
                return typed
            behind = snapshot.text[offset + n_closed : offset + n_closed + 1]
            if behind not in CLOSERS and behind not in QUOTES:
                break
        return None

    async def suggestion(
        self, query: InlineQuery, key: CacheKey, typed: str, is_late: Callable[[], bool]
    ) -> Recalled | None:
        """The answer for ``query``, a request for the place ``key``; its first lines alone as soon as it ``is_late``.

        ``None`` as soon as it does not begin with ``typed``, and where it was cancelled. If the caller leaves before, the
        generation ends after ``LINGER_S`` unless another request waits for it then.

        Raises:
            NothingToShow, EngineError: as ``Work.write``.
        """
        may_be_part = not query.invoked
        with self._waiting():
            while self.is_running and self._may_begin_with(typed):
                if may_be_part and is_late() and self._text.rpartition("\n")[0][len(typed) :].strip():
                    may_be_part = False  # they are tried once
                    if (lines := self._first_lines(query, key)) is not None:
                        return lines
                self._grown.clear()
                await self._grown.wait()
        if not self.has_answer:
            return None
        answer = self._task.result()
        return self._cache.find(query.snapshot, query.offset, key) if typed else Recalled(answer, 0)

    async def finished(self) -> Answer | None:
        """The answer for its own place, without counting as a request that waits for it; ``None`` where it was cancelled.

        Raises:
            NothingToShow, EngineError: as ``Work.write``.
        """
        await asyncio.wait([self._task])
        return None if self._task.cancelled() else self._task.result()

    def still_shown(self, query: InlineQuery, key: CacheKey) -> Recalled | None:
        """What is not typed yet of first lines that are shown already; ``None`` where that is nothing."""
        if self._shown is None or query.invoked or key.tail != self._key.tail:
            return None
        return self._rest(self._shown, query)

    def _first_lines(self, query: InlineQuery, key: CacheKey) -> Recalled | None:
        answer = self._work.first_lines(self._text) if key.tail == self._key.tail else None
        rest = None if answer is None else self._rest(answer, query)
        self._shown = self._shown if rest is None else answer
        return rest

    def _rest(self, answer: Answer, query: InlineQuery) -> Recalled | None:
        """What of ``answer`` is not typed yet, with the document's line ends, as it is shown."""
        typed = query.snapshot.text[self.query.offset : query.offset]
        rest = answer.text[len(typed) :]
        return Recalled(replace(answer, text=rest), len(typed)) if rest and answer.text.startswith(typed) else None

    def _may_begin_with(self, typed: str) -> bool:
        return typed.startswith(self._text) or self._text.startswith(typed)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        self._n_waiting += 1
        self._is_prefetch = False
        try:
            yield
        finally:
            self._n_waiting -= 1
            if self.is_running and not self._n_waiting:
                self._linger()

    def _linger(self) -> None:
        async def end() -> None:
            await self._sleep(LINGER_S)
            if not self._n_waiting and self._shown is None:
                self._task.cancel()

        if self._lingering is not None:
            self._lingering.cancel()
        self._lingering = asyncio.create_task(end())

    def _on_text(self, text: str) -> None:
        self._text = text
        self._grown.set()

    def _on_done(self, task: asyncio.Task[Answer]) -> None:
        self._grown.set()
        if self._lingering is not None:
            self._lingering.cancel()
        if not task.cancelled():
            task.exception()  # raised to requests that wait; where none does, it is not lost
