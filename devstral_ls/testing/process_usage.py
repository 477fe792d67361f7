"""Memory, handles, threads and CPU time of a process."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import psutil

_PEAK = re.compile(r"^VmHWM:\s*(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """One process at one moment."""

    rss_mb: float
    """Resident, 10^6 bytes, including pages mapped from files."""
    anon_mb: float
    """Resident without pages shared with files or other processes; where the system does not say, all resident ones."""
    handles: int
    """Open file descriptors."""
    threads: int
    cpu_s: float
    """Seconds of CPU time since its start, user and system."""


def usage(pid: int) -> ProcessUsage | None:
    """The usage of ``pid`` now; None when there is no such process, or it is a zombie."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            memory, times = process.memory_info(), process.cpu_times()
            handles = getattr(process, "num_handles" if os.name == "nt" else "num_fds")()
            shared = getattr(memory, "shared", 0)
            if not memory.rss:  # a zombie
                return None
            return ProcessUsage(
                memory.rss / 1e6, (memory.rss - shared) / 1e6, handles, process.num_threads(), times.user + times.system
            )
    except psutil.Error:
        return None


def rss(pid: int) -> int:
    """Resident bytes of a process; 0 when there is none."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def cpu_s(pid: int) -> float:
    """Seconds of CPU time of a process since its start; 0 when there is none."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def peak(pid: int | str = "self") -> int:
    """Peak resident bytes of a process since it was executed; 0 when there is none, or no ``/proc``.

    psutil does not have it on Linux, and ``ru_maxrss`` would include the parent's (getrusage(2): kept across execve).
    """
    try:
        match = _PEAK.search((Path("/proc") / str(pid) / "status").read_text())
    except OSError:
        return 0
    return int(match[1]) * 1024 if match else 0


def children(pid: int) -> list[int]:
    """The running processes that ``pid`` has started."""
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.Error:
        return []


def on_disk(*folders: Path) -> int:
    """Bytes of all files below ``folders``."""
    total = 0
    for path in (path for folder in folders for path in folder.rglob("*")):
        try:
            total += path.lstat().st_size
        except OSError:  # removed since it was listed
            continue
    return total
