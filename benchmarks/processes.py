"""What a process holds: memory, handles, threads and CPU time, read from ``/proc`` (Linux; elsewhere nothing is told)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

_FIELDS = re.compile(r"^(VmRSS|RssAnon|Threads):\s*(\d+)", re.MULTILINE)
_PEAK = re.compile(r"^VmHWM:\s*(\d+)", re.MULTILINE)
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class Held:
    """One process at one moment."""

    rss_mb: float
    """Resident, 10^6 bytes, with what is mapped from files."""
    anon_mb: float
    """Of it without files: what only this process can give back."""
    handles: int
    """Open file descriptors."""
    threads: int
    cpu_s: float
    """Since its start, user and system."""


def held(pid: int) -> Held | None:
    """What ``pid`` holds now; ``None`` where it is gone, or where there is no ``/proc``."""
    folder = PROC / str(pid)
    try:
        found = {name: int(value) for name, value in _FIELDS.findall((folder / "status").read_text())}
        n_handles = sum(1 for _ in (folder / "fd").iterdir())
        # The name, in brackets, may hold anything, brackets and spaces too.
        times = (folder / "stat").read_text().rpartition(")")[2].split()
        cpu_s = (int(times[11]) + int(times[12])) / _TICKS
        return Held(found["VmRSS"] / 976.5625, found["RssAnon"] / 976.5625, n_handles, found["Threads"], cpu_s)
    except (OSError, KeyError, IndexError):  # a zombie has no memory
        return None


def rss(pid: int) -> int:
    """Resident bytes of a process; 0 where it is gone."""
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def peak(pid: int | str = "self") -> int:
    """Resident bytes that a process has had at most since it was executed; 0 where it is gone.

    ``ru_maxrss`` would count what the process that started it had, too (getrusage(2): it is kept across execve).
    """
    try:
        found = _PEAK.search((PROC / str(pid) / "status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def children(pid: int) -> list[int]:
    """The processes that ``pid`` has started and that still run."""
    try:
        return [int(one) for one in (PROC / str(pid) / "task" / str(pid) / "children").read_text().split()]
    except OSError:
        return []


def on_disk(*folders: Path) -> int:
    """Bytes of all files below ``folders``."""
    total = 0
    for path in (path for folder in folders for path in folder.rglob("*")):
        try:
            total += path.lstat().st_size
        except OSError:  # gone since it was listed
            continue
    return total
