"""Starting the daemon's process, by the means of the platform.

On POSIX it is handed the life lock and leaves our session and family. Windows can do neither: the daemon takes the lock
itself, while the process that starts it keeps others from doing the same. That branch has never run on a real Windows.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time

from devstral_ls.engine.runtime_dir import RuntimeFiles
from devstral_ls.errors import EngineUnavailable
from devstral_ls.platform import locks
from devstral_ls.platform.child_environment import child_environment
from devstral_ls.platform.processes import child_command

DAEMON = "devstral_ls.engine.daemon"
"""The module of the daemon's process."""

TAKE_SECONDS = 5.0
"""The longest a started daemon may take to get the life lock, while other processes only look whether it is held."""

_START_SECONDS = 30.0
"""The longest start of Python on a busy machine."""

_LOOK_SECONDS = 0.02

# From the Windows API (processthreadsapi.h), which `subprocess` names on Windows only.
_DETACHED_PROCESS = 0x00000008
_NEW_PROCESS_GROUP = 0x00000200
_BREAKAWAY_FROM_JOB = 0x01000000

_started: list[subprocess.Popen[bytes]] = []
"""Daemons that were started from here and left alone; a forgotten one makes Python warn."""


def spawn(files: RuntimeFiles, nonce: str, lock: locks.LifeLock, module: str = DAEMON) -> int:
    """Start ``module`` for ``files``; the status it ended with, 0 if it lives. ``lock`` is the life lock: handed over, or
    given back for the daemon to take.

    Raises:
        EngineUnavailable: it could not be started.
    """
    command = child_command(module, "--spec", str(files.spec), "--nonce", nonce)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    log = os.open(files.log, flags, 0o600)
    try:
        if locks.CAN_HAND_OVER:
            return _hand_over(command, files, log, lock)
        lock.close()
        return _let_take(_detached(command, files, log), files)
    except OSError as error:
        raise EngineUnavailable(f"the engine could not be started: {error.strerror}") from error
    finally:
        os.close(log)


def _hand_over(command: list[str], files: RuntimeFiles, log: int, lock: locks.LifeLock) -> int:
    done = subprocess.run(
        [*command, "--lock", str(lock.descriptor)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=files.folder,
        env=child_environment(),
        pass_fds=(lock.descriptor,),
        start_new_session=True,
        check=False,
    )
    return done.returncode


def _detached(command: list[str], files: RuntimeFiles, log: int) -> subprocess.Popen[bytes]:
    """The daemon as a process of its own, which no console and (where it may) no job takes along."""
    flags = (_DETACHED_PROCESS | _NEW_PROCESS_GROUP | _BREAKAWAY_FROM_JOB, _DETACHED_PROCESS | _NEW_PROCESS_GROUP)
    for attempt in flags if sys.platform == "win32" else (0,):
        with contextlib.suppress(PermissionError):  # the job does not let its processes go
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=files.folder,
                env=child_environment(),
                creationflags=attempt,
                start_new_session=sys.platform != "win32",
            )
    raise EngineUnavailable("this system does not let us start the engine")


def _let_take(process: subprocess.Popen[bytes], files: RuntimeFiles) -> int:
    """Wait until the daemon has the life lock, or ends."""
    _started[:] = [*(known for known in _started if known.poll() is None), process]
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        status = process.poll()
        if status is not None:
            return status
        if locks.is_held(files.lock):
            return 0
        time.sleep(_LOOK_SECONDS)
    process.kill()
    raise EngineUnavailable("the engine's process did not start in time")
