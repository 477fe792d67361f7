"""ChatSession: the requests of one action to the engine, each stream read line by line and ended early where it can be."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from devstral_ls.actions.answer import loops
from devstral_ls.actions.query import ActionRefused, Progressed, ReportProgress
from devstral_ls.generation import Engine, FinishReason, GenerationRequest, ModelInfo, Priority, Prompt, Usage
from devstral_ls.prompt.chat import conversation, stops

TEMPERATURE = 0.15
"""What Devstral's authors recommend (``models.md``)."""

REPORT_S = 0.25
"""Seconds between two reports of progress."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to the model."""

    system: str
    user: str
    max_tokens: int
    prefix: str = ""
    """The beginning of the answer, which the model continues."""
    history: tuple[tuple[str, str], ...] = ()
    """Earlier questions and answers."""
    stop: tuple[str, ...] = ()
    max_repeats: int = 6
    """How often the same line may stand in a row."""
    temperature: float = TEMPERATURE
    top_p: float = 0.95

    def followed_by(self, answer: ChatAnswer, user: str) -> ChatRequest:
        """The next question of the same conversation, after ``answer``."""
        return replace(self, history=((self.user, self.prefix + answer.text),), user=user)


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """The model's answer, without its prefix."""

    text: str
    complete: bool
    """True when the model ended it, or the caller had read enough; False when the limit of tokens cut it."""


IsEnough = Callable[[str], bool]
OnLines = Callable[[str], Awaitable[None]]


@dataclass(slots=True)
class ChatSession:
    """Asks the requests of one action, reports progress, and adds up their usage."""

    engine: Engine
    model: ModelInfo
    conversation: str
    """Requests with the same one share a KV cache."""
    report: ReportProgress
    clock: Callable[[], float] = time.monotonic
    """Seconds."""
    usage: Usage | None = field(default=None, init=False)
    """Of all requests so far."""
    _stage: str = field(default="reading the code", init=False)
    _n_tokens: int = field(default=0, init=False)
    _first_token_at: float = field(default=0.0, init=False)
    _reported_at: float = field(default=0.0, init=False)

    def enter(self, stage: str) -> None:
        """Name the stage that reports of progress show from now on."""
        self._stage = stage

    async def ask(
        self, request: ChatRequest, is_enough: IsEnough = lambda text: False, on_lines: OnLines | None = None
    ) -> ChatAnswer:
        """The answer, read until the model ends it or ``is_enough`` is true of it.

        ``on_lines`` is called with the answer so far after each whole line.

        Raises:
            ActionRefused: the answer repeats itself.
            EngineError, PromptTooLong: see ``generation.Engine``.
        """
        text, complete, usage, n_checked = "", False, None, 0
        try:
            async with self.engine.generate(self._generation(request)) as chunks:
                async for chunk in chunks:
                    text += chunk.text
                    usage = chunk.usage or usage
                    complete = chunk.finish is FinishReason.STOP
                    self._count(bool(chunk.text))
                    if is_enough(text):
                        complete = True
                        break
                    if text.count("\n", n_checked) == 0:
                        continue
                    n_checked = text.rindex("\n") + 1
                    if loops(text, request.max_repeats):
                        raise ActionRefused("the model repeated the same lines over and over", hint=_AGAIN)
                    if on_lines is not None:
                        await on_lines(text)
        finally:
            self._add(usage)
        return ChatAnswer(text, complete)

    async def logprobs(self, prompt: Prompt, text: str) -> tuple[float, ...] | None:
        """The natural logarithms of the probabilities of the tokens of ``text`` as the answer to ``prompt``.

        None where the engine does not report them.

        Raises:
            EngineError, PromptTooLong: see ``generation.Engine``.
        """
        request = GenerationRequest(
            prompt=prompt,
            max_tokens=len(text) + 1,
            begins_with=text,
            conversation=f"{self.conversation}#lines",
            priority=Priority.ACTION,
            logprobs=True,
        )
        logprobs: tuple[float, ...] = ()
        usage, n_read, has_logprobs = None, 0, True
        async with self.engine.generate(request) as chunks:
            async for chunk in chunks:
                usage = chunk.usage or usage
                self._count(bool(chunk.text))
                has_logprobs = has_logprobs and bool(chunk.logprobs or not chunk.text)
                logprobs += chunk.logprobs
                n_read += len(chunk.text)
                if n_read >= len(text) or not has_logprobs:
                    break
        self._add(usage)
        return logprobs if has_logprobs and n_read >= len(text) else None

    def _generation(self, request: ChatRequest) -> GenerationRequest:
        return GenerationRequest(
            prompt=conversation(self.model, request.system, request.history, request.user, request.prefix),
            max_tokens=request.max_tokens,
            stop=(*stops(self.model), *request.stop),
            temperature=request.temperature,
            top_p=request.top_p,
            conversation=self.conversation,
            priority=Priority.ACTION,
        )

    def _count(self, has_text: bool) -> None:
        now = self.clock()
        self._n_tokens += has_text
        if self._n_tokens == 1:
            self._first_token_at = now
        if now - self._reported_at >= REPORT_S and self._n_tokens:
            self._reported_at = now
            elapsed = now - self._first_token_at
            rate = (self._n_tokens - 1) / elapsed if elapsed > 0 else 0.0
            self.report(Progressed(self._n_tokens, rate, self._stage))

    def _add(self, usage: Usage | None) -> None:
        if usage is None or self.usage is None:
            self.usage = usage or self.usage
            return
        self.usage = Usage(
            prompt_tokens=self.usage.prompt_tokens + usage.prompt_tokens,
            cached_tokens=self.usage.cached_tokens + usage.cached_tokens,
            generated_tokens=self.usage.generated_tokens + usage.generated_tokens,
            prefill_ms=self.usage.prefill_ms + usage.prefill_ms,
            decode_ms=self.usage.decode_ms + usage.decode_ms,
        )


_AGAIN = "Nothing was changed; ask again, or with less code."
