"""Watching the editor's process: a server whose editor died must not stay behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

INTERVAL_S = 1.0
"""Seconds between two looks; the server is gone two seconds after its editor at the latest."""


@dataclass(frozen=True, slots=True)
class Parent:
    """A process by its id, and by its start time where the system tells it: ids are used again."""

    pid: int
    started: str | None

    @staticmethod
    def find(pid: int) -> Parent | None:
        """The running process of that id.

        ``None`` if there is none: the client is in another container or on another machine then, and the end of the
        stream has to do.
        """
        parent = Parent(pid, _start_time(pid))
        return parent if parent.is_alive() else None

    def is_alive(self) -> bool:
        """Does it still run? A zombie does not."""
        if self.pid <= 0:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OverflowError:
            return False
        except PermissionError:
            pass
        stat = _stat(self.pid)
        return stat is None or (stat[0] not in "ZX" and _start_time(self.pid) == self.started)

    async def gone(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Wait until it does not run any more."""
        while self.is_alive():
            await sleep(INTERVAL_S)


def _stat(pid: int) -> list[str] | None:
    """The fields of ``/proc/PID/stat`` from the state on; ``None`` where there is no such file."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _start_time(pid: int) -> str | None:
    stat = _stat(pid)
    return stat[19] if stat and len(stat) > 19 else None  # field 22 of proc(5), the state being field 3
