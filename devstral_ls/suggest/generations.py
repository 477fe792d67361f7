"""The generations of all documents: start one, go on with one that runs, or start it again for a request that waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from devstral_ls.generation import ModelInfo
from devstral_ls.settings.tree import Settings
from devstral_ls.suggest import policy
from devstral_ls.suggest.cache import CacheKey, Recalled
from devstral_ls.suggest.feedback import Feedback
from devstral_ls.suggest.generator import SuggestionGenerator
from devstral_ls.suggest.in_flight import InFlightGeneration
from devstral_ls.suggest.request import SuggestionRequest, suggestion_request
from devstral_ls.suggest.session import DocumentSession, DocumentSessions
from devstral_ls.suggest.trace import InlineQuery, NothingToShow, Reason, Trace


class Generations:
    """Those that requests of an editor wait for.

    Args:
        generator: runs them.
        sessions: each document has at most one.
        feedback: moves how sure the model must be.
        clock: seconds.
    """

    def __init__(
        self,
        generator: SuggestionGenerator,
        sessions: DocumentSessions,
        feedback: Feedback,
        clock: Callable[[], float],
    ) -> None:
        self._generator = generator
        self._sessions = sessions
        self._feedback = feedback
        self._clock = clock

    async def resume(
        self,
        session: DocumentSession,
        query: InlineQuery,
        key: CacheKey,
        model: ModelInfo,
        settings: Settings,
        trace: Trace,
    ) -> Recalled | None:
        """The answer that is being generated for an earlier key, if what was typed since is how it begins."""
        resumable = session.resumable(query, key)
        if resumable is None:
            return None
        generation, typed = resumable
        trace.decisions.append("went-on-with-running")
        shown = generation.still_shown(query, key)
        if shown is not None:
            trace.take_over(generation.trace)
            trace.reason = Reason.TYPED_THROUGH if typed else Reason.CACHED
            return shown
        if generation.is_prefetch and not generation.has_started:
            generation = self._promote(session, generation, model, settings)
        trace.asked_model = True
        try:
            with trace.stage("running", self._clock):
                recalled = await generation.suggestion(query, key, typed, self._deadline(settings))
        except NothingToShow:
            if typed or query.invoked:  # then it says nothing about this place, or not all it could
                return None
            raise
        finally:
            trace.take_over(generation.trace)
        trace.reason = Reason.JOINED
        if recalled is None and not generation.has_answer:
            session.end_generation()
            trace.decisions.append("running-wrote-something-else")
        return None if recalled is None or (query.invoked and not recalled.answer.is_all) else recalled

    def _promote(
        self, session: DocumentSession, prefetched: InFlightGeneration, model: ModelInfo, settings: Settings
    ) -> InFlightGeneration:
        """Start a prefetch again as a request that an editor waits for: in the queue a prefetch stands behind all others.

        Nothing is lost, since what was read of the prompt is in the engine's cache.
        """
        trace = Trace()
        request = suggestion_request(session, prefetched.query, model, settings, follows_accepted=True)
        return self._start(self.with_strictness(request, trace), trace)

    async def run(self, request: SuggestionRequest, trace: Trace) -> Recalled:
        """The answer of the model, or its first lines when it takes longer than the latency budget."""
        trace.asked_model = True
        generation = self._start(request, trace)
        recalled = await generation.suggestion(request.query, request.key, "", self._deadline(request.settings))
        if recalled is None:  # cancelled: another request needed the engine more
            raise NothingToShow(Reason.SUPERSEDED)
        trace.reason = Reason.SHOWN
        return recalled

    def _start(self, request: SuggestionRequest, trace: Trace) -> InFlightGeneration:
        request.session.end_generation()
        self._sessions.end_preemptible()
        return self._generator.start(request, trace)

    def with_strictness(self, request: SuggestionRequest, trace: Trace) -> SuggestionRequest:
        """``request`` with how sure the model must be, after what the user did with the last suggestions."""
        strictness = self._feedback.strictness(request.query.snapshot.language)
        least = policy.min_confidence(request.settings.inline, strictness)
        trace.min_confidence = least
        return replace(request, min_confidence=least)

    def _deadline(self, settings: Settings) -> Callable[[], bool]:
        """True once the latency budget is spent, counted from now."""
        until = self._clock() + settings.inline.latency_budget_ms / 1000
        return lambda: self._clock() >= until
