"""Faults of the disk while counts are written: a server's own statistics, on a real file system that is full or read-only."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from devstral_ls.server import statistics_recorder as statistics
from devstral_ls.server.reporting import BackgroundTasks, Reporter
from devstral_ls.server.statistics_recorder import StatisticsRecorder
from devstral_ls.statistics.counters import REASON
from devstral_ls.statistics.store import NAME, Store
from devstral_ls.suggest.trace import Reason
from devstral_ls.text import Snapshot
from tests.faults.stage import NotRecoveredError, Stage

SNAPSHOT = Snapshot("file:///w/fault.py", 1, "python", "")

N_AT_ONCE = 3
"""Counts between two writes."""


class _Lines(logging.Handler):
    """What was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@dataclass
class _Desk:
    """A server's statistics, and how much was counted."""

    folder: Path
    n: int = 0
    lines: _Lines = field(default_factory=_Lines)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.statistics = StatisticsRecorder(
            self.folder, lambda: True, lambda uri: None, BackgroundTasks(Reporter(print, lambda: False)), time.monotonic
        )
        self.n_before = self.written()

    async def count(self) -> None:
        """As the server does when answers were empty, and it is time to write."""
        for _ in range(N_AT_ONCE):
            self.statistics.nothing(SNAPSHOT, Reason.SUPERSEDED, "m")
            self.n += 1
        await self.statistics.flush()

    def written(self) -> int:
        """How much is in the file."""
        return sum(n for (_, name), n in Store(self.folder).read().items() if name == REASON + Reason.SUPERSEDED.value)


desks: dict[Path, _Desk] = {}
"""By the folder of their stage."""


def uncounted(
    cause: Callable[[Path], AbstractContextManager[None]],
) -> Callable[[Stage], AbstractAsyncContextManager[None]]:
    """``cause`` is there when counts are written, more than once."""

    @asynccontextmanager
    async def strike(stage: Stage) -> AsyncIterator[None]:
        desk = desks[stage.folder] = _Desk(stage.folder / "statistics")
        statistics._log.addHandler(desk.lines)
        try:
            await desk.count()
            before = desk.written()
            with cause(desk.folder):
                for _ in range(3):
                    await desk.count()
                if desk.written() != before:
                    raise NotRecoveredError(
                        "what was written before is lost, or more was written than there was room for"
                    )
                if left := {entry.name for entry in desk.folder.iterdir()} - {NAME, "filler"}:
                    raise NotRecoveredError(f"the fault keeps {left}")
                yield
        finally:
            statistics._log.removeHandler(desk.lines)
        if len(desk.lines.said) != 1 or not desk.lines.said[0].startswith("statistics: statistics cannot be written"):
            raise NotRecoveredError(f"not one line in the log: {desk.lines.said}")

    return strike


async def counts(stage: Stage) -> None:
    """All that was counted is in the file, once."""
    desk = desks.pop(stage.folder)
    await desk.count()
    await desk.statistics.aclose()
    if (found := desk.written() - desk.n_before) != desk.n:
        raise NotRecoveredError(f"{desk.n} were counted, and {found} written")
