"""A model with one token for each byte, which says what a test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from devstral_ls.errors import GenerationFailed

EOS = 2


class ByteModel:
    """The token of a byte is 3 + byte; there are two longer ones."""

    def __init__(self, says: str = "hello", n_context: int = 64, batch: int = 8) -> None:
        self.n_context, self.batch = n_context, batch
        self.pieces: Sequence[bytes] = [b"", b"", b"", *(bytes([byte]) for byte in range(256)), b"re", b"return"]
        self.says = says
        self.evaluated: list[int] = []
        self.calls: list[int] = []
        self.fails = False
        self.go_on = threading.Event()
        """Cleared by a test to hold the next call of ``evaluate``."""
        self.go_on.set()
        self.n_running = 0
        self.overlapped = False
        self._left: list[int] = []

    def tokenize(self, text: str) -> list[int]:
        return [3 + byte for byte in text.encode()]

    def reuse(self, prompt: Sequence[int]) -> int:
        n = 0
        while n < min(len(prompt) - 1, len(self.evaluated)) and prompt[n] == self.evaluated[n]:
            n += 1
        self.evaluated = self.evaluated[:n]
        self._left = [*self.tokenize(self.says), EOS]
        return n

    def evaluate(self, tokens: Sequence[int]) -> None:
        if self.fails:
            raise GenerationFailed("it failed")
        self.n_running += 1
        self.overlapped |= self.n_running > 1
        self.go_on.wait(10)
        self.calls.append(len(tokens))
        self.evaluated += tokens
        self.n_running -= 1

    def sample(self, temperature: float) -> int:
        return self._left.pop(0)

    def likeliest(self, among: Sequence[int]) -> int:
        return max(among, key=lambda token: len(self.pieces[token]))

    def ends(self, token: int) -> bool:
        return token == EOS
