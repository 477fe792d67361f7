"""File locks that the kernel gives back when their holder dies, however it dies.

``flock`` belongs to the open file, not to the process: a lock handed to a child by its descriptor is held until
the child has closed it too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

from devstral_ls.errors import EngineUnavailable

if sys.platform != "win32":
    import fcntl


class Lock:
    """A held lock; closing it gives it back."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def close(self) -> None:
        """Give the lock back, unless another process has the descriptor too. Again does nothing."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def try_exclusive(path: Path) -> Lock | None:
    """The lock for nobody else, or None if somebody holds it in any way."""
    return _try(path, exclusive=True)


def try_shared(path: Path) -> Lock | None:
    """The lock together with others who share it, or None if somebody holds it exclusively."""
    return _try(path, exclusive=False)


def is_held(path: Path) -> bool:
    """Does somebody hold it exclusively at this moment?"""
    if not path.exists():
        return False
    lock = try_shared(path)
    if lock is None:
        return True
    lock.close()
    return False


def _try(path: Path, *, exclusive: bool) -> Lock | None:
    if sys.platform == "win32":
        raise EngineUnavailable(
            "a managed engine needs POSIX file locks", hint='Set engine.kind to "remote" and engine.baseUrl.'
        )
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return Lock(descriptor)
