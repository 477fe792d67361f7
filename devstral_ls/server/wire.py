"""Message bodies out of a byte stream: LSP's base protocol, forgiving of garbage between messages."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LENGTH = re.compile(rb"Content-Length:[ \t]*(\d{1,10})[ \t]*\r\n", re.IGNORECASE)
_END = b"\r\n\r\n"
_MAX_HEADER = 8192
"""Bytes of a header block; what is longer is not one."""
_MAX_BODY = 1 << 29
"""Bytes of a message; a header that says more is taken for garbage, or it would swallow the session."""


class Frames:
    """Collects bytes and gives whole message bodies.

    A header that cannot be read costs its own message: the search goes on at the next ``Content-Length`` line. JSON
    holds no raw line ends inside strings, so a body is not mistaken for a header.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._wanted: int | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take ``data``; yield every body that is complete now."""
        self._buffer += data
        while self._header_read():
            wanted = self._wanted or 0
            if len(self._buffer) < wanted:
                return
            body = bytes(memoryview(self._buffer)[:wanted])
            del self._buffer[:wanted]
            self._wanted = None
            yield body

    def _header_read(self) -> bool:
        while self._wanted is None:
            found = _LENGTH.search(self._buffer)
            if found is None:
                del self._buffer[:-_MAX_HEADER]
                return False
            end = self._buffer.find(_END, found.end() - 2)
            if end < 0 and len(self._buffer) - found.end() < _MAX_HEADER:
                return False
            length = int(found[1])
            garbage = end < 0 or end - found.end() > _MAX_HEADER or length > _MAX_BODY
            del self._buffer[: found.end() if garbage else end + len(_END)]
            self._wanted = None if garbage else length
        return True


def framed(body: bytes) -> bytes:
    """``body`` with its header."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
