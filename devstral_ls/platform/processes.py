"""Other processes: whether they live, what they hold, how they are ended, and the command line of our own children."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil


def lives(pid: int | None) -> bool:
    """True when there is such a process and it has not ended: a zombie has."""
    if pid is None:
        return False
    return _status_of(pid) not in (None, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


def is_stopped(pid: int | None) -> bool:
    """True when the process was stopped by a signal (SIGSTOP, or Ctrl-Z in its terminal)."""
    return pid is not None and _status_of(pid) == psutil.STATUS_STOPPED


def resident_bytes(pid: int | None) -> int | None:
    """Resident memory of the process; None where it is gone."""
    if pid is None:
        return None
    try:
        return int(psutil.Process(pid).memory_info().rss) or None  # 0 is what a zombie has
    except psutil.Error:
        return None


def activity(pid: int | None) -> tuple[float, int] | None:
    """CPU time and changes of context of the process so far: while both stay the same it does nothing at all, not even
    look at the clock. None where it is gone.
    """
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        times, switches = process.cpu_times(), process.num_ctx_switches()
    except psutil.Error:
        return None
    return times.user + times.system, switches.voluntary + switches.involuntary


def has_open(pid: int, path: Path) -> bool:
    """True when the process has the file at ``path`` open. Windows is not asked: it takes long, and may hang."""
    if sys.platform == "win32":
        return True
    try:
        return any(Path(file.path) == path.resolve() for file in psutil.Process(pid).open_files())
    except (psutil.Error, OSError):
        return False


def with_argument(argument: str) -> list[int]:
    """Processes of this user that have ``argument`` in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "uids"]):
        uids = process.info.get("uids")
        is_ours = uids is None or uids.effective == os.geteuid()
        if is_ours and process.pid != os.getpid() and argument in (process.info["cmdline"] or ()):
            found.append(process.pid)
    return found


def end(pid: int, *, by_force: bool) -> None:
    """Ask the process to leave, or end it; Windows only knows the latter. A process that is gone is no error."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if by_force:
            process.kill()
        else:
            process.terminate()


class StoppedClock:
    """How long a process has been stopped by a signal, for a caller that looks again and again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pid: int | None = None
        self._since = 0.0

    def seconds(self, pid: int | None) -> float:
        """Since it was first seen stopped without being seen to run in between; 0 while it runs."""
        if not is_stopped(pid):
            self._pid = None
            return 0.0
        if pid != self._pid:
            self._pid, self._since = pid, self._clock()
        return self._clock() - self._since


def child_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of ours in a child process."""
    return [sys.executable, "-P", "-m", module, *arguments]


def _status_of(pid: int) -> str | None:
    try:
        return str(psutil.Process(pid).status())
    except psutil.Error:
        return None
