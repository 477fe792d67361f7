"""When another server of the same user last asked the same engine: a file that each touches as it asks."""

from __future__ import annotations

import math
import time
from pathlib import Path


class Marker:
    """One server's view of the file. A file that cannot be written or read says nothing."""

    def __init__(self) -> None:
        self._mine: int | None = None

    def touch(self, path: Path) -> None:
        """Say that this server asks."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            self._mine = path.stat().st_mtime_ns
        except OSError:
            self._mine = None

    def others_quiet_s(self, path: Path) -> float:
        """Seconds since another server asked; infinite if none has since this one did."""
        try:
            touched = path.stat().st_mtime_ns
        except OSError:
            return math.inf
        # A time in the future is of a clock that was set back since.
        return math.inf if touched == self._mine else abs(time.time() - touched / 1e9)
