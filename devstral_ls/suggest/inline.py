"""THE pipeline: from a snapshot and a cursor to suggestions, top to bottom, one line a stage.

It knows no LSP and no sockets: the engine, the clock and the syntax trees are handed in.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from cachetools import LRUCache

from devstral_ls.errors import DevstralError, PromptTooLong
from devstral_ls.generation import LINE_TIME, LINES_TIME, Engine, GenerationRequest, ModelInfo
from devstral_ls.languages.scopes import CursorScope, scope_at
from devstral_ls.languages.syntax import SyntaxTrees
from devstral_ls.languages.table import language_of
from devstral_ls.prompt.excerpts import n_tokens
from devstral_ls.prompt.layouts import suffix_share
from devstral_ls.prompt.window import Window, cut
from devstral_ls.related import Excerpt
from devstral_ls.settings import InlineSettings, Settings
from devstral_ls.suggest import gate
from devstral_ls.suggest.asking import read, request_for
from devstral_ls.suggest.cache import Answer, Found, SuggestionCache
from devstral_ls.suggest.draft import Draft, Place, place_at
from devstral_ls.suggest.feedback import Feedback
from devstral_ls.suggest.pace import Pace, Superseded
from devstral_ls.suggest.postprocess import NothingToShow, postprocess
from devstral_ls.suggest.related import Related, without_secrets
from devstral_ls.suggest.trace import InlineQuery, Outcome, Reason, Suggestion, Trace
from devstral_ls.text import Snapshot, Span

MAX_SMALLER_WINDOWS = 4
"""How often a prompt that turns out too long is cut to half."""

MAX_TRACES = 64


class _Running:
    """A request on its way, which others may join."""

    def __init__(self, query: InlineQuery) -> None:
        self._query = query
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def answers(self, query: InlineQuery) -> bool:
        """Is ``query`` the same request once more, and not a more urgent one?"""
        mine = self._query
        same = (mine.snapshot.version, mine.offset) == (query.snapshot.version, query.offset)
        return same and mine.invoked >= query.invoked and mine.snapshot.text == query.snapshot.text


class Suggester:
    """Suggestions for all open documents of one server. Made once and passed down."""

    def __init__(
        self,
        engine: Engine,
        trees: SyntaxTrees,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        related: Related | None = None,
    ) -> None:
        self._engine = engine
        self._trees = trees
        self.related = related or Related()
        """What other files say."""
        self._clock = clock
        self._pace = Pace(clock, sleep)
        self._cache = SuggestionCache()
        self._traces: LRUCache[str, Trace] = LRUCache(MAX_TRACES)
        self._ids = itertools.count(1)
        self._running: dict[str, _Running] = {}
        self.feedback = Feedback()

    async def inline(self, query: InlineQuery, settings: Settings) -> Outcome:
        """Suggestions for ``query``, or none and the reason.

        Raises:
            EngineError: the engine could not answer; see ``errors``.
            asyncio.CancelledError: the request was taken back.
        """
        joined = await self._join(query)
        if joined is not None:
            return joined
        with self._running_as(query) as running:
            outcome = await self._inline(query, settings)
            running.set_result(outcome)
        return outcome

    async def _inline(self, query: InlineQuery, settings: Settings) -> Outcome:
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
        self.related.forget(uri)
        self._traces.pop(uri, None)

    async def _join(self, query: InlineQuery) -> Outcome | None:
        """The outcome of a request at the very same place that runs already: ghost text and completion list in one."""
        running = self._running.get(query.snapshot.uri)
        if running is None or not running.answers(query):
            return None
        await asyncio.wait([running.outcome])
        if running.outcome.cancelled():  # its editor took it back, not ours
            return None
        return running.outcome.result()

    @contextmanager
    def _running_as(self, query: InlineQuery) -> Iterator[asyncio.Future[Outcome]]:
        """Let others join ``query`` inside the block, which sets the outcome."""
        uri, running = query.snapshot.uri, _Running(query)
        self._running[uri] = running
        try:
            yield running.outcome
        except DevstralError as error:
            running.outcome.set_exception(error)
            running.outcome.exception()  # it is raised here, too, so nobody needs to hear of it
            raise
        finally:
            running.outcome.cancel()
            if self._running.get(uri) is running:
                del self._running[uri]

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
            self._decline(gate.declined_by(query, model) or gate.declined_in(query, scope, inline))
            trace.multiline = gate.wants_lines(scope, snapshot, offset, inline)
            place = place_at(snapshot, offset, scope, language, multiline=trace.multiline)
            if not query.invoked:
                with trace.stage("pace", self._clock):
                    await self._pace.wait(snapshot.uri, inline.debounce_ms)
            draft = await self._ask(query, scope, place, model, settings, trace)
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
        settings: Settings,
        trace: Trace,
    ) -> Draft:
        """What the model writes at the place. A prompt that is too long is cut to half and tried again."""
        layout = model.layouts[0]
        trace.layout, trace.model = layout, model.name
        budget = model.prompt_budget
        with trace.stage("excerpts", self._clock):
            excerpts = await self.related.around(query.snapshot, query.offset, scope, budget, settings)
        for _ in range(MAX_SMALLER_WINDOWS):
            with trace.stage("prompt", self._clock):
                left = budget - n_tokens(excerpts)
                window = cut(query.snapshot, query.offset, scope, budget=left, suffix_share=suffix_share(layout))
                window = without_secrets(window, settings.privacy)
                request = _request(window, query.snapshot, model, place, settings.inline, excerpts)
            try:
                with trace.stage("engine", self._clock):
                    return await read(self._engine, request, place, trace)
            except PromptTooLong as too_long:
                excerpts = ()
                budget = min(budget // 2, too_long.limit)
        raise NothingToShow(Reason.TOO_LONG_LINE)

    def _remember(self, query: InlineQuery, draft: Draft, mode: str) -> Answer:
        """Post-process the draft and keep the answer, an empty one as well: asking again would give the same."""
        try:
            finished = postprocess(draft)
        except NothingToShow:
            if draft.complete:  # else the time was too short, and asking again may give more
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
    window: Window,
    snapshot: Snapshot,
    model: ModelInfo,
    place: Place,
    inline: InlineSettings,
    excerpts: tuple[Excerpt, ...],
) -> GenerationRequest:
    automatic = model.lines_tokens if place.multiline else model.line_tokens
    return request_for(
        window,
        snapshot.uri,
        model,
        max_tokens=automatic if isinstance(inline.max_tokens, str) else inline.max_tokens,
        time_limit_ms=inline.latency_budget_ms * (LINES_TIME if place.multiline else LINE_TIME),
        excerpts=excerpts,
    )


def _mode(model: ModelInfo, inline: InlineSettings) -> str:
    """What an answer depends on besides the text."""
    asked = (inline.multiline, inline.max_tokens, inline.latency_budget_ms, inline.in_comments)
    return f"{model.name}/{model.layouts[0]}/{asked}"


def _line_end(snapshot: Snapshot) -> str:
    r"""The document's line end: that of its first line; ``\n`` where it has only one line."""
    first = snapshot.text[: snapshot.line_starts[1]] if snapshot.n_lines > 1 else ""
    return "\r\n" if first.endswith("\r\n") else "\r" if first.endswith("\r") else "\n"
