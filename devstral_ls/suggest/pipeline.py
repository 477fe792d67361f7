"""THE pipeline: from a snapshot and a cursor to suggestions, top to bottom, one line a stage.

It knows no LSP and no sockets: the engine, the retriever and the clock are handed in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from devstral_ls.code_context import Diagnostic
from devstral_ls.errors import DevstralError
from devstral_ls.generation import Engine
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.retrieval.retriever import ContextRetriever
from devstral_ls.settings.tree import Settings
from devstral_ls.suggest import policy
from devstral_ls.suggest.cache import Answer, CacheKey, Recalled, cache_key
from devstral_ls.suggest.feedback import Feedback
from devstral_ls.suggest.generations import Generations
from devstral_ls.suggest.generator import SuggestionGenerator
from devstral_ls.suggest.latest_wins import Superseded
from devstral_ls.suggest.prefetch import Prefetch
from devstral_ls.suggest.request import cache_fingerprint, suggestion_request
from devstral_ls.suggest.session import DocumentSession, DocumentSessions
from devstral_ls.suggest.trace import InlineQuery, NothingToShow, Outcome, Reason, Suggestion, Trace
from devstral_ls.text import DocumentChange, Snapshot, Span

_LIKELY_ASKED_NEXT = frozenset({Reason.JUST_DELETED, Reason.JUST_REJECTED, Reason.EMPTY})
"""Reasons for showing nothing after which the next key is likely to be a request."""


class Suggester:
    """Suggestions for all open documents of one server. Made once and passed down; ``close`` it at the end.

    Args:
        engine: runs the model.
        retriever: finds code of other files; by default only open documents are known.
        clock: seconds.
        sleep: waits for seconds; tests give their own.
    """

    def __init__(
        self,
        engine: Engine,
        retriever: ContextRetriever | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self.retriever = retriever or ContextRetriever()
        self.feedback = Feedback()
        self._sessions = DocumentSessions(self.retriever, clock, sleep)
        generator = SuggestionGenerator(engine, self.retriever, clock, sleep)
        self._generations = Generations(generator, self._sessions, self.feedback, clock)
        self._prefetch = Prefetch(engine, generator, self._sessions, sleep)
        self._unready: tuple[InlineQuery, Settings] | None = None
        """The last request that was made before there was a model."""

    # --- suggestions ---

    async def inline(self, query: InlineQuery, settings: Settings) -> Outcome:
        """Suggestions for ``query``, or none and the reason.

        Raises:
            EngineError: the engine could not answer; see ``errors``.
            asyncio.CancelledError: the editor cancelled the request.
        """
        session = self._sessions.of(query.snapshot.uri)
        outcome = await session.single_flight.join(query)
        if outcome is None:
            with session.single_flight.running(query) as running:
                outcome = await self._outcome(session, query, settings)
                running.set_result(outcome)
        return outcome

    def why(self, uri: str) -> Trace | None:
        """How the document's last request went."""
        session = self._sessions.get(uri)
        return None if session is None else session.trace

    def accepted(self, suggestion_id: str) -> None:
        """The user has accepted a suggestion."""
        self.feedback.accepted(suggestion_id)

    def rejected(self, suggestion_id: str) -> None:
        """The user has dismissed a suggestion."""
        self.feedback.rejected(suggestion_id)

    # --- documents ---

    def changed(self, change: DocumentChange) -> None:
        """A document has changed."""
        session = self._sessions.of(change.after.uri)
        session.tree.changed(change)
        session.deletions.changed(change)
        self.retriever.edited(session.context, change)

    def closed(self, uri: str) -> None:
        """A document was closed: drop all that is known of it."""
        session = self._sessions.get(uri)
        if session is not None:
            self._prefetch.stop(session)
            self._sessions.close(uri)
        if self._unready is not None and self._unready[0].snapshot.uri == uri:
            self._unready = None

    def diagnosed(self, snapshot: Snapshot, diagnostics: Sequence[Diagnostic]) -> None:
        """Other tools report ``diagnostics`` for the document as it is now, and nothing else."""
        self._sessions.of(snapshot.uri).context.diagnostics.put(diagnostics)

    def reported(self, snapshot: Snapshot, span: Span) -> tuple[Diagnostic, ...]:
        """What other tools report on the lines of ``span`` of the document as it is now."""
        session = self._sessions.get(snapshot.uri)
        return () if session is None else session.context.diagnostics.at(snapshot, span)

    def tree(self, snapshot: Snapshot) -> Syntax | None:
        """The syntax tree of the document; ``None`` where there is none, as in ``DocumentTree.of``."""
        return self._sessions.of(snapshot.uri).tree.of(snapshot)

    # --- idle time ---

    def on_cursor_idle(self, snapshot: Snapshot, offset: int, settings: Settings) -> None:
        """The cursor rests there and no request was made: get ready for one, if that makes sense."""
        self._prefetch.on_cursor_idle(self._sessions.of(snapshot.uri), InlineQuery(snapshot, offset), settings)

    def model_ready(self) -> None:
        """There is a model now: get ready for the request that was made before it came, which is worth making again."""
        waiting, self._unready = self._unready, None
        if waiting is not None:
            query, settings = waiting
            self.on_cursor_idle(query.snapshot, query.offset, settings)

    def close(self) -> None:
        """End all that still runs."""
        self._prefetch.stop()
        self._sessions.close_all()

    # --- one request ---

    async def _outcome(self, session: DocumentSession, query: InlineQuery, settings: Settings) -> Outcome:
        trace = session.trace = Trace()
        session.debounce.key_pressed()
        try:
            async with session.requests.turn():
                answer = await self._answer(session, query, settings, trace)
        except NothingToShow as nothing:
            trace.reason = nothing.reason
            session.last_shown = None
            self._get_ready(session, query, settings, trace)
            return Outcome((), trace)
        except Superseded:
            trace.reason = Reason.SUPERSEDED
            return Outcome((), trace)
        except asyncio.CancelledError:
            trace.reason = Reason.CANCELLED
            raise
        except DevstralError:
            trace.reason = Reason.ENGINE_ERROR
            raise
        trace.confidence = answer.confidence
        suggestion = Suggestion(answer.id, answer.text, Span(query.offset, query.offset + answer.n_replaced))
        session.last_shown = self.feedback.shown(query.snapshot, query.offset, suggestion)
        self._prefetch.on_shown(session, query, answer, settings)
        return Outcome((suggestion,), trace)

    async def _answer(self, session: DocumentSession, query: InlineQuery, settings: Settings, trace: Trace) -> Answer:
        """The answer to show. Raises ``NothingToShow`` with the reason, and what the engine raises."""
        removed = session.deletions.removed_at(query.offset)
        follows_accepted = session.last_shown is not None and session.last_shown.is_just_accepted(query)
        _decline(policy.declined(query, settings) or self._just_rejected(query))
        if (model := self._engine.model) is None:
            raise NothingToShow(Reason.NOT_READY)
        key = cache_key(query.snapshot, query.offset, cache_fingerprint(model, settings.inline))
        recalled = self._recall(session, query, key, trace)
        if recalled is None:
            recalled = await self._generations.resume(session, query, key, model, settings, trace)
        if recalled is None:
            _decline(policy.declined_by(query, model) or policy.declined_after(query, removed))
            with trace.stage("scope", self._clock):
                request = suggestion_request(
                    session, query, model, settings, follows_accepted=follows_accepted, removed=removed
                )
            _decline(policy.declined_in(query, request.scope, settings.inline))
            if not query.invoked:
                request = self._generations.with_strictness(request, trace)
                with trace.stage("pace", self._clock):
                    await session.debounce.wait(settings.inline.debounce_ms)
            self._prefetch.stop()
            recalled = await self._generations.run(request, trace)
        return _fitting(recalled, may_begin_a_line=follows_accepted or query.invoked)

    def _recall(self, session: DocumentSession, query: InlineQuery, key: CacheKey, trace: Trace) -> Recalled | None:
        """The answer for this very place, or the rest of one that is being typed."""
        with trace.stage("cache", self._clock):
            recalled = session.suggestions.find(query.snapshot, query.offset, key)
        if recalled is None or (query.invoked and not recalled.answer.is_all):
            return None
        trace.reason = Reason.TYPED_THROUGH if recalled.typed else Reason.CACHED
        return recalled

    def _just_rejected(self, query: InlineQuery) -> Reason | None:
        rejected = not query.invoked and self.feedback.was_rejected(query.snapshot, query.offset)
        return Reason.JUST_REJECTED if rejected else None

    def _get_ready(self, session: DocumentSession, query: InlineQuery, settings: Settings, trace: Trace) -> None:
        """Nothing was shown: where the model was not asked, it may read the prompt of the next key."""
        if trace.reason is Reason.NOT_READY:
            self._unready = (query, settings)
        elif trace.reason in _LIKELY_ASKED_NEXT and not trace.asked_model:
            self._prefetch.on_cursor_idle(session, query, settings)


def _decline(reason: Reason | None) -> None:
    if reason is not None:
        raise NothingToShow(reason)


def _fitting(recalled: Recalled, *, may_begin_a_line: bool) -> Answer:
    """The recalled answer, unless it is empty, or is the next line where the line before it was not accepted.

    Raises:
        NothingToShow: that is so.
    """
    answer = recalled.answer
    begins_a_line = (
        not recalled.typed and answer.follows_accepted and answer.text.lstrip(" \t").startswith(("\n", "\r"))
    )
    if not answer.text or (begins_a_line and not may_begin_a_line):
        raise NothingToShow(answer.nothing)
    return answer
