"""Small files that are read again only when they have changed: a question costs one ``stat``."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from cachetools import LRUCache

MAX_FILES = 4_096
"""Files whose parsed content is kept."""

SETTLED_NS = 2_000_000_000
"""Nanoseconds since its last change after which a file's times tell of the next one: a clock of a file system ticks every
4 ms (Linux) to 2 s (FAT), and a change within one tick leaves the times as they are. A younger file is read every time."""

_T = TypeVar("_T")
_State = tuple[int, int, int, int, int]


@dataclass(slots=True)
class _Observed:
    state: _State
    is_settled: bool
    data: int
    """The hash of the content."""
    value: Any


class ObservedFiles:
    """Parsed files by path. Not for several threads at once."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        """``clock`` returns nanoseconds since the epoch."""
        self._clock = clock
        self._files: LRUCache[str, _Observed] = LRUCache(MAX_FILES)

    def parsed(
        self, path: str, parse: Callable[[bytes], _T], absent: _T, *, max_bytes: int, follow_links: bool = True
    ) -> _T:
        """What ``parse`` makes of the file at ``path``, the same object until the content changes; ``absent`` without a regular file.

        ``parse`` gets at most ``max_bytes + 1`` bytes; it must be the same for a path at every call.

        Raises:
            OSError: the file is there and cannot be read, or it cannot be told whether it is there.
        """
        try:
            status = os.stat(path, follow_symlinks=follow_links)
        except (FileNotFoundError, NotADirectoryError):
            return absent
        if not stat.S_ISREG(status.st_mode):
            return absent
        state = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
        known = self._files.get(path)
        if known is not None and known.is_settled and known.state == state:
            value: _T = known.value
            return value
        is_settled = self._clock() - max(status.st_mtime_ns, status.st_ctime_ns) > SETTLED_NS
        data = _read(path, max_bytes + 1, follow_links=follow_links)
        value = known.value if known is not None and known.data == hash(data) else parse(data)
        self._files[path] = _Observed(state, is_settled, hash(data), value)
        return value


def _read(path: str, n_bytes: int, *, follow_links: bool) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a named pipe must not block
    flags |= 0 if follow_links else getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        return file.read(n_bytes)
