"""What is done before anybody asks: the suggestion after the one shown, and the prompt at the place of the cursor.

All of it makes way as soon as a request needs the model: the pipeline says so with ``stop``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from cachetools import LRUCache

from devstral_ls.errors import DevstralError
from devstral_ls.generation import Engine, ModelInfo, Priority
from devstral_ls.settings.tree import Settings
from devstral_ls.suggest import policy
from devstral_ls.suggest.cache import Answer, SuggestionCache, head_of, tail_of
from devstral_ls.suggest.generator import SuggestionGenerator, mode
from devstral_ls.suggest.in_flight import Hear, InFlightGeneration, InFlightGenerations
from devstral_ls.suggest.refusals import NothingToShow
from devstral_ls.suggest.trace import InlineQuery, Trace
from devstral_ls.text import Edit, Snapshot, Span

DEPTH = 2
"""Suggestions written ahead of the one shown: while the first of them is read, there is time for the next."""

IDLE_S = 0.4
"""Seconds without a request before a prompt is read: longer than the gap between two keys (120 to 350 ms)."""

PAUSE_S = 0.02
"""Seconds until something is written ahead: what is shown is sent first, and a key that was typed meanwhile is heard."""

MAX_READ = 64
"""Places whose prompts were read lately, and need not be again."""


class Prefetch:
    """The background work of one server.

    Args:
        engine: says whether there is a model.
        answering: writes and reads.
        cache: has what was written already.
        writings: where a request finds what is still being written.
        sleep: waits for seconds; tests give their own.
    """

    def __init__(
        self,
        engine: Engine,
        answering: SuggestionGenerator,
        cache: SuggestionCache,
        writings: InFlightGenerations,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._answering = answering
        self._cache = cache
        self._writings = writings
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None
        self._uri = ""
        self._read: LRUCache[tuple[str, str, int, int], bool] = LRUCache(MAX_READ)

    def after(self, query: InlineQuery, answer: Answer, settings: Settings) -> None:
        """``answer`` is shown for ``query``: write what comes after it, should it be taken."""
        if self._may(settings) and not self._writings.asked_for:
            self._begin(query, lambda: self._write(query, answer, settings))

    def on_cursor_idle(self, snapshot: Snapshot, offset: int, settings: Settings) -> None:
        """The cursor is there, and nobody has asked: read the prompt that a request will begin with, in a moment."""
        query = InlineQuery(snapshot, offset)
        if self._may(settings) and policy.declined(query, settings) is None:
            self._begin(query, lambda: self._read_prompt(query, settings))

    def stop(self) -> None:
        """Somebody needs the model now."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    def forget(self, uri: str) -> None:
        """The document was closed."""
        if uri == self._uri:
            self.stop()

    def _may(self, settings: Settings) -> bool:
        model = self._engine.model
        return model is not None and policy.may_work_ahead(model, settings)

    def _begin(self, query: InlineQuery, work: Callable[[], Awaitable[None]]) -> None:
        async def quietly() -> None:
            try:
                await work()
            except (NothingToShow, DevstralError):
                return  # who asks for it hears of it

        self.stop()
        self._uri, self._task = query.snapshot.uri, asyncio.create_task(quietly())

    async def _write(self, query: InlineQuery, answer: Answer, settings: Settings) -> None:
        """Up to ``DEPTH`` suggestions, each for the place where the one before it ends.

        Raises:
            NothingToShow: there is nothing more to say.
            DevstralError: the engine failed.
        """
        for _ in range(DEPTH):
            await self._sleep(PAUSE_S)
            query = taken(query, answer)
            model = self._engine.model
            if model is None or policy.declined(query, settings) is not None:
                return
            found = self._cache.find(query.snapshot, query.offset, mode(model, settings.inline))
            if found is not None:
                if not found.answer.text:
                    return
                answer = found.answer
                continue
            going_on = self._writings.going_on(query, mode(model, settings.inline))
            writing = going_on[0] if going_on is not None else self._begin_writing(query, model, settings)
            if writing is None:
                return
            written = await writing.answer("")
            if written is None:
                return
            answer = written

    def _begin_writing(self, query: InlineQuery, model: ModelInfo, settings: Settings) -> InFlightGeneration | None:
        trace = Trace()
        question = self._answering.question(query, model, settings, trace, goes_on=True, real=False)
        if policy.declined_in(query, question.scope, settings.inline) is not None:
            return None
        sure = policy.min_confidence(settings.inline, 1.0)
        question = replace(question, priority=Priority.BACKGROUND, min_confidence=sure)

        def write(hear: Hear) -> Coroutine[Any, Any, Answer]:
            return self._answering.write(question, trace, hear)

        return self._writings.begin(query, question.mode, trace, write, ahead=True)

    async def _read_prompt(self, query: InlineQuery, settings: Settings) -> None:
        """Raises DevstralError: the engine failed."""
        await self._sleep(IDLE_S)
        model = self._engine.model
        snapshot, offset = query.snapshot, query.offset
        if model is None or self._writings.asked_for:
            return
        key = (
            snapshot.uri,
            mode(model, settings.inline),
            head_of(snapshot.text, offset),
            tail_of(snapshot.text, offset),
        )
        if key in self._read:
            return
        question = self._answering.question(query, model, settings, Trace())
        await self._answering.read_ahead(question)
        self._read[key] = True


def taken(query: InlineQuery, answer: Answer) -> InlineQuery:
    """The document and the cursor once ``answer`` was put in at ``query``."""
    snapshot, at = query.snapshot, query.offset
    edit = Edit(Span(at, at + answer.n_replaced), answer.text)
    return InlineQuery(snapshot.edited(edit, snapshot.version), at + len(answer.text))
