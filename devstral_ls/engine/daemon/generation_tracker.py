"""A generation while it runs: turns events into chunks and counts what it cost, also when it is left early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from devstral_ls.engine.daemon.answer_prefix import AnswerPrefix
from devstral_ls.engine.daemon.backends.backend import End, Event, Progress
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, Usage


class GenerationTracker:
    """Reads the events of one run of the backend."""

    def __init__(
        self, request: GenerationRequest, prompt_tokens: int, clock: Callable[[], float], prefix: AnswerPrefix
    ) -> None:
        self._clock = clock
        self._limit_ms = request.time_limit_ms
        self._prefill_only = request.max_tokens == 0
        self._prefix = prefix
        self._prompt_tokens = prompt_tokens
        self._progress: Progress | None = None
        self._n_pieces = 0
        self._first = self._last = 0.0
        self._end: Usage | None = None
        self._logprobs: tuple[float, ...] = ()
        """Of tokens whose text the backend holds back; they are handed on with it, or come again after a pause."""
        self.ended = False
        """True once the backend has ended it."""

    @property
    def has_begun(self) -> bool:
        """True once the prompt is evaluated and the answer has begun."""
        return self._n_pieces > 0

    def take(self, event: Event) -> Chunk | None:
        """The chunk that ``event`` stands for; None when there is nothing to hand on."""
        if isinstance(event, Progress):
            self._progress = event
            return None
        self._last = self._clock()
        if self._prefill_only:  # backends generate a token all the same
            event = replace(event, text="")
        if isinstance(event, End):
            self._end, self.ended = event.usage, True
            return Chunk(self._prefix.feed(event.text) + self._prefix.rest(), event.finish, self.usage)
        self._first = self._first if self._n_pieces else self._last
        self._n_pieces += 1
        text = self._prefix.feed(event.text)
        logprobs = self._logprobs + event.logprobs
        self._logprobs = () if text else logprobs
        if self._prefix.closed:
            return Chunk(text, FinishReason.STOP, self.usage, logprobs)
        # llama-server looks at its time limit only once there was a line feed; others do not know one.
        if self._limit_ms is not None and self._decode_ms > self._limit_ms:
            return Chunk(text + self._prefix.rest(), FinishReason.LENGTH, self.usage, logprobs)
        return Chunk(text, usage=self.usage, logprobs=logprobs) if text else None

    @property
    def usage(self) -> Usage:
        """The cost so far."""
        if self._end is not None:
            return self._end
        cached, processed, ms = 0, self._prompt_tokens if self._n_pieces else 0, 0.0
        if self._progress is not None:
            cached, ms = self._progress.cached, self._progress.ms
            processed = self._progress.processed or cached
        return Usage(processed, cached, self._n_pieces, ms, self._decode_ms)

    @property
    def _decode_ms(self) -> float:
        return (self._last - self._first) * 1000 if self._n_pieces else 0.0
