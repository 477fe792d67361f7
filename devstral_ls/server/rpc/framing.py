"""Message bodies out of a byte stream: LSP's base protocol, tolerant of garbage between messages."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LENGTH = re.compile(rb"Content-Length:[ \t]*(\d{1,10})[ \t]*\r\n", re.IGNORECASE)
_END = b"\r\n\r\n"
_MAX_HEADER = 8192
"""Bytes of a header block; a longer one is garbage."""
_MAX_BODY = 1 << 29
"""Bytes of a message; a header that announces more is garbage, or it would swallow the session."""


class Frames:
    """Collects bytes and gives whole message bodies.

    An unreadable header costs its own message: the search goes on at the next ``Content-Length`` line. JSON has no raw
    line ends inside strings, so a body is never mistaken for a header.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body_length: int | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take ``data``; yield every body that is complete now."""
        self._buffer += data
        while self._read_header():
            length = self._body_length or 0
            if len(self._buffer) < length:
                return
            body = bytes(memoryview(self._buffer)[:length])
            del self._buffer[:length]
            self._body_length = None
            yield body

    def _read_header(self) -> bool:
        """True when the length of the next body is known."""
        while self._body_length is None:
            match = _LENGTH.search(self._buffer)
            if match is None:
                del self._buffer[:-_MAX_HEADER]
                return False
            end = self._buffer.find(_END, match.end() - 2)
            if end < 0 and len(self._buffer) - match.end() < _MAX_HEADER:
                return False
            length = int(match[1])
            is_garbage = end < 0 or end - match.end() > _MAX_HEADER or length > _MAX_BODY
            del self._buffer[: match.end() if is_garbage else end + len(_END)]
            self._body_length = None if is_garbage else length
        return True


def framed(body: bytes) -> bytes:
    """``body`` with its header."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
