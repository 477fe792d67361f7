"""Offsets of one text in code points and in UTF-8 bytes: the identity for ASCII, else computed from checkpoints."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property

_STEP = 1024
"""Code points between checkpoints; a conversion encodes or decodes at most so many."""


def encode(text: str) -> bytes:
    """``text`` in UTF-8 for tree-sitter; lone surrogates, which clients may send, become three bytes each."""
    return text.encode("utf-8", "surrogatepass")


class Offsets:
    """Converts offsets of one text, cheaply enough for hundreds of calls per version of a document."""

    def __init__(self, text: str, data: bytes, base: int = 0) -> None:
        """``data`` is ``encode(text)``; ``base`` is the offset in code points at which ``text`` begins in its document."""
        self._text = text
        self._data = data
        self._base = base
        self._ascii = text.isascii()

    @cached_property
    def _checkpoints(self) -> list[int]:
        """The byte offset of every ``_STEP``-th code point."""
        text, at, checkpoints = self._text, 0, [0]
        for start in range(0, len(text), _STEP):
            at += len(encode(text[start : start + _STEP]))
            checkpoints.append(at)
        return checkpoints

    def to_byte(self, offset: int) -> int:
        """The byte offset of a code point offset; one outside the text counts as its nearest end."""
        offset = max(0, min(offset - self._base, len(self._text)))
        if self._ascii:
            return offset
        step, rest = divmod(offset, _STEP)
        start = step * _STEP
        return self._checkpoints[step] + (len(encode(self._text[start : start + rest])) if rest else 0)

    def to_char(self, byte: int) -> int:
        """The code point offset of a byte offset; one inside a character counts as that character's start."""
        if self._ascii:
            return byte + self._base
        data = self._data
        while 0 < byte < len(data) and data[byte] & 0xC0 == 0x80:
            byte -= 1
        step = min(bisect_right(self._checkpoints, byte) - 1, len(self._text) // _STEP)
        start = self._checkpoints[step]
        return self._base + step * _STEP + len(data[start:byte].decode("utf-8", "surrogatepass"))
