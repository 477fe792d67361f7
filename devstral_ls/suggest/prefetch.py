"""What is done before an editor asks: the suggestion after the one shown, and the prompt at the place of the cursor.

All of it makes way as soon as a request needs the model: the pipeline says so with ``stop``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from devstral_ls.errors import DevstralError
from devstral_ls.generation import Engine, ModelInfo, Priority
from devstral_ls.settings.tree import Settings
from devstral_ls.suggest import policy
from devstral_ls.suggest.cache import Answer, cache_key
from devstral_ls.suggest.generator import SuggestionGenerator
from devstral_ls.suggest.in_flight import InFlightGeneration
from devstral_ls.suggest.request import cache_fingerprint, suggestion_request
from devstral_ls.suggest.session import DocumentSession, DocumentSessions
from devstral_ls.suggest.trace import InlineQuery, NothingToShow, Trace
from devstral_ls.text import DocumentChange, Edit, Span

DEPTH = 2
"""Suggestions prefetched behind the one shown: while the first of them is read, there is time for the next."""

IDLE_S = 0.4
"""Seconds without a request before a prompt is read: longer than the gap between two keys (120 to 350 ms)."""

PAUSE_S = 0.02
"""Seconds until something is prefetched: what is shown is sent first, and a key that was typed meanwhile is handled."""


class Prefetch:
    """The background work of one server: one task at a time.

    Args:
        engine: says whether there is a model.
        generator: writes and reads.
        sessions: of all documents.
        sleep: waits for seconds; tests give their own.
    """

    def __init__(
        self,
        engine: Engine,
        generator: SuggestionGenerator,
        sessions: DocumentSessions,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._generator = generator
        self._sessions = sessions
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None
        self._session: DocumentSession | None = None

    def on_shown(self, session: DocumentSession, query: InlineQuery, answer: Answer, settings: Settings) -> None:
        """``answer`` is shown for ``query``: generate what comes after it, should it be accepted."""
        if self._may_run(settings) and not self._sessions.is_generating:
            self._begin(session, lambda: self._generate(session, query, answer, settings))

    def on_cursor_idle(self, session: DocumentSession, query: InlineQuery, settings: Settings) -> None:
        """The cursor of ``query`` rests and no request was made: read the prompt it will begin with, in a moment."""
        if self._may_run(settings) and policy.declined(query, settings) is None:
            self._begin(session, lambda: self._prefill(session, query, settings))

    def stop(self, session: DocumentSession | None = None) -> None:
        """Stop what runs, or only what runs for ``session``."""
        if self._task is not None and (session is None or session is self._session):
            self._task.cancel()
            self._task = self._session = None

    def _may_run(self, settings: Settings) -> bool:
        model = self._engine.model
        return model is not None and policy.may_prefetch(model, settings)

    def _begin(self, session: DocumentSession, work: Callable[[], Awaitable[None]]) -> None:
        async def quietly() -> None:
            try:
                await work()
            except (NothingToShow, DevstralError):
                return  # a request at that place reports it

        self.stop()
        self._session, self._task = session, asyncio.create_task(quietly())

    async def _generate(self, session: DocumentSession, query: InlineQuery, answer: Answer, settings: Settings) -> None:
        """Up to ``DEPTH`` suggestions, each for the place where the one before it ends.

        Raises:
            NothingToShow: there is nothing more to say.
            DevstralError: the engine failed.
        """
        for _ in range(DEPTH):
            await self._sleep(PAUSE_S)
            query = after_accept(query, answer)
            model = self._engine.model
            if model is None or policy.declined(query, settings) is not None:
                return
            key = cache_key(query.snapshot, query.offset, cache_fingerprint(model, settings.inline))
            recalled = session.suggestions.find(query.snapshot, query.offset, key)
            if recalled is not None:
                if not recalled.answer.text:
                    return
                answer = recalled.answer
                continue
            resumable = session.resumable(query, key)
            generation = self._start(session, query, model, settings) if resumable is None else resumable[0]
            finished = None if generation is None else await generation.finished()
            if finished is None:
                return
            answer = finished

    def _start(
        self, session: DocumentSession, query: InlineQuery, model: ModelInfo, settings: Settings
    ) -> InFlightGeneration | None:
        request = suggestion_request(session, query, model, settings, follows_accepted=True)
        if policy.declined_in(query, request.scope, settings.inline) is not None:
            return None
        least = policy.min_confidence(settings.inline, 1.0)
        return self._generator.start(replace(request, priority=Priority.BACKGROUND, min_confidence=least), Trace())

    async def _prefill(self, session: DocumentSession, query: InlineQuery, settings: Settings) -> None:
        """Raises DevstralError: the engine failed."""
        await self._sleep(IDLE_S)
        model = self._engine.model
        if model is None or self._sessions.is_generating:
            return
        key = cache_key(query.snapshot, query.offset, cache_fingerprint(model, settings.inline))
        if key in session.prompts_read:
            return
        await self._generator.prefill(suggestion_request(session, query, model, settings))
        session.prompts_read[key] = True


def after_accept(query: InlineQuery, answer: Answer) -> InlineQuery:
    """The document and the cursor as they will be once ``answer`` is accepted at ``query``."""
    snapshot, at = query.snapshot, query.offset
    edit = Edit(Span(at, at + answer.n_replaced), answer.text)
    after = snapshot.edited(edit, snapshot.version)
    before, edits = (snapshot, ()) if query.change is None else (query.change.before, query.change.edits)
    return InlineQuery(after, at + len(answer.text), change=DocumentChange(before, after, (*edits, edit)))
