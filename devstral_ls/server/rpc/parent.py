"""Watching the editor's process: a server whose editor died must not stay behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psutil

INTERVAL_S = 1.0
"""Seconds between two looks; the server is gone two seconds after its editor at the latest."""

_ENDED = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


@dataclass(frozen=True, slots=True)
class Parent:
    """The editor's process; psutil knows it by id and start time, since ids are used again."""

    process: psutil.Process

    @staticmethod
    def find(pid: int) -> Parent | None:
        """The running process of that id.

        ``None`` without one: the client is in another container or on another machine then, and only the end of the stream
        tells that it is gone.
        """
        if pid <= 0:
            return None
        try:
            parent = Parent(psutil.Process(pid))
        except (psutil.NoSuchProcess, OverflowError):
            return None
        return parent if parent.is_alive() else None

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self.process.pid

    def is_alive(self) -> bool:
        """True while the process runs; a zombie does not."""
        try:
            return self.process.is_running() and self.process.status() not in _ENDED
        except psutil.NoSuchProcess:
            return False

    async def gone(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Wait until the process has ended."""
        while self.is_alive():
            await sleep(INTERVAL_S)
