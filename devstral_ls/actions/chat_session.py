"""One question to the engine: the stream read line by line, with an end to it where nothing good can follow."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from devstral_ls.actions.answer import loops
from devstral_ls.actions.query import ActionRefused, Progressed, Report
from devstral_ls.generation import Engine, FinishReason, GenerationRequest, ModelInfo, Priority, Prompt, Usage
from devstral_ls.prompt.chat import conversation, stops

TEMPERATURE = 0.15
"""What Devstral's authors recommend (``models.md``)."""

REPORT_S = 0.25
"""Seconds between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked."""

    system: str
    user: str
    max_tokens: int
    opened: str = ""
    """How the answer begins."""
    turns: tuple[tuple[str, str], ...] = ()
    """Earlier questions and answers."""
    stop: tuple[str, ...] = ()
    repeats: int = 6
    """How often the same line may come in a row."""
    temperature: float = TEMPERATURE
    top_p: float = 0.95


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model wrote, without what its answer was begun with."""

    text: str
    complete: bool
    """Did it end by itself?"""


Enough = Callable[[str], bool]
Lines = Callable[[str], Awaitable[None]]


@dataclass(slots=True)
class ChatSession:
    """Asks the questions of one action, and counts what they cost."""

    engine: Engine
    model: ModelInfo
    conversation: str
    report: Report
    clock: Callable[[], float] = time.monotonic
    usage: Usage | None = field(default=None)
    stage: str = "reading the code"
    _n_tokens: int = 0
    _began: float = 0.0
    _reported: float = 0.0

    async def ask(self, question: Question, enough: Enough = lambda text: False, lines: Lines | None = None) -> Answer:
        """The answer, read until it ends, ``enough`` says so of it, or it goes round in circles.

        ``lines`` hears the answer so far after each whole line.

        Raises:
            ActionRefused: it repeats itself.
            EngineError, PromptTooLong: see ``generation.Engine``.
        """
        request = self._request(question)
        text, complete, used, said = "", False, None, 0
        async with self.engine.generate(request) as chunks:
            async for chunk in chunks:
                text += chunk.text
                used = chunk.usage or used
                complete = chunk.finish is FinishReason.STOP
                self._count(bool(chunk.text))
                if enough(text):
                    complete = True
                    break
                if text.count("\n", said) == 0:
                    continue
                said = text.rindex("\n") + 1
                if loops(text, question.repeats):
                    self._add(used)
                    raise ActionRefused("the model repeated the same lines over and over", hint=_AGAIN)
                if lines is not None:
                    await lines(text)
        self._add(used)
        return Answer(text, complete)

    async def weigh(self, prompt: Prompt, text: str) -> tuple[float, ...] | None:
        """The natural logarithms of the probabilities of the tokens of ``text`` as the answer to ``prompt``.

        ``None`` where the engine does not say them.

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
        told: tuple[float, ...] = ()
        used, n_read, is_told = None, 0, True
        async with self.engine.generate(request) as chunks:
            async for chunk in chunks:
                used = chunk.usage or used
                self._count(bool(chunk.text))
                is_told = is_told and bool(chunk.logprobs or not chunk.text)
                told += chunk.logprobs
                n_read += len(chunk.text)
                if n_read >= len(text) or not is_told:
                    break
        self._add(used)
        return told if is_told and n_read >= len(text) else None

    def _request(self, question: Question) -> GenerationRequest:
        prompt = conversation(self.model, question.system, question.turns, question.user, question.opened)
        return GenerationRequest(
            prompt=prompt,
            max_tokens=question.max_tokens,
            stop=(*stops(self.model), *question.stop),
            temperature=question.temperature,
            top_p=question.top_p,
            conversation=self.conversation,
            priority=Priority.ACTION,
        )

    def _count(self, has_text: bool) -> None:
        now = self.clock()
        self._n_tokens += has_text
        if self._n_tokens == 1:
            self._began = now
        if now - self._reported >= REPORT_S and self._n_tokens:
            self._reported = now
            elapsed = now - self._began
            rate = (self._n_tokens - 1) / elapsed if elapsed > 0 else 0.0
            self.report(Progressed(self._n_tokens, rate, self.stage))

    def _add(self, usage: Usage | None) -> None:
        if usage is None:
            return
        sum_ = self.usage
        self.usage = (
            usage
            if sum_ is None
            else replace(
                sum_,
                prompt_tokens=sum_.prompt_tokens + usage.prompt_tokens,
                cached_tokens=sum_.cached_tokens + usage.cached_tokens,
                generated_tokens=sum_.generated_tokens + usage.generated_tokens,
                prefill_ms=sum_.prefill_ms + usage.prefill_ms,
                decode_ms=sum_.decode_ms + usage.decode_ms,
            )
        )


_AGAIN = "Nothing was changed; ask again, or with less code."
