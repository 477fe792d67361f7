"""From a place in a document to an answer that is kept: window, model, post-processing, cache."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from devstral_ls.code_context import Excerpt
from devstral_ls.errors import PromptTooLong
from devstral_ls.generation import LINE_TIME, LINES_TIME, Engine, GenerationRequest, ModelInfo, Priority
from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.languages.scopes.siblings import sibling_functions
from devstral_ls.languages.scopes.tree import scope_at
from devstral_ls.languages.syntax.tree import SyntaxTrees
from devstral_ls.languages.table import language_of
from devstral_ls.prompt import diagnostic_comments
from devstral_ls.prompt.excerpts import excerpt_tokens
from devstral_ls.prompt.layouts import suffix_share
from devstral_ls.prompt.window import Window, cut_window
from devstral_ls.settings.tree import InlineSettings, Settings
from devstral_ls.suggest import policy
from devstral_ls.suggest.answer_stream import read, request_for
from devstral_ls.suggest.cache import Answer, SuggestionCache
from devstral_ls.suggest.draft import CursorContext, Draft, cursor_context_at
from devstral_ls.suggest.feedback import Feedback
from devstral_ls.suggest.in_flight import Hear
from devstral_ls.suggest.postprocess import postprocess
from devstral_ls.suggest.refusals import NothingToShow
from devstral_ls.suggest.retriever import ContextRetriever, without_secrets
from devstral_ls.suggest.syntax_trim import SyntaxTrim
from devstral_ls.suggest.trace import InlineQuery, Reason, Trace
from devstral_ls.text import Snapshot, Span

MAX_SMALLER_WINDOWS = 4
"""How often a prompt that turns out too long is cut to half."""


@dataclass(frozen=True, slots=True)
class SuggestionRequest:
    """A place, and all that the answer depends on."""

    query: InlineQuery
    scope: CursorScope
    place: CursorContext
    model: ModelInfo
    settings: Settings
    mode: str
    """What the answer depends on besides the text: see ``mode``."""
    min_confidence: float = 0.0
    usual_confidence: float = 0.0
    """What it would be without what was taken and dismissed in other sessions."""
    priority: Priority = Priority.INLINE
    siblings: tuple[Span, ...] = ()
    """Other functions of the cursor's class, the nearest first."""

    @property
    def inline(self) -> InlineSettings:
        """Those of the settings that are about ghost text."""
        return self.settings.inline


class SuggestionGenerator:
    """The answers of one server. Made once and passed down."""

    def __init__(
        self,
        engine: Engine,
        trees: SyntaxTrees,
        cache: SuggestionCache,
        related: ContextRetriever,
        clock: Callable[[], float],
    ) -> None:
        self._engine = engine
        self.related = related
        """What other files say."""
        self._trees = trees
        self._cache = cache
        self._clock = clock
        self._whole = SyntaxTrim(trees, clock)
        self._ids = itertools.count(1)

    def question(
        self,
        query: InlineQuery,
        model: ModelInfo,
        settings: Settings,
        trace: Trace,
        *,
        goes_on: bool = False,
        removed: str = "",
        real: bool = True,
    ) -> SuggestionRequest:
        """The place of ``query``; ``goes_on`` and ``removed`` are as in ``Place``; ``real``: is it the document's text?"""
        snapshot, offset, inline = query.snapshot, query.offset, settings.inline
        with trace.stage("scope", self._clock):
            tree = self._trees.tree(snapshot, offset) if real else self._trees.tried(snapshot, offset)
            scope = scope_at(tree, snapshot, offset)
            others = sibling_functions(tree, scope, offset) if "sibling" in inline.context else ()
        due = policy.wants_lines(scope, snapshot, offset, inline)
        gap = _reads_suffix(model) and policy.is_gap(query, scope, inline)
        trace.multiline = (due or gap) and policy.can_afford_lines(model, inline)
        language = language_of(snapshot.language, snapshot.uri)
        place = cursor_context_at(snapshot, offset, scope, language, multiline=trace.multiline, syntax=tree)
        place = replace(
            place,
            fills=gap and trace.multiline and bool(place.line_after.strip()),
            # Where a block is due that would take too long, its first line may follow the line end.
            goes_on=(goes_on or due) and not trace.multiline,
            by_key=query.invoked,
            removed=removed,
        )
        return SuggestionRequest(query, scope, place, model, settings, mode(model, inline), siblings=others)

    async def write(self, question: SuggestionRequest, trace: Trace, hear: Hear) -> Answer:
        """What the model writes at the place, worth showing and kept.

        Raises:
            NothingToShow: with the reason.
            EngineError: see ``generation.Engine``.
        """
        draft = await self._ask(question, trace, hear)
        return self._remember(question, draft, trace)

    def first_lines(self, question: SuggestionRequest, text: str, trace: Trace) -> Answer | None:
        """The whole lines of ``text``, which is still being written, if they are worth showing."""
        lines = text.rpartition("\n")[0]
        try:
            answer = self._finished(question, Draft(lines, question.place), trace)
        except NothingToShow:
            return None
        trace.decisions.append("first-lines")
        return answer

    async def read_ahead(self, question: SuggestionRequest) -> None:
        """Have the engine read the prompt that a request at the place will begin with.

        Raises:
            EngineError, PromptTooLong: see ``generation.Engine``.
            NothingToShow: nothing will be asked there.
        """
        request = self._request(question, question.model.prompt_budget, await self._excerpts(question), Trace())
        request = replace(request, max_tokens=0, begins_with="", logprobs=False, priority=Priority.BACKGROUND)
        async with self._engine.generate(request) as chunks:
            async for _ in chunks:
                pass

    async def _ask(self, question: SuggestionRequest, trace: Trace, hear: Hear) -> Draft:
        """What the model writes at the place. A prompt that is too long is cut to half and tried again."""
        trace.layout, trace.model = question.model.layouts[0], question.model.name
        budget = question.model.prompt_budget
        with trace.stage("excerpts", self._clock):
            excerpts = await self._excerpts(question)
        for _ in range(MAX_SMALLER_WINDOWS):
            with trace.stage("prompt", self._clock):
                request = self._request(question, budget, excerpts, trace)
            try:
                with trace.stage("engine", self._clock):
                    return await read(self._engine, request, question.place, trace, hear, question.min_confidence)
            except PromptTooLong as too_long:
                excerpts = ()
                budget = min(budget // 2, too_long.limit)
        raise NothingToShow(Reason.TOO_LONG_LINE)

    async def _excerpts(self, question: SuggestionRequest) -> tuple[Excerpt, ...]:
        """Raises NothingToShow: an ignore file names the document."""
        query, budget = question.query, question.model.prompt_budget
        return await self.related.around(
            query.snapshot, query.offset, question.scope, budget, question.settings, question.siblings
        )

    def _request(
        self, question: SuggestionRequest, budget: int, excerpts: tuple[Excerpt, ...], trace: Trace
    ) -> GenerationRequest:
        """Raises NothingToShow: the cursor is in a secret."""
        share = suffix_share(question.model.layouts[0])
        snapshot, offset, scope = question.query.snapshot, question.query.offset, question.scope
        said = self.related.notes(snapshot, offset, scope, budget, question.settings)
        trace.excerpts = {**Counter(one.source for one in excerpts), **({"diagnostics": len(said)} if said else {})}
        left = budget - excerpt_tokens(excerpts) - diagnostic_comments.comment_tokens(said)
        window = cut_window(snapshot, offset, scope, budget=left, suffix_share=share)
        window = without_secrets(
            diagnostic_comments.with_comments(window, snapshot, offset, said), question.settings.privacy
        )
        request = _request(window, snapshot, question, excerpts)
        return replace(request, conversation=snapshot.uri, priority=question.priority)

    def _remember(self, question: SuggestionRequest, draft: Draft, trace: Trace) -> Answer:
        """Post-process the draft and keep the answer, an empty one as well: asking again would give the same."""
        query = question.query
        try:
            with trace.stage("finish", self._clock):
                answer = self._finished(question, draft, trace)
        except NothingToShow as nothing:
            if nothing.reason is Reason.UNSURE and (trace.confidence or 0.0) >= question.usual_confidence > 0:
                nothing = NothingToShow(Reason.SELDOM_TAKEN)
            if draft.complete:  # else the time was too short, and asking again may give more
                self._cache.put(query.snapshot, query.offset, question.mode, Answer("", "", 0, nothing.reason))
            raise nothing from None
        self._cache.put(query.snapshot, query.offset, question.mode, answer)
        return answer

    def _finished(self, question: SuggestionRequest, draft: Draft, trace: Trace) -> Answer:
        """What is shown of ``draft``, with the document's line ends.

        Raises:
            NothingToShow: with the reason.
        """
        finished = self._whole.cut(postprocess(draft, trace.decisions), question.query, trace)
        return Answer(
            str(next(self._ids)),
            finished.text.replace("\n", line_end(question.query.snapshot)),
            finished.n_replaced,
            goes_on=question.place.goes_on and not question.scope.block_due,
            confidence=trace.confidence,
            more_by_key=draft.unsure,
        )


def _reads_suffix(model: ModelInfo) -> bool:
    """Does the model know where its answer is to end?"""
    return suffix_share(model.layouts[0]) > 0


def with_strictness(question: SuggestionRequest, feedback: Feedback, trace: Trace) -> SuggestionRequest:
    """``question`` with how sure the model must be for somebody who did not ask."""
    strictness = feedback.strictness(question.query.snapshot)
    usual, asked = (policy.min_confidence(question.inline, factor) for factor in strictness)
    trace.min_confidence = asked
    if asked > usual:
        trace.decisions.append("stricter-as-seldom-taken")
    return replace(question, min_confidence=asked, usual_confidence=usual)


def mode(model: ModelInfo, inline: InlineSettings) -> str:
    """What an answer depends on besides the text."""
    where = (inline.in_comments, inline.in_strings, inline.context)
    asked = (inline.multiline, inline.max_tokens, inline.latency_budget_ms, inline.min_confidence, *where)
    return f"{model.name}/{model.layouts[0]}/{asked}"


def line_end(snapshot: Snapshot) -> str:
    r"""The document's line end: that of its first line; ``\n`` where it has only one line."""
    first = snapshot.text[: snapshot.line_starts[1]] if snapshot.n_lines > 1 else ""
    return "\r\n" if first.endswith("\r\n") else "\r" if first.endswith("\r") else "\n"


def _request(
    window: Window, snapshot: Snapshot, question: SuggestionRequest, excerpts: tuple[Excerpt, ...]
) -> GenerationRequest:
    model, inline, several = question.model, question.inline, question.place.multiline
    automatic = model.lines_tokens if several else model.line_tokens
    request = request_for(
        window,
        snapshot.uri,
        model,
        max_tokens=automatic if isinstance(inline.max_tokens, str) else inline.max_tokens,
        time_limit_ms=inline.latency_budget_ms * (LINES_TIME if several else LINE_TIME),
        excerpts=excerpts,
    )
    return replace(request, logprobs=inline.min_confidence > 0)
