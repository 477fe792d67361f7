"""A generation that is paused for a higher rank and resumed: the answer so far, as the token ids it was generated as."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from devstral_ls.engine.daemon.backends.backend import Piece
from devstral_ls.generation import Chunk, GenerationRequest, Usage


class ResumableAnswer:
    """The answer up to the last point at which the backend held nothing back.

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
        """Add ``piece`` to the answer."""
        n_new = max(piece.n_generated - self._n_seen, 1)
        self._n_seen = piece.n_generated
        self._n_lost += n_new - 1
        if piece.token is not None:
            self._held.append(piece.token)
        else:
            self._n_lost += 1
        if not piece.text:
            return
        if self._n_lost:  # only the last token of a character is told; some backends tell none
            self._held = list(await self._tokenize(piece.text))
        self._ids += self._held
        self._n_chars += len(piece.text)
        self._held, self._n_lost = [], 0

    def pause(self, usage: Usage) -> None:
        """The stream was left; the run had cost ``usage``."""
        self._spent.append(usage)
        self._held, self._n_lost, self._n_seen = [], 0, 0
        self._n_before = len(self._ids)

    def prompt(self, ids: Sequence[int]) -> list[int]:
        """The prompt of the next run: ``ids``, which is the prompt of the first, and the answer so far."""
        return [*ids, *self._ids]

    @property
    def rest(self) -> GenerationRequest:
        """The request for the rest of the answer."""
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
        """True when all tokens asked for were generated; never for a request that only evaluates its prompt."""
        return len(self._ids) >= self._request.max_tokens > 0

    def total(self, chunk: Chunk) -> Chunk:
        """``chunk`` with the cost of all runs; the prompt is that of the first."""
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
