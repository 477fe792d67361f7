"""A server process's report on its own memory, after a full collection; see ``benchmarks.growth``."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import tracemalloc
from collections import Counter
from typing import Any

from devstral_ls.testing.process_usage import usage

N_TYPES, N_LINES = 12, 12
"""The most grown types and lines in a report."""


class _Mallinfo(ctypes.Structure):
    """``struct mallinfo2`` of glibc 2.33 and later, in bytes."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "top")
    )  # fmt: skip


class MemoryTrace:
    """Compares the memory in use with that of the call before."""

    def __init__(self) -> None:
        self._types: Counter[str] = Counter()
        self._snapshot: tracemalloc.Snapshot | None = None

    def now(self) -> dict[str, Any]:
        """Objects, bytes of Python and of malloc; with ``PYTHONTRACEMALLOC`` also the lines whose memory grew."""
        gc.collect()
        types = Counter(type(one).__qualname__ for one in gc.get_objects())
        more = types - self._types
        self._types = types
        process = usage(os.getpid())
        return {
            "rss_mb": process.rss_mb if process else None,
            "anon_mb": process.anon_mb if process else None,
            "objects": sum(types.values()),
            "blocks": sys.getallocatedblocks(),
            "malloc": _malloc(),
            "more": dict(more.most_common(N_TYPES)),
            **self._traced(),
        }

    def _traced(self) -> dict[str, Any]:
        if not tracemalloc.is_tracing():
            return {}
        own = [tracemalloc.Filter(False, tracemalloc.__file__), tracemalloc.Filter(False, __file__)]
        snapshot = tracemalloc.take_snapshot().filter_traces(own)
        last, self._snapshot = self._snapshot, snapshot
        lines = [] if last is None else snapshot.compare_to(last, "lineno")[:N_LINES]
        return {
            "traced_mb": sum(trace.size for trace in snapshot.traces) / 1e6,
            "lines": [f"{one.size_diff / 1e3:+.1f} KB {one.count_diff:+} {one.traceback}" for one in lines],
        }


def _malloc() -> dict[str, float]:
    """Megabytes of glibc's malloc: allocated, free inside its arenas, and mapped separately, which includes Python's own
    arenas of small objects. Empty without glibc.
    """
    try:
        mallinfo = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError):
        return {}
    mallinfo.restype = _Mallinfo
    found = mallinfo()
    return {"used": found.uordblks / 1e6, "free": found.fordblks / 1e6, "mapped": found.hblkhd / 1e6}
