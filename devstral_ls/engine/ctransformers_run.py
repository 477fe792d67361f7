"""One generation with a model that only evaluates and samples: prompt in batches, forced beginning, stops, whole
characters. Knows neither the library nor HTTP; events are those of llama-server's stream.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from devstral_ls.errors import GenerationFailed, PromptTooLong


class Model(Protocol):
    """What the library can do. One call at a time, but for ``tokenize``."""

    n_context: int
    batch: int
    """Prompt tokens evaluated between two looks at whether anybody still wants them."""
    pieces: Sequence[bytes]
    """The text of each token; empty for control tokens."""

    def tokenize(self, text: str) -> list[int]:
        """The ids of ordinary text."""
        ...

    def reuse(self, prompt: Sequence[int]) -> int:
        """Forget what was evaluated but for the longest beginning of ``prompt``; its length, below the prompt's."""
        ...

    def evaluate(self, tokens: Sequence[int]) -> None:
        """Evaluate what comes next."""
        ...

    def sample(self, temperature: float) -> int:
        """The next token; with 0 the likeliest one."""
        ...

    def likeliest(self, among: Sequence[int]) -> int:
        """The likeliest of these tokens."""
        ...

    def ends(self, token: int) -> bool:
        """Does ``token`` end an answer?"""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as it is understood."""

    prompt: tuple[int, ...]
    max_tokens: int
    """-1: as many as there is room for."""
    stops: tuple[str, ...] = ()
    temperature: float = 0.0
    begins_with: str = ""
    limit_ms: float | None = None
    """Of decoding."""


class Run:
    """One generation; ``events`` gives it bit by bit, and may be left at any of them."""

    def __init__(self, model: Model, asked: Asked, clock: Callable[[], float] = time.monotonic) -> None:
        self._model = model
        self._asked = asked
        self._clock = clock
        self._cached = 0
        self._n_done = 0
        self._prompt_ms = 0.0
        self._decoding_since = 0.0
        self._n_made = 0
        self._forced = asked.begins_with.encode()
        self._text = _Text(asked.stops)

    def events(self) -> Iterator[dict[str, Any]]:
        """Progress for each batch of the prompt, pieces of text, and the end.

        Raises:
            PromptTooLong: no room for the prompt and a token.
            GenerationFailed: the library failed, or the model cannot begin as it must.
        """
        if len(self._asked.prompt) >= self._model.n_context:
            raise PromptTooLong(len(self._asked.prompt), self._model.n_context)
        yield from self._prefill()
        self._decoding_since = self._clock()
        while True:
            token = self._next()
            if self._model.ends(token):
                yield self._end("eos", self._text.rest())
                return
            self._n_made += 1
            piece = self._text.take(self._model.pieces[token])
            if self._text.stopped:
                yield self._end("word", piece)
                return
            if self._is_enough():
                yield self._end("limit", piece + self._text.rest())
                return
            # Also without text: the write that fails is what tells that nobody reads any more.
            yield {"content": piece, "tokens": [token], "tokens_predicted": self._n_made, "stop": False}
            self._model.evaluate([token])

    @property
    def cost(self) -> dict[str, float]:
        """What it cost up to now, by the names of llama-server's metrics."""
        return {
            "prompt_tokens_total": max(self._n_done - self._cached, 0),
            "prompt_tokens_cached_total": self._cached,
            "prompt_seconds_total": self._prompt_ms / 1000,
            "tokens_predicted_total": self._n_made,
            "tokens_predicted_seconds_total": self._decode_ms / 1000 if self._decoding_since else 0.0,
        }

    def _prefill(self) -> Iterator[dict[str, Any]]:
        prompt, model = self._asked.prompt, self._model
        begin = self._clock()
        done = self._cached = model.reuse(prompt)
        while done < len(prompt):
            model.evaluate(prompt[done : done + model.batch])
            done = min(done + model.batch, len(prompt))
            self._n_done = done
            self._prompt_ms = (self._clock() - begin) * 1000
            progress = {"total": len(prompt), "cache": self._cached, "processed": done, "time_ms": self._prompt_ms}
            yield {"content": "", "stop": False, "prompt_progress": progress}

    def _next(self) -> int:
        if not self._forced:
            return self._model.sample(self._asked.temperature)
        rest = self._forced
        fitting = [
            token
            for token, piece in enumerate(self._model.pieces)
            if piece and (rest.startswith(piece) or piece.startswith(rest))
        ]
        if not fitting:
            raise GenerationFailed("the model has no token to begin as it must")
        token = self._model.likeliest(fitting)
        self._forced = rest[len(self._model.pieces[token]) :]
        return token

    def _is_enough(self) -> bool:
        asked = self._asked
        if asked.limit_ms is not None and self._decode_ms > asked.limit_ms:
            return True
        room = self._model.n_context - len(asked.prompt)
        return self._n_made >= (room if asked.max_tokens < 0 else min(asked.max_tokens, room))

    @property
    def _decode_ms(self) -> float:
        return (self._clock() - self._decoding_since) * 1000

    def _end(self, why: str, text: str) -> dict[str, Any]:
        timings = {
            "cache_n": self._cached,
            "prompt_n": len(self._asked.prompt) - self._cached,
            "prompt_ms": self._prompt_ms,
            "predicted_n": self._n_made,
            "predicted_ms": self._decode_ms,
        }
        return {"content": text, "stop": True, "stop_type": why, "timings": timings}


class _Text:
    """Bytes to text: whole characters only, nothing that may be the beginning of a stop string."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._bytes = b""
        self._held = ""
        self.stopped = False

    def take(self, piece: bytes) -> str:
        """What may be said after ``piece`` has come."""
        self._bytes += piece
        whole = _whole(self._bytes)
        text = self._held + self._bytes[:whole].decode("utf-8", "replace")
        self._bytes = self._bytes[whole:]
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        n_held = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - n_held :]
        return text[: len(text) - n_held]

    def rest(self) -> str:
        """What was kept back, when nothing more will come."""
        text, self._held = self._held + self._bytes.decode("utf-8", "replace"), ""
        self._bytes = b""
        return text


def _whole(data: bytes) -> int:
    """How many bytes of ``data`` are whole characters, or never will be."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            length = 1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if length > back else len(data)
    return len(data)


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of ``text`` with which ``stop`` begins, without being all of it."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
