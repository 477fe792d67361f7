"""THE pipeline: from a snapshot and a cursor to suggestions, top to bottom, one line a stage.

It knows no LSP and no sockets: the engine, the clock and the syntax trees are handed in.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

from cachetools import LRUCache

from devstral_ls.errors import DevstralError, PromptTooLong
from devstral_ls.generation import Engine, FinishReason, GenerationRequest, ModelInfo
from devstral_ls.languages.scopes import CursorScope, scope_at
from devstral_ls.languages.syntax import SyntaxTrees
from devstral_ls.languages.table import language_of
from devstral_ls.prompt.layouts import LAYOUTS, build, suffix_share
from devstral_ls.prompt.window import Window, cut
from devstral_ls.settings import InlineSettings, Settings
from devstral_ls.suggest import gate, stops
from devstral_ls.suggest.cache import Answer, Found, SuggestionCache
from devstral_ls.suggest.draft import Draft, Place, place_at
from devstral_ls.suggest.feedback import Feedback
from devstral_ls.suggest.pace import Pace, Superseded
from devstral_ls.suggest.postprocess import NothingToShow, postprocess
from devstral_ls.suggest.trace import InlineQuery, Outcome, Reason, Suggestion, Trace
from devstral_ls.text import Snapshot, Span

LINE_TOKENS = 48
"""The most tokens of one line: 73 characters at the 95th percentile (``peers.md``) are some 25."""

LINES_TOKENS = 192
"""The most tokens of several lines."""

LINE_TIME = 4
"""Decoding of one line may take this many times ``inline.latencyBudgetMs``; what is there then is shown."""

LINES_TIME = 10
"""The same for several lines."""

MAX_SMALLER_WINDOWS = 4
"""How often a prompt that turns out too long is cut to half."""

MAX_TRACES = 64


class Suggester:
    """Suggestions for all open documents of one server. Made once and passed down."""

    def __init__(
        self,
        engine: Engine,
        trees: SyntaxTrees,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._engine = engine
        self._trees = trees
        self._clock = clock
        self._pace = Pace(clock, sleep)
        self._cache = SuggestionCache()
        self._traces: LRUCache[str, Trace] = LRUCache(MAX_TRACES)
        self._ids = itertools.count(1)
        self.feedback = Feedback()

    async def inline(self, query: InlineQuery, settings: Settings) -> Outcome:
        """Suggestions for ``query``, or none and the reason.

        Raises:
            EngineError: the engine could not answer; see ``errors``.
            asyncio.CancelledError: the request was taken back.
        """
        trace = self._traces[query.snapshot.uri] = Trace()
        suggestions: tuple[Suggestion, ...] = ()
        try:
            suggestions = await self._suggest(query, settings, trace)
        except NothingToShow as nothing:
            trace.reason = nothing.reason
        except Superseded:
            trace.reason = Reason.SUPERSEDED
        except asyncio.CancelledError:
            trace.reason = Reason.CANCELLED
            raise
        except DevstralError:
            trace.reason = Reason.ENGINE_ERROR
            raise
        return Outcome(suggestions, trace)

    def why(self, uri: str) -> Trace | None:
        """How the document's last request went."""
        return self._traces.get(uri)

    def forget(self, uri: str) -> None:
        """Drop what is known of a closed document."""
        self._cache.forget(uri)
        self._pace.forget(uri)
        self._trees.forget(uri)
        self._traces.pop(uri, None)

    async def _suggest(self, query: InlineQuery, settings: Settings, trace: Trace) -> tuple[Suggestion, ...]:
        snapshot, offset, inline = query.snapshot, query.offset, settings.inline
        language = language_of(snapshot.language, snapshot.uri)
        self._pace.key_pressed(snapshot.uri)
        async with self._pace.turn(snapshot.uri):
            self._decline(gate.declined(query, language, settings) or self._just_rejected(query))
            model = self._model()
            with trace.stage("cache", self._clock):
                found = self._cache.find(snapshot, offset, _mode(model, inline))
            if found is not None and (found.answer.text or not query.invoked):
                return self._shown(query, self._from_cache(found, trace))
            with trace.stage("scope", self._clock):
                scope = scope_at(self._trees.tree(snapshot), snapshot, offset)
            self._decline(gate.declined_in(query, scope, inline))
            trace.multiline = gate.wants_lines(scope, snapshot, offset, inline)
            place = place_at(snapshot, offset, multiline=trace.multiline, offside=language.offside)
            if not query.invoked:
                with trace.stage("pace", self._clock):
                    await self._pace.wait(snapshot.uri, inline.debounce_ms)
            draft = await self._ask(query, scope, place, model, inline, trace)
            answer = self._remember(query, draft, _mode(model, inline))
        trace.reason = Reason.SHOWN
        return self._shown(query, answer)

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

    def _from_cache(self, found: Found, trace: Trace) -> Answer:
        trace.reason = Reason.TYPED_THROUGH if found.typed else Reason.CACHED
        if not found.answer.text:
            raise NothingToShow(Reason.EMPTY)
        return found.answer

    async def _ask(
        self,
        query: InlineQuery,
        scope: CursorScope,
        place: Place,
        model: ModelInfo,
        inline: InlineSettings,
        trace: Trace,
    ) -> Draft:
        """What the model writes at the place. A prompt that is too long is cut to half and tried again."""
        layout = model.layouts[0]
        trace.layout, trace.model = layout, model.name
        budget = model.prompt_budget
        for _ in range(MAX_SMALLER_WINDOWS):
            with trace.stage("prompt", self._clock):
                window = cut(query.snapshot, query.offset, scope, budget=budget, suffix_share=suffix_share(layout))
                request = _request(window, query.snapshot, model, place, inline)
            try:
                with trace.stage("engine", self._clock):
                    return await self._read(request, place, trace)
            except PromptTooLong as too_long:
                budget = min(budget // 2, too_long.limit)
        raise NothingToShow(Reason.TOO_LONG_LINE)

    async def _read(self, request: GenerationRequest, place: Place, trace: Trace) -> Draft:
        """Read the stream until enough was written; leaving the block cancels the rest."""
        answer = ""
        complete = False
        n_forced = len(request.begins_with)
        async with self._engine.generate(request) as chunks:
            async for chunk in chunks:
                answer += chunk.text
                trace.usage = chunk.usage or trace.usage
                complete = chunk.finish is FinishReason.STOP
                enough = stops.cut(answer[n_forced:], place)
                if enough is not None:
                    return Draft(enough, place)
        if not answer.startswith(request.begins_with):
            return Draft("", place)
        return Draft(answer[n_forced:], place, complete=complete)

    def _remember(self, query: InlineQuery, draft: Draft, mode: str) -> Answer:
        """Post-process the draft and keep the answer, an empty one as well: asking again would give the same."""
        try:
            finished = postprocess(draft)
        except NothingToShow:
            self._cache.put(query.snapshot, query.offset, mode, Answer("", "", 0))
            raise
        text = finished.text.replace("\n", _line_end(query.snapshot))
        answer = Answer(str(next(self._ids)), text, finished.n_replaced)
        self._cache.put(query.snapshot, query.offset, mode, answer)
        return answer

    def _shown(self, query: InlineQuery, answer: Answer) -> tuple[Suggestion, ...]:
        self.feedback.shown(answer.id, query.snapshot, query.offset)
        return (Suggestion(answer.id, answer.text, Span(query.offset, query.offset + answer.n_replaced)),)


def _request(
    window: Window, snapshot: Snapshot, model: ModelInfo, place: Place, inline: InlineSettings
) -> GenerationRequest:
    prefix, taken = LAYOUTS[model.layouts[0]].take_back(_unix(window.prefix))
    prompt, stop = build(model, Window(prefix, _unix(window.suffix)), snapshot.uri)
    automatic = LINES_TOKENS if place.multiline else LINE_TOKENS
    return GenerationRequest(
        prompt=prompt,
        max_tokens=automatic if isinstance(inline.max_tokens, str) else inline.max_tokens,
        stop=stop,
        begins_with=taken,
        time_limit_ms=inline.latency_budget_ms * (LINES_TIME if place.multiline else LINE_TIME),
    )


def _mode(model: ModelInfo, inline: InlineSettings) -> str:
    """What an answer depends on besides the text."""
    return f"{model.name}/{model.layouts[0]}/{inline.multiline}/{inline.max_tokens}"


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _line_end(snapshot: Snapshot) -> str:
    r"""The document's line end: that of its first line; ``\n`` where it has only one line."""
    first = snapshot.text[: snapshot.line_starts[1]] if snapshot.n_lines > 1 else ""
    return "\r\n" if first.endswith("\r\n") else "\n"
