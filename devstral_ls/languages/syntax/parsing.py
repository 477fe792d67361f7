"""Parses bytes with a time limit.

Only a parse that reads through a callback can be stopped. tree-sitter 0.26.1 never releases what that callback returns
(each call leaks a reference), so it always gets the same few buffers. It also crashes when ``Node.text`` of such a tree
is read, as query predicates do; nothing here does. Before 0.26 it crashes in the callback itself.
"""

from __future__ import annotations

import threading
import time

import tree_sitter

_MAX_EXPONENT = 14
"""The largest piece is 16 KiB."""


class _Buffers(threading.local):
    """One buffer for each power of two and each thread: a callback can only return whole buffers."""

    def __init__(self) -> None:
        self.by_exponent = [bytearray(1 << exponent) for exponent in range(_MAX_EXPONENT + 1)]


_buffers = _Buffers()


def parse_bytes(
    language: tree_sitter.Language, data: bytes, last: tree_sitter.Tree | None, seconds: float
) -> tree_sitter.Tree | None:
    """The tree of ``data``; ``None`` when it takes longer than ``seconds``, half of them and more of this thread's own
    processor time, so that a busy machine does not make a text count as too slow.

    ``last`` is the tree of an earlier version with the edits since then applied (``Tree.edit``).
    """
    half_time = time.monotonic() + seconds / 2
    own_time_then: float | None = None
    buffers = _buffers.by_exponent

    def read(at: int, _: tree_sitter.Point) -> bytes | bytearray:
        exponent = min((len(data) - at).bit_length() - 1, _MAX_EXPONENT)
        if at >= len(data):
            return b""
        piece = buffers[exponent]
        piece[:] = data[at : at + len(piece)]
        return piece

    def is_over(_: int, __: bool) -> bool:
        # Thread time is a system call, 0.04 to 1.5 ms under a sandbox: no parse of ordinary text needs it.
        nonlocal own_time_then
        now = time.monotonic()
        if now < half_time:
            return False
        if own_time_then is None:
            own_time_then = time.thread_time()
        return now >= half_time + seconds / 2 and time.thread_time() - own_time_then >= seconds / 2

    parser = tree_sitter.Parser(language)
    try:
        if last is None:
            return parser.parse(read, progress_callback=is_over)
        return parser.parse(read, last, progress_callback=is_over)
    except ValueError:  # how the binding reports a parse that was stopped
        return None
