"""One generation with a model that only evaluates and samples: prompt batches, forced beginning, stop strings, limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from devstral_ls.engine.daemon.backends.backend import End, Event, Piece, Progress
from devstral_ls.engine.daemon.backends.ctransformers.stop_strings import TextAssembler
from devstral_ls.errors import GenerationFailed, PromptTooLong
from devstral_ls.generation import FinishReason, GenerationRequest, Usage


class Model(Protocol):
    """A loaded model. Not thread-safe: one call at a time, but for ``tokenize``."""

    n_context: int
    batch: int
    """Prompt tokens evaluated at once: a generation can be left only between two batches."""
    pieces: Sequence[bytes]
    """The text of each token; empty for control tokens."""

    def tokenize(self, text: str) -> list[int]:
        """The ids of ordinary text."""
        ...

    def reuse(self, prompt: Sequence[int]) -> int:
        """Drop the KV cache but for the longest common prefix with ``prompt``; its length, below the prompt's."""
        ...

    def evaluate(self, tokens: Sequence[int]) -> None:
        """Evaluate ``tokens`` behind what is in the cache.

        Raises:
            GenerationFailed: the library failed.
        """
        ...

    def sample(self, temperature: float) -> int:
        """The next token; with 0 the likeliest one."""
        ...

    def likeliest(self, among: Sequence[int]) -> int:
        """The likeliest of these tokens."""
        ...

    def ends(self, token: int) -> bool:
        """True when ``token`` ends an answer."""
        ...


class Decoder:
    """One answer to ``prompt``; ``events`` streams it and may be left at any event."""

    def __init__(
        self,
        model: Model,
        prompt: Sequence[int],
        request: GenerationRequest,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock`` is in seconds."""
        self._model = model
        self._prompt = prompt
        self._request = request
        self._clock = clock
        self._n_cached = 0
        self._prefill_ms = 0.0
        self._decoding_since = 0.0
        self._n_generated = 0
        self._forced = request.begins_with.encode()
        self._text = TextAssembler(request.stop)

    def events(self) -> Iterator[Event]:
        """``Progress`` after each prompt batch, a ``Piece`` for each token, and one ``End``.

        Raises:
            PromptTooLong: no room for the prompt and one token.
            GenerationFailed: the library failed, or no token fits ``begins_with``.
        """
        if len(self._prompt) >= self._model.n_context:
            raise PromptTooLong(len(self._prompt), self._model.n_context)
        yield from self._prefill()
        self._decoding_since = self._clock()
        if self._request.max_tokens == 0:
            yield self._end(FinishReason.LENGTH, "")
            return
        while True:
            token = self._next()
            if self._model.ends(token):
                yield self._end(FinishReason.STOP, self._text.rest())
                return
            self._n_generated += 1
            text = self._text.take(self._model.pieces[token])
            if self._text.stopped:
                yield self._end(FinishReason.STOP, text)
                return
            if self._is_enough():
                yield self._end(FinishReason.LENGTH, text + self._text.rest())
                return
            yield Piece(text, token, self._n_generated)
            self._model.evaluate([token])

    def _prefill(self) -> Iterator[Progress]:
        prompt, model = self._prompt, self._model
        begin = self._clock()
        done = self._n_cached = model.reuse(prompt)
        while done < len(prompt):
            model.evaluate(prompt[done : done + model.batch])
            done = min(done + model.batch, len(prompt))
            self._prefill_ms = (self._clock() - begin) * 1000
            yield Progress(self._n_cached, done, self._prefill_ms)

    def _next(self) -> int:
        if not self._forced:
            return self._model.sample(self._request.temperature)
        rest = self._forced
        fitting = [
            token
            for token, piece in enumerate(self._model.pieces)
            if piece and (rest.startswith(piece) or piece.startswith(rest))
        ]
        if not fitting:
            raise GenerationFailed("the model has no token to begin the answer with")
        token = self._model.likeliest(fitting)
        self._forced = rest[len(self._model.pieces[token]) :]
        return token

    def _is_enough(self) -> bool:
        limit_ms = self._request.time_limit_ms
        if limit_ms is not None and self._decode_ms > limit_ms:
            return True
        return self._n_generated >= min(self._request.max_tokens, self._model.n_context - len(self._prompt))

    @property
    def _decode_ms(self) -> float:
        return (self._clock() - self._decoding_since) * 1000

    def _end(self, finish: FinishReason, text: str) -> End:
        usage = Usage(len(self._prompt), self._n_cached, self._n_generated, self._prefill_ms, self._decode_ms)
        return End(text, finish, usage)
