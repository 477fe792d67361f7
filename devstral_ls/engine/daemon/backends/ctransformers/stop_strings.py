"""From the bytes of tokens to text: whole characters only, and nothing that may be the beginning of a stop string."""

from __future__ import annotations

from collections.abc import Sequence


class TextAssembler:
    """The text of one answer, token by token."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._bytes = b""
        self._held = ""
        self.stopped = False
        """True when a stop string was met: the answer is over, before it."""

    def take(self, piece: bytes) -> str:
        """The text that can be handed on now that ``piece`` has come."""
        self._bytes += piece
        whole = _complete_length(self._bytes)
        text = self._held + self._bytes[:whole].decode("utf-8", "replace")
        self._bytes = self._bytes[whole:]
        matches = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if matches:
            self.stopped, self._held = True, ""
            return text[: min(matches)]
        n_held = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - n_held :]
        return text[: len(text) - n_held]

    def rest(self) -> str:
        """The text held back, when nothing more will come."""
        text, self._held = self._held + self._bytes.decode("utf-8", "replace"), ""
        self._bytes = b""
        return text


def _complete_length(data: bytes) -> int:
    """How many bytes of ``data`` are whole characters, or can never become one."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            length = 1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if length > back else len(data)
    return len(data)


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of ``text`` that is a proper beginning of ``stop``."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
