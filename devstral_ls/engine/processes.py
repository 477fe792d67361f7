"""Starting and ending the host's process, by the means of the platform.

On POSIX it is handed the life lock and leaves our session and family. Windows can do neither: the host takes the lock
itself, while whoever starts it keeps the others from doing the same. That branch has never run on a real Windows.
"""

from __future__ import annotations

import contextlib
import os
import signal
import site
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import devstral_ls
from devstral_ls.engine import locks
from devstral_ls.engine.place import Place
from devstral_ls.errors import EngineUnavailable

WINDOWS = sys.platform == "win32"

TAKE_SECONDS = 5.0
"""The longest a started host may take to get the life lock, against others who only look whether it is held."""

_START_SECONDS = 30.0
"""The longest start of Python on a busy machine."""

_LOOK_SECONDS = 0.02

# From the Windows API (processthreadsapi.h), which `subprocess` names on Windows only.
_DETACHED_PROCESS = 0x00000008
_NEW_PROCESS_GROUP = 0x00000200
_BREAKAWAY_FROM_JOB = 0x01000000

_started: list[subprocess.Popen[bytes]] = []
"""Hosts of ours that are nobody's business any more; a forgotten one makes Python warn."""


def spawn(place: Place, nonce: str, lock: locks.Lock, host: str) -> int:
    """Start the module ``host`` for ``place``; the status it ended with, 0 if it lives. ``lock`` is the life lock: handed over, or
    given back for the host to take.

    Raises:
        EngineUnavailable: the host could not be started.
    """
    command = [sys.executable, "-P", "-m", host, "--spec", str(place.spec), "--nonce", nonce]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    log = os.open(place.log, flags, 0o600)
    try:
        if locks.WAY.inherited:
            return _hand_over(command, place, log, lock)
        lock.close()
        return _let_take(_detached(command, place, log), place)
    except OSError as error:
        raise EngineUnavailable(f"the engine could not be started: {error.strerror}") from error
    finally:
        os.close(log)


def lives(pid: int | None) -> bool:
    """Is there such a process? On Windows nobody is asked: signal 0 would be a Ctrl-C there, and the lock says enough."""
    if WINDOWS or pid is None:
        return pid is not None
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return _state_of(pid) not in ("Z", "X")  # one that died answers signals until somebody asks how it ended


def is_stopped(pid: int | None) -> bool:
    """Has somebody stopped the process by a signal? Only where the system tells (Linux)."""
    return _state_of(pid) == "T"


class Stopped:
    """How long a process has been stopped by a signal, for who looks again and again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pid: int | None = None
        self._since = 0.0

    def seconds(self, pid: int | None) -> float:
        """Since it was first seen stopped without being seen to run in between; 0 while it is not."""
        if not is_stopped(pid):
            self._pid = None
            return 0.0
        if pid != self._pid:
            self._pid, self._since = pid, self._clock()
        return self._clock() - self._since


def _state_of(pid: int | None) -> str:
    """Its letter in ``/proc``; empty where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[0]


def end(pid: int, *, by_force: bool) -> None:
    """Ask the process to leave, or end it; Windows only knows the latter. None is no error."""
    sign = signal.SIGTERM if not by_force or WINDOWS else signal.SIGKILL
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, sign)


def _hand_over(command: list[str], place: Place, log: int, lock: locks.Lock) -> int:
    done = subprocess.run(
        [*command, "--lock", str(lock.descriptor)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=place.folder,
        env=_environment(),
        pass_fds=(lock.descriptor,),
        start_new_session=True,
        check=False,
    )
    return done.returncode


def _detached(command: list[str], place: Place, log: int) -> subprocess.Popen[bytes]:
    """The host as a process of its own, which no console and (where it may) no job takes along."""
    flags = (_DETACHED_PROCESS | _NEW_PROCESS_GROUP | _BREAKAWAY_FROM_JOB, _DETACHED_PROCESS | _NEW_PROCESS_GROUP)
    for attempt in flags if WINDOWS else (0,):
        with contextlib.suppress(PermissionError):  # the job does not let its processes go
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=place.folder,
                env=_environment(),
                creationflags=attempt,
                start_new_session=not WINDOWS,
            )
    raise EngineUnavailable("this system does not let us start the engine")


def _let_take(process: subprocess.Popen[bytes], place: Place) -> int:
    """Wait until the host has the life lock, or ends."""
    _started[:] = [*(known for known in _started if known.poll() is None), process]
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        status = process.poll()
        if status is not None:
            return status
        if locks.is_held(place.lock):
            return 0
        time.sleep(_LOOK_SECONDS)
    process.kill()
    raise EngineUnavailable("the engine's process did not start in time")


def _environment() -> dict[str, str]:
    """Ours, with the folder of this package in the path where Python would not find it by itself.

    The host runs with ``-P`` in the runtime folder: nothing from a workspace is ever imported.
    """
    root = str(Path(devstral_ls.__file__).resolve().parent.parent)
    if root in (*site.getsitepackages(), site.getusersitepackages()):
        return dict(os.environ)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
