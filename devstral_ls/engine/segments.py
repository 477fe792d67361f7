"""A generation that pauses for others and goes on: what is generated so far, as the ids it was generated as."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from devstral_ls.engine.dialects import Piece
from devstral_ls.generation import Chunk, GenerationRequest, Usage


class Written:
    """The answer up to the last point at which the engine held nothing back.

    llama-server sends no text while what it has may be the begin of a stop string, or half a character. Going on from
    there would lose both, so what comes after the last text is generated again: greedily, it is the same.
    """

    def __init__(self, request: GenerationRequest, tokenize: Callable[[str], Awaitable[Sequence[int]]]) -> None:
        self._request = request
        self._tokenize = tokenize
        self._ids: list[int] = []
        self._n_chars = 0
        self._held: list[int] = []
        self._n_seen = 0
        self._n_lost = 0
        self._n_before = 0
        self._spent: list[Usage] = []

    async def take(self, piece: Piece) -> None:
        """``piece`` came."""
        n_new = max(piece.n_generated - self._n_seen, 1)
        self._n_seen = piece.n_generated
        self._n_lost += n_new - 1
        if piece.token is not None:
            self._held.append(piece.token)
        else:
            self._n_lost += 1
        if not piece.text:
            return
        if self._n_lost:  # of a character of several tokens only the last is told; some engines tell none
            self._held = list(await self._tokenize(piece.text))
        self._ids += self._held
        self._n_chars += len(piece.text)
        self._held, self._n_lost = [], 0

    def pause(self, usage: Usage) -> None:
        """The engine was left; it had spent ``usage`` on the segment."""
        self._spent.append(usage)
        self._held, self._n_lost, self._n_seen = [], 0, 0
        self._n_before = len(self._ids)

    def prompt(self, ids: Sequence[int]) -> list[int]:
        """What the next segment begins with, after a prompt of ``ids``."""
        return [*ids, *self._ids]

    @property
    def rest(self) -> GenerationRequest:
        """What is still asked for."""
        request = self._request
        limit = request.time_limit_ms
        if limit is not None:
            limit = max(1, round(limit - sum(usage.decode_ms for usage in self._spent)))
        return replace(
            request,
            max_tokens=request.max_tokens - len(self._ids),
            begins_with=request.begins_with[self._n_chars :],
            time_limit_ms=limit,
        )

    @property
    def complete(self) -> bool:
        """Is there nothing left to ask for? Where only the prompt is to be evaluated, that is never so."""
        return len(self._ids) >= self._request.max_tokens > 0

    def total(self, chunk: Chunk) -> Chunk:
        """``chunk`` with what the whole generation cost: its prompt is that of the first segment."""
        if chunk.usage is None or not self._spent:
            return chunk
        first, last = self._spent[0], chunk.usage
        usage = Usage(
            prompt_tokens=max(first.prompt_tokens, last.prompt_tokens - self._n_before),
            cached_tokens=first.cached_tokens,
            generated_tokens=self._n_before + last.generated_tokens,
            prefill_ms=sum(usage.prefill_ms for usage in self._spent) + last.prefill_ms,
            decode_ms=sum(usage.decode_ms for usage in self._spent) + last.decode_ms,
        )
        return replace(chunk, usage=usage)
