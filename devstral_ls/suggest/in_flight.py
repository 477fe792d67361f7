"""Generations that go on while requests come and go: what somebody types next is often what is being written already.

A request that a newer one supersedes, or that its editor takes back because a key was pressed, does not end the
generation it waited for. The next request goes on with it as long as what was typed since is what is written, or may
still become it: while the prompt is read nothing is lost in any case, as the next prompt begins with the same tokens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from devstral_ls.languages.lexing import CLOSERS, QUOTES
from devstral_ls.suggest.cache import MAX_AUTO_CLOSED, MAX_TYPED_THROUGH, Answer, head_of, tail_of
from devstral_ls.suggest.trace import InlineQuery, Trace
from devstral_ls.text import Snapshot, unix_newlines

LINGER_S = 0.5
"""Seconds a generation goes on that nobody waits for: the next key comes sooner (gaps are 120 to 350 ms)."""

Hear = Callable[[str], None]
"""Is told all that was written so far."""


class InFlightGeneration:
    """One generation, and the place it is for."""

    def __init__(
        self,
        query: InlineQuery,
        mode: str,
        trace: Trace,
        work: Callable[[Hear], Coroutine[Any, Any, Answer]],
        *,
        ahead: bool,
    ) -> None:
        """``mode`` names what the answer depends on besides the text; ``ahead``: nobody asked for it yet."""
        self.query = query
        self.trace = trace
        self.ahead = ahead
        self.n_waiting = 0
        self.shown: Answer | None = None
        """Its first lines, where they are shown already: the rest is written even if nobody waits for it."""
        self.lines: Callable[[str], Answer | None] = lambda text: None
        """Makes an answer of its whole lines, where those may be shown before it ends."""
        self._mode = mode
        self._head = head_of(query.snapshot.text, query.offset)
        self._tail = tail_of(query.snapshot.text, query.offset)
        self._text = ""
        self._news = asyncio.Event()

        async def run() -> Answer:
            return await work(self._hear)

        self._task = asyncio.create_task(run())
        self._task.add_done_callback(self._over)

    @property
    def running(self) -> bool:
        """Is it still written?"""
        return not self._task.done()

    @property
    def has_started(self) -> bool:
        """Is anything written yet?"""
        return bool(self._text)

    @property
    def is_preemptible(self) -> bool:
        """May it be ended for somebody who waits: nobody asked for it, or nobody waits for its rest?"""
        return self.ahead or (self.shown is not None and not self.n_waiting)

    def cancel(self) -> None:
        """End it; nobody waits for it any more."""
        self._task.cancel()

    def typed_since(self, snapshot: Snapshot, offset: int, mode: str) -> str | None:
        """What was typed here since the generation began; ``None`` where something else was changed as well."""
        mine = self.query
        if mode != self._mode or not 0 <= offset - mine.offset <= MAX_TYPED_THROUGH:
            return None
        typed = unix_newlines(snapshot.text[mine.offset : offset])
        if head_of(snapshot.text, mine.offset) != self._head or not self._may_begin_with(typed):
            return None
        for n_closed in range(MAX_AUTO_CLOSED + 1 if typed else 1):
            if tail_of(snapshot.text, offset + n_closed) == self._tail:
                return typed
            behind = snapshot.text[offset + n_closed : offset + n_closed + 1]
            if behind not in CLOSERS and behind not in QUOTES:
                break
        return None

    async def answer(self, typed: str) -> Answer | None:
        """The answer for the place it was written for; ``None`` as soon as it does not begin with ``typed``.

        Raises:
            NothingToShow, EngineError: what the work raised.
        """
        while self.running:
            if not self._may_begin_with(typed):
                return None
            self._news.clear()
            await self._news.wait()
        return None if self._task.cancelled() else self._task.result()

    def still_shown(self, query: InlineQuery) -> Answer | None:
        """What of the lines shown already is not typed yet; ``None`` where that is nothing."""
        shown = self.shown
        if shown is None or query.invoked or tail_of(query.snapshot.text, query.offset) != self._tail:
            return None
        typed = query.snapshot.text[
            self.query.offset : query.offset
        ]  # with the document's line ends, as they were shown
        rest = shown.text[len(typed) :]
        return replace(shown, text=rest) if rest and shown.text.startswith(typed) else None

    async def first_lines(self, query: InlineQuery, typed: str, is_late: Callable[[], bool]) -> Answer | None:
        """What is not ``typed`` yet of its whole lines, as soon as it ``is_late``; ``None`` where it ends before, does not
        begin with ``typed``, or may not be shown in part.
        """
        while self.running and self._may_begin_with(typed):
            if is_late() and self._text.rpartition("\n")[0][len(typed) :].strip():
                before, self.shown = self.shown, self.lines(self._text)
                rest = self.still_shown(query)
                self.shown = before if rest is None else self.shown
                return rest
            self._news.clear()
            await self._news.wait()
        return None

    def _may_begin_with(self, typed: str) -> bool:
        return typed.startswith(self._text) or self._text.startswith(typed)

    def _hear(self, text: str) -> None:
        self._text = text
        self._news.set()

    def _over(self, task: asyncio.Task[Answer]) -> None:
        self._news.set()
        if not task.cancelled():
            task.exception()  # told to whoever waits; nobody may


class InFlightGenerations:
    """The generations of one server: at most one for each document.

    Args:
        sleep: waits for seconds; tests give their own.
    """

    def __init__(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._sleep = sleep
        self._by_uri: dict[str, InFlightGeneration] = {}
        self._timers: set[asyncio.Task[None]] = set()

    @property
    def asked_for(self) -> bool:
        """Does one run that somebody asked for?"""
        return any(one.running and not one.ahead for one in self._by_uri.values())

    def begin(
        self,
        query: InlineQuery,
        mode: str,
        trace: Trace,
        work: Callable[[Hear], Coroutine[Any, Any, Answer]],
        *,
        ahead: bool = False,
    ) -> InFlightGeneration:
        """Begin a generation in the place of the document's last one. One that is asked for ends all that are not."""
        self.forget(query.snapshot.uri)
        if not ahead:
            self.end_ahead()
        writing = self._by_uri[query.snapshot.uri] = InFlightGeneration(query, mode, trace, work, ahead=ahead)
        return writing

    def going_on(self, query: InlineQuery, mode: str) -> tuple[InFlightGeneration, str] | None:
        """The generation that may be writing what ``query`` asks for, and what of it has been typed since.

        One that is certainly not is ended.
        """
        writing = self._by_uri.get(query.snapshot.uri)
        if writing is None or not writing.running:
            return None
        typed = writing.typed_since(query.snapshot, query.offset, mode)
        if typed is None:
            self.forget(query.snapshot.uri)
            return None
        return writing, typed

    async def follow(self, writing: InFlightGeneration, typed: str) -> Answer | None:
        """``writing.answer``; if the caller leaves before, the generation soon ends unless somebody else follows it."""
        with self._waiting(writing):
            return await writing.answer(typed)

    async def first_lines(
        self, writing: InFlightGeneration, query: InlineQuery, typed: str, is_late: Callable[[], bool]
    ) -> Answer | None:
        """``writing.first_lines``; leaving is as in ``follow``."""
        with self._waiting(writing):
            return await writing.first_lines(query, typed, is_late)

    @contextmanager
    def _waiting(self, writing: InFlightGeneration) -> Iterator[None]:
        writing.n_waiting += 1
        writing.ahead = False
        try:
            yield
        finally:
            writing.n_waiting -= 1
            if writing.running and not writing.n_waiting:
                self._linger(writing)

    def end_ahead(self) -> None:
        """End all that nobody asked for, or waits for any more."""
        for uri in [uri for uri, one in self._by_uri.items() if one.is_preemptible]:
            self.forget(uri)

    def forget(self, uri: str) -> None:
        """End what is written for the document."""
        writing = self._by_uri.pop(uri, None)
        if writing is not None:
            writing.cancel()

    def close(self) -> None:
        """End everything."""
        for uri in list(self._by_uri):
            self.forget(uri)
        for timer in self._timers:
            timer.cancel()

    def _linger(self, writing: InFlightGeneration) -> None:
        async def end() -> None:
            await self._sleep(LINGER_S)
            if not writing.n_waiting and writing.shown is None:
                writing.cancel()

        timer = asyncio.create_task(end())
        self._timers.add(timer)
        timer.add_done_callback(self._timers.discard)
