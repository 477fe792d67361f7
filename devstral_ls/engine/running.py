"""A generation while it runs: what comes, and what it cost."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace

from devstral_ls.engine.dialects import End, Event, Lead, Progress
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, Usage


class Run:
    """What is known of it: enough to say what it cost when it is left."""

    def __init__(self, request: GenerationRequest, prompt_tokens: int, clock: Callable[[], float], lead: Lead) -> None:
        self._clock = clock
        self._limit_ms = request.time_limit_ms
        self._prefill_only = request.max_tokens == 0
        self._lead = lead
        self._prompt_tokens = prompt_tokens
        self._progress: Progress | None = None
        self._n_pieces = 0
        self._first = self._last = 0.0
        self._end: Usage | None = None
        self._logprobs: tuple[float, ...] = ()
        """Of tokens whose text the engine holds back; they come with it, or again after a pause."""
        self.ended = False
        """Did the engine end it?"""

    @property
    def answers(self) -> bool:
        """Is the prompt evaluated, and the answer under way?"""
        return self._n_pieces > 0

    def take(self, event: Event) -> Chunk | None:
        """The chunk that ``event`` is, if it is one."""
        if isinstance(event, Progress):
            self._progress = event
            return None
        self._last = self._clock()
        if self._prefill_only:  # engines generate a token all the same
            event = replace(event, text="")
        if isinstance(event, End):
            self._end, self.ended = event.usage, True
            return Chunk(self._lead.feed(event.text) + self._lead.rest(), event.finish, self.usage)
        self._first = self._first if self._n_pieces else self._last
        self._n_pieces += 1
        text = self._lead.feed(event.text)
        logprobs = self._logprobs + event.logprobs
        self._logprobs = () if text else logprobs
        if self._lead.closed:
            return Chunk(text, FinishReason.STOP, self.usage, logprobs)
        # llama-server looks at its time limit only once there was a line feed; others do not know one.
        if self._limit_ms is not None and self._decode_ms > self._limit_ms:
            return Chunk(text + self._lead.rest(), FinishReason.LENGTH, self.usage, logprobs)
        return Chunk(text, usage=self.usage, logprobs=logprobs) if text else None

    async def chunks(self, events: AsyncIterator[Event]) -> AsyncGenerator[Chunk, None]:
        """What ``events`` are for the one who asked, to the last chunk."""
        async for event in events:
            chunk = self.take(event)
            if chunk is not None:
                yield chunk
            if chunk is not None and chunk.finish is not None:
                return

    @property
    def usage(self) -> Usage:
        """What it cost up to now."""
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
