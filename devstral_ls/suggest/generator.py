"""From a request to an answer in the document's cache: excerpts, window, model, post-processing."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from devstral_ls.code_context import Excerpt
from devstral_ls.errors import PromptTooLong
from devstral_ls.generation import LINE_TIME, LINES_TIME, Engine, GenerationRequest, Priority
from devstral_ls.languages.table import language_of
from devstral_ls.prompt import diagnostic_comments
from devstral_ls.prompt.diagnostic_comments import MAX_COMMENTS, DiagnosticComment
from devstral_ls.prompt.excerpts import excerpt_tokens, room_for_excerpts
from devstral_ls.prompt.layouts import suffix_share
from devstral_ls.prompt.window import CHARACTERS_PER_TOKEN, MAX_LINE, Window, cut_window
from devstral_ls.retrieval.redact import redacted, redacted_document
from devstral_ls.retrieval.retriever import ContextRetriever
from devstral_ls.suggest import policy
from devstral_ls.suggest.answer_stream import read_answer, request_for
from devstral_ls.suggest.cache import Answer
from devstral_ls.suggest.excerpt_selection import reach
from devstral_ls.suggest.in_flight import InFlightGeneration, OnText
from devstral_ls.suggest.postprocess.draft import Draft
from devstral_ls.suggest.postprocess.steps import postprocess
from devstral_ls.suggest.postprocess.syntax_trim import SyntaxTrim
from devstral_ls.suggest.request import SuggestionRequest
from devstral_ls.suggest.trace import NothingToShow, Reason, Trace
from devstral_ls.text import Snapshot, Span

MAX_SMALLER_WINDOWS = 4
"""How often a prompt that turns out too long is cut to half."""


class SuggestionGenerator:
    """The generations of one server. Made once and passed down.

    Args:
        engine: runs the model.
        retriever: finds code of other files.
        clock: seconds.
        sleep: waits for seconds; tests give their own.
    """

    def __init__(
        self,
        engine: Engine,
        retriever: ContextRetriever,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._retriever = retriever
        self._clock = clock
        self._sleep = sleep
        self._trim = SyntaxTrim(clock)
        self._ids = itertools.count(1)

    def start(self, request: SuggestionRequest, trace: Trace) -> InFlightGeneration:
        """Start to generate, in the place of the document's last generation."""
        session = request.session
        session.end_generation()
        trace.multiline = request.place.multiline
        session.generation = InFlightGeneration(
            request.query,
            request.key,
            trace,
            _Work(self, request, trace),
            session.suggestions,
            self._sleep,
            is_prefetch=request.is_prefetch,
        )
        return session.generation

    async def write(self, request: SuggestionRequest, trace: Trace, on_text: OnText) -> Answer:
        """What the model writes at the place, worth showing; it is in the cache then.

        Raises:
            NothingToShow: with the reason.
            EngineError: see ``generation.Engine``.
        """
        draft = await self._generated(request, trace, on_text)
        return self._remember(request, draft, trace)

    def first_lines(self, request: SuggestionRequest, text: str, trace: Trace) -> Answer | None:
        """The whole lines of ``text``, which is still being written, if they are worth showing."""
        if not request.may_show_first_lines:
            return None
        try:
            answer = self._finished(request, Draft(text.rpartition("\n")[0], request.place), trace)
        except NothingToShow:
            return None
        trace.decisions.append("first-lines")
        return answer

    async def prefill(self, request: SuggestionRequest) -> None:
        """Have the engine read the prompt that a request at the place will begin with, and generate nothing.

        Raises:
            EngineError, PromptTooLong: see ``generation.Engine``.
            NothingToShow: no suggestion will be generated there.
        """
        prompt = self._prompt(request, request.model.prompt_budget, await self._excerpts(request), Trace())
        prompt = replace(prompt, max_tokens=0, begins_with="", logprobs=False, priority=Priority.BACKGROUND)
        async with self._engine.generate(prompt) as chunks:
            async for _ in chunks:
                pass

    async def _generated(self, request: SuggestionRequest, trace: Trace, on_text: OnText) -> Draft:
        """What the model writes at the place. A prompt that is too long is cut to half and tried again."""
        trace.layout, trace.model = request.model.layouts[0], request.model.name
        budget = request.model.prompt_budget
        with trace.stage("excerpts", self._clock):
            excerpts = await self._excerpts(request)
        for _ in range(MAX_SMALLER_WINDOWS):
            with trace.stage("prompt", self._clock):
                prompt = self._prompt(request, budget, excerpts, trace)
            try:
                with trace.stage("engine", self._clock):
                    return await read_answer(
                        self._engine, prompt, request.place, trace, on_text, request.min_confidence
                    )
            except PromptTooLong as too_long:
                excerpts = ()
                budget = min(budget // 2, too_long.limit)
        raise NothingToShow(Reason.TOO_LONG_LINE)

    async def _excerpts(self, request: SuggestionRequest) -> tuple[Excerpt, ...]:
        """Code of other files. Raises ``NothingToShow``: the document must not be shown to a model."""
        session, budget = request.session, request.model.prompt_budget
        snapshot, offset = request.query.snapshot, request.query.offset
        retrieved = await self._retriever.retrieve(
            session.context,
            snapshot,
            offset,
            request.scope,
            request.settings,
            request.siblings,
            reach(budget),
            session.excerpts.chosen,
        )
        if (reason := policy.hidden(retrieved.visibility)) is not None:
            raise NothingToShow(reason)
        return session.excerpts.choose(retrieved, snapshot, offset, budget)

    def _prompt(
        self, request: SuggestionRequest, budget: int, excerpts: tuple[Excerpt, ...], trace: Trace
    ) -> GenerationRequest:
        """The request to the engine. Raises ``NothingToShow``: the cursor is in a secret."""
        share = suffix_share(request.model.layouts[0])
        snapshot, offset = _without_secrets(request, budget, share), request.query.offset
        notes = _notes(request, budget)
        trace.excerpts = {**Counter(one.source for one in excerpts), **({"diagnostics": len(notes)} if notes else {})}
        left = budget - excerpt_tokens(excerpts) - diagnostic_comments.comment_tokens(notes)
        window = cut_window(snapshot, offset, request.scope, budget=left, suffix_share=share)
        window = diagnostic_comments.with_comments(window, snapshot, offset, notes)
        return _engine_request(request, window, excerpts)

    def _remember(self, request: SuggestionRequest, draft: Draft, trace: Trace) -> Answer:
        """Post-process the draft and keep the answer, an empty one as well: asking again would give the same."""
        cache, offset = request.session.suggestions, request.query.offset
        try:
            with trace.stage("finish", self._clock):
                answer = self._finished(request, draft, trace)
        except NothingToShow as nothing:
            if draft.complete:  # else the time was too short, and asking again may give more
                cache.put(request.key, offset, Answer("", "", 0, nothing.reason))
            raise
        cache.put(request.key, offset, answer)
        return answer

    def _finished(self, request: SuggestionRequest, draft: Draft, trace: Trace) -> Answer:
        """What is shown of ``draft``, with the document's line ends.

        Raises:
            NothingToShow: with the reason.
        """
        finished = self._trim.cut(postprocess(draft, trace.decisions), request.query, request.syntax, trace)
        return Answer(
            str(next(self._ids)),
            finished.text.replace("\n", line_end(request.query.snapshot)),
            finished.n_replaced,
            follows_accepted=request.place.follows_accepted and not request.scope.block_due,
            confidence=trace.confidence,
            is_cut_unsure=draft.unsure,
        )


@dataclass(frozen=True, slots=True)
class _Work:
    """One request of a generator."""

    generator: SuggestionGenerator
    request: SuggestionRequest
    trace: Trace

    async def write(self, on_text: OnText) -> Answer:
        return await self.generator.write(self.request, self.trace, on_text)

    def first_lines(self, text: str) -> Answer | None:
        return self.generator.first_lines(self.request, text, self.trace)


def line_end(snapshot: Snapshot) -> str:
    r"""The document's line end: that of its first line; ``\n`` where it has only one line."""
    first = snapshot.text[: snapshot.line_starts[1]] if snapshot.n_lines > 1 else ""
    return "\r\n" if first.endswith("\r\n") else "\r" if first.endswith("\r") else "\n"


def _notes(request: SuggestionRequest, budget: int) -> tuple[DiagnosticComment, ...]:
    """What other tools say of the code at the cursor, as comments for a prompt of ``budget`` tokens."""
    if not room_for_excerpts(budget) or "diagnostics" not in request.settings.inline.context:
        return ()
    query = request.query
    snapshot, offset = query.snapshot, query.offset
    near = request.session.context.diagnostics.near(snapshot, offset, request.scope, MAX_COMMENTS, query.change)
    if request.settings.privacy.redact_secrets:
        near = tuple(replace(one, message=redacted(one.message)) for one in near)
    return diagnostic_comments.comments_on(near, snapshot, offset, language_of(snapshot.language, snapshot.uri))


def _without_secrets(request: SuggestionRequest, budget: int, suffix_share: float) -> Snapshot:
    """The document with the secrets masked in all that ``cut_window`` may show of it; offsets stay.

    Raises:
        NothingToShow: the cursor is in a secret.
    """
    snapshot, offset, scope = request.query.snapshot, request.query.offset, request.scope
    if not request.settings.privacy.redact_secrets:
        return snapshot
    n = int(budget * CHARACTERS_PER_TOKEN)
    start = max(0, offset - max(n, MAX_LINE))
    window = Span(start, min(len(snapshot.text), offset + int(n * suffix_share) + 1))
    above = [span for span in (*(one.header for one in scope.scopes), *scope.imports) if span.start < start]
    shown = redacted_document(snapshot, [window, *above], offset)
    if shown is None:
        raise NothingToShow(Reason.SECRET)
    return shown


def _engine_request(request: SuggestionRequest, window: Window, excerpts: tuple[Excerpt, ...]) -> GenerationRequest:
    model, inline, several = request.model, request.settings.inline, request.place.multiline
    automatic = model.lines_tokens if several else model.line_tokens
    uri = request.query.snapshot.uri
    prompt = request_for(
        window,
        uri,
        model,
        max_tokens=automatic if isinstance(inline.max_tokens, str) else inline.max_tokens,
        time_limit_ms=inline.latency_budget_ms * (LINES_TIME if several else LINE_TIME),
        excerpts=excerpts,
        conversation=uri,
        priority=request.priority,
    )
    return replace(prompt, logprobs=inline.min_confidence > 0)
