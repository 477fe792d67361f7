"""File locks that the kernel gives back when their holder dies, however it dies.

``filelock`` holds the ordinary ones. ``LifeLock`` stays our own because filelock cannot hand a held lock to a child
process: it keeps its descriptor to itself and refuses to be used after a fork. The engine's life lock must never be free
between the process that starts the engine and the engine itself.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

_POLL_SECONDS = 0.1
"""Between two attempts of ``exclusive``."""

CAN_HAND_OVER = sys.platform != "win32"
"""True when a child process can be handed a held lock. On POSIX ``flock`` belongs to the open file, so a descriptor that
a child inherits holds the lock until the child has closed it too; Windows locks belong to one process."""


class HeldLock:
    """A lock that is held, until ``release`` or the end of ``with``. A ``FileLock`` itself would be taken once more by
    ``with``, and given back once too few.
    """

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock

    def release(self) -> None:
        """Give it back. Again does nothing."""
        self._lock.release(force=True)

    def __enter__(self) -> HeldLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def try_lock(path: Path) -> HeldLock | None:
    """The lock file at ``path``, held; None when another process holds it.

    The file stays behind: deleting it would let two processes lock two different files.

    Raises:
        OSError: there is no such file, and none can be made.
    """
    lock = FileLock(path, mode=0o600, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return HeldLock(lock)


@contextmanager
def exclusive(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file at ``path``; ``waiting`` is called every 0.1 s while another process holds it. It may raise to
    give up.
    """
    while (lock := try_lock(path)) is None:
        waiting()
        time.sleep(_POLL_SECONDS)
    with lock:
        yield


class LifeLock:
    """A held exclusive lock whose descriptor may be handed to a child process; closing it gives it back."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def is_at(self, path: Path) -> bool:
        """True when the locked file is still the one at ``path``: it was neither removed nor made anew."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Give the lock back, unless another process has the descriptor too. Again does nothing."""
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            _unlock(descriptor)
            os.close(descriptor)

    def __enter__(self) -> LifeLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def try_life_lock(path: Path) -> LifeLock | None:
    """The life lock at ``path``, or None when another process holds it or looks at it.

    Raises:
        OSError: there is no such file, and none can be made.
    """
    descriptor = _open(path)
    if _try(descriptor, shared=False):
        return LifeLock(descriptor)
    os.close(descriptor)
    return None


def is_held(path: Path) -> bool:
    """True when a process holds the life lock at ``path``. Several may look at once without seeing each other."""
    if not path.exists():
        return False
    descriptor = _open(path)
    held = not _try(descriptor, shared=True)
    if not held:
        _unlock(descriptor)
    os.close(descriptor)
    return held


def _open(path: Path) -> int:
    """The file's descriptor. A file that is there can be locked where nothing can be written, too."""
    # Windows has neither of the two: its handles are not inherited, and links need a privilege there.
    flags = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES) or not path.exists():
            raise
        return os.open(path, os.O_RDONLY | flags)


if sys.platform == "win32":  # never run on a real Windows
    import msvcrt

    _FAR = 1 << 30  # behind the end of the file: on Windows no other process can read the bytes that are locked

    def _try(descriptor: int, *, shared: bool) -> bool:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try(descriptor: int, *, shared: bool) -> bool:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        """Nothing: closing unlocks, unless a child has the descriptor, which then still holds the lock."""
