"""THE pipeline: from a snapshot and a cursor to suggestions, top to bottom, one line a stage.

It knows no LSP and no sockets: the engine, the clock and the syntax trees are handed in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from cachetools import LRUCache

from devstral_ls.errors import DevstralError
from devstral_ls.generation import Engine, ModelInfo
from devstral_ls.languages.syntax.tree import SyntaxTrees
from devstral_ls.settings.tree import Settings
from devstral_ls.suggest import policy
from devstral_ls.suggest.cache import Answer, Found, SuggestionCache
from devstral_ls.suggest.debounce import Debounce, Superseded
from devstral_ls.suggest.feedback import Feedback
from devstral_ls.suggest.generator import SuggestionGenerator, SuggestionRequest, mode, with_strictness
from devstral_ls.suggest.in_flight import InFlightGeneration, InFlightGenerations
from devstral_ls.suggest.prefetch import Prefetch
from devstral_ls.suggest.recent_deletions import RecentDeletions
from devstral_ls.suggest.refusals import NothingToShow
from devstral_ls.suggest.retriever import ContextRetriever
from devstral_ls.suggest.single_flight import SingleFlight
from devstral_ls.suggest.trace import InlineQuery, Outcome, Reason, Suggestion, Trace
from devstral_ls.text import Snapshot, Span

MAX_TRACES = 64


class Suggester:
    """Suggestions for all open documents of one server. Made once and passed down; ``close`` it at the end."""

    def __init__(
        self,
        engine: Engine,
        trees: SyntaxTrees,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        related: ContextRetriever | None = None,
    ) -> None:
        self._engine = engine
        self._trees = trees
        self._clock = clock
        self._pace = Debounce(clock, sleep)
        self._cache = SuggestionCache()
        self._traces: LRUCache[str, Trace] = LRUCache(MAX_TRACES)
        self._joining = SingleFlight()
        self._edits = RecentDeletions()
        self._writings = InFlightGenerations(sleep)
        self._answering = SuggestionGenerator(engine, trees, self._cache, related or ContextRetriever(), clock)
        self._ahead = Prefetch(engine, self._answering, self._cache, self._writings, sleep)
        self._unready: tuple[InlineQuery, Settings] | None = None
        self.feedback = Feedback()

    @property
    def related(self) -> ContextRetriever:
        """What other files say."""
        return self._answering.related

    @related.setter
    def related(self, related: ContextRetriever) -> None:
        self._answering.related = related

    async def inline(self, query: InlineQuery, settings: Settings) -> Outcome:
        """Suggestions for ``query``, or none and the reason.

        Raises:
            EngineError: the engine could not answer; see ``errors``.
            asyncio.CancelledError: the request was taken back.
        """
        joined = await self._joining.join(query)
        if joined is not None:
            return joined
        with self._joining.running(query) as running:
            outcome = await self._inline(query, settings)
            running.set_result(outcome)
        return outcome

    def why(self, uri: str) -> Trace | None:
        """How the document's last request went."""
        return self._traces.get(uri)

    def on_cursor_idle(self, snapshot: Snapshot, offset: int, settings: Settings) -> None:
        """The cursor is there now, and nobody has asked for anything: get ready for it, if that makes sense."""
        self._ahead.on_cursor_idle(snapshot, offset, settings)

    def ready(self) -> None:
        """There is a model now: get ready for who asked before it came."""
        waiting, self._unready = self._unready, None
        if waiting is not None:
            query, settings = waiting
            self._ahead.on_cursor_idle(query.snapshot, query.offset, settings)

    def forget(self, uri: str) -> None:
        """Drop what is known of a closed document."""
        self._cache.forget(uri)
        self._pace.forget(uri)
        self._ahead.forget(uri)
        self._writings.forget(uri)
        self._trees.forget(uri)
        self.related.forget(uri)
        self._edits.forget(uri)
        self.feedback.forget(uri)
        self._traces.pop(uri, None)
        if self._unready is not None and self._unready[0].snapshot.uri == uri:
            self._unready = None

    def close(self) -> None:
        """End all that still runs."""
        self._ahead.stop()
        self._writings.close()

    async def _inline(self, query: InlineQuery, settings: Settings) -> Outcome:
        trace = self._traces[query.snapshot.uri] = Trace(Reason.RUNNING)
        suggestions: tuple[Suggestion, ...] = ()
        try:
            suggestions = await self._suggest(query, settings, trace)
        except NothingToShow as nothing:
            trace.reason = nothing.reason
            self.feedback.nothing_shown(query.snapshot.uri)
            self._get_ready(query, settings, nothing.reason)
        except Superseded:
            trace.reason = Reason.SUPERSEDED
        except asyncio.CancelledError:
            trace.reason = Reason.CANCELLED
            raise
        except DevstralError:
            trace.reason = Reason.ENGINE_ERROR
            raise
        return Outcome(suggestions, trace)

    async def _suggest(self, query: InlineQuery, settings: Settings, trace: Trace) -> tuple[Suggestion, ...]:
        snapshot = query.snapshot
        self._pace.key_pressed(snapshot.uri)
        async with self._pace.turn(snapshot.uri):
            removed = self._edits.removed(snapshot, query.offset)
            just_taken = self.feedback.just_taken(query)
            self._decline(policy.declined(query, settings) or self._just_rejected(query))
            model = self._model()
            answer = self._known(query, settings, trace, model, just_taken=just_taken)
            if answer is None:
                answer = await self._going_on(query, settings, trace, model, just_taken=just_taken)
            if answer is None:
                answer = await self._asked(query, settings, trace, model, removed, just_taken=just_taken)
        trace.confidence = answer.confidence
        return self._shown(query, answer, settings)

    def _known(
        self, query: InlineQuery, settings: Settings, trace: Trace, model: ModelInfo, *, just_taken: bool
    ) -> Answer | None:
        """The answer from memory."""
        with trace.stage("cache", self._clock):
            found = self._cache.find(query.snapshot, query.offset, mode(model, settings.inline))
        if found is None or (query.invoked and not found.answer.is_all):
            return None
        trace.reason = Reason.TYPED_THROUGH if found.typed else Reason.CACHED
        return _fitting(found, may_begin_a_line=just_taken or query.invoked)

    async def _going_on(
        self, query: InlineQuery, settings: Settings, trace: Trace, model: ModelInfo, *, just_taken: bool
    ) -> Answer | None:
        """The answer that is being written for an earlier key, if what was typed since is what it says."""
        found = self._writings.going_on(query, mode(model, settings.inline))
        if found is None:
            return None
        writing, typed = found
        trace.decisions.append("went-on-with-running")
        shown = writing.still_shown(query)
        if shown is not None:
            trace.take_over(writing.trace)
            trace.reason = Reason.TYPED_THROUGH if typed else Reason.CACHED
            return shown
        if writing.ahead and not writing.has_started:
            writing = self._now(writing, settings, model)
        try:
            with trace.stage("running", self._clock):
                shown = await self._first_lines(writing, query, typed, settings)
                answer = shown or await self._writings.follow(writing, typed)
        except NothingToShow:
            if typed or query.invoked:  # then it says nothing about this place, or not all it could
                return None
            raise
        finally:
            trace.take_over(writing.trace)
        if answer is None:
            self._writings.forget(query.snapshot.uri)
            trace.decisions.append("running-wrote-something-else")
            return None
        trace.reason = Reason.JOINED
        if shown is not None:
            return shown
        again = self._cache.find(query.snapshot, query.offset, mode(model, settings.inline))
        if again is None or (query.invoked and not again.answer.is_all):
            return None
        return _fitting(again, may_begin_a_line=just_taken or query.invoked)

    def _now(self, writing: InFlightGeneration, settings: Settings, model: ModelInfo) -> InFlightGeneration:
        """``writing`` once more, for somebody who waits: work ahead waits behind everybody, an action of minutes too.
        Nothing is lost, since what was read of the prompt is in the engine's cache.
        """
        query, trace = writing.query, Trace()
        question = self._answering.question(query, model, settings, trace, goes_on=True, real=False)
        return self._begin(with_strictness(question, self.feedback, trace), trace)

    async def _asked(
        self,
        query: InlineQuery,
        settings: Settings,
        trace: Trace,
        model: ModelInfo,
        removed: str,
        *,
        just_taken: bool,
    ) -> Answer:
        """The answer of the model."""
        inline = settings.inline
        self._decline(policy.declined_by(query, model) or policy.declined_after(query, removed))
        question = self._answering.question(query, model, settings, trace, goes_on=just_taken, removed=removed)
        self._decline(policy.declined_in(query, question.scope, inline))
        if not query.invoked:
            question = with_strictness(question, self.feedback, trace)
            with trace.stage("pace", self._clock):
                await self._pace.wait(query.snapshot.uri, inline.debounce_ms)
        self._ahead.stop()
        writing = self._begin(question, trace)
        answer = await self._first_lines(writing, query, "", settings) or await self._writings.follow(writing, "")
        if answer is None:  # ended by whoever needed the engine more
            raise NothingToShow(Reason.SUPERSEDED)
        trace.reason = Reason.SHOWN
        return answer

    def _begin(self, question: SuggestionRequest, trace: Trace) -> InFlightGeneration:
        """Have the model write what answers ``question``."""
        writing = self._writings.begin(
            question.query, question.mode, trace, lambda hear: self._answering.write(question, trace, hear)
        )
        if question.place.multiline and not question.query.invoked:
            writing.lines = lambda text: self._answering.first_lines(question, text, trace)
        return writing

    async def _first_lines(
        self, writing: InFlightGeneration, query: InlineQuery, typed: str, settings: Settings
    ) -> Answer | None:
        """What is not ``typed`` yet of the first lines of a block that takes longer than the latency budget, unless
        somebody asks for all of it by key. Who takes them finds the rest running (Cody and Supermaven call this a hot
        streak).
        """
        until = self._clock() + settings.inline.latency_budget_ms / 1000
        if query.invoked:
            return None
        return await self._writings.first_lines(writing, query, typed, lambda: self._clock() >= until)

    def _model(self) -> ModelInfo:
        model = self._engine.model
        if model is None:
            raise NothingToShow(Reason.NOT_READY)
        return model

    def _decline(self, reason: Reason | None) -> None:
        if reason is not None:
            raise NothingToShow(reason)

    def _just_rejected(self, query: InlineQuery) -> Reason | None:
        rejected = not query.invoked and self.feedback.was_rejected(query.snapshot, query.offset)
        return Reason.JUST_REJECTED if rejected else None

    def _get_ready(self, query: InlineQuery, settings: Settings, reason: Reason) -> None:
        """Nothing was shown and the model was not asked: it may read on for the next key."""
        if reason is Reason.NOT_READY:
            self._unready = (query, settings)
        elif reason in _QUIET and self._traces[query.snapshot.uri].layout is None:
            self._ahead.on_cursor_idle(query.snapshot, query.offset, settings)

    def _shown(self, query: InlineQuery, answer: Answer, settings: Settings) -> tuple[Suggestion, ...]:
        suggestion = Suggestion(answer.id, answer.text, Span(query.offset, query.offset + answer.n_replaced))
        self.feedback.shown(query.snapshot, query.offset, suggestion)
        self._ahead.after(query, answer, settings)
        return (suggestion,)


_QUIET = frozenset({Reason.JUST_DELETED, Reason.JUST_REJECTED, Reason.EMPTY})
"""Reasons after which the next key is likely to be asked about."""


def _fitting(found: Found, *, may_begin_a_line: bool) -> Answer:
    """The answer found, unless it is empty, or is the next line for somebody who has not taken the one before it.

    Raises:
        NothingToShow: that is so.
    """
    answer = found.answer
    begins_a_line = not found.typed and answer.goes_on and answer.text.lstrip(" \t").startswith(("\n", "\r"))
    if not answer.text or (begins_a_line and not may_begin_a_line):
        raise NothingToShow(answer.nothing)
    return answer
