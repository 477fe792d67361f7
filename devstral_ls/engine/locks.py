"""File locks that the kernel gives back when their holder dies, however it dies.

On POSIX ``flock`` belongs to the open file, not to the process: a lock handed to a child by its descriptor is held until
the child has closed it too. Windows knows locks of byte ranges only, which belong to one process; see ``ByteRanges``.
"""

from __future__ import annotations

import errno
import importlib
import os
import random
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

Held = tuple[int, int]
"""Of a held lock, as its way wants to know it: first byte and number of bytes."""


class Way(Protocol):
    """How a platform locks a file."""

    inherited: bool
    """Can a child process be handed the lock, by the descriptor?"""

    def take(self, descriptor: int, *, exclusive: bool) -> Held | None:
        """Lock the open file, or None if that would have to wait."""
        ...

    def give_back(self, descriptor: int, held: Held) -> None:
        """Unlock what closing the descriptor would not unlock at once."""
        ...


class Flock:
    """POSIX."""

    inherited = True

    def __init__(self) -> None:
        self._fcntl: Any = importlib.import_module("fcntl")

    def take(self, descriptor: int, *, exclusive: bool) -> Held | None:
        """``flock``."""
        kind = self._fcntl.LOCK_EX if exclusive else self._fcntl.LOCK_SH
        try:
            self._fcntl.flock(descriptor, kind | self._fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return 0, 0

    def give_back(self, descriptor: int, held: Held) -> None:
        """Nothing: a child may have the descriptor, too."""


class ByteRanges:
    """Windows: who shares a lock has one byte of a range, who has it alone has the whole range.

    Bytes may be locked that the file does not have: they are far behind its end, for Windows lets nobody else read what
    is locked. Never run on a real Windows.
    """

    inherited = False
    first = 1 << 30
    n_bytes = 256
    """So many can share a lock."""

    def __init__(self, msvcrt: Any) -> None:
        self._msvcrt = msvcrt

    def take(self, descriptor: int, *, exclusive: bool) -> Held | None:
        """The whole range, or the first free byte from a random one on."""
        if exclusive:
            return (self.first, self.n_bytes) if self._locked(descriptor, self.first, self.n_bytes) else None
        start = random.randrange(self.n_bytes)  # noqa: S311  nothing secret
        places = (self.first + (start + step) % self.n_bytes for step in range(self.n_bytes))
        at = next((at for at in places if self._locked(descriptor, at, 1)), None)
        return None if at is None else (at, 1)

    def give_back(self, descriptor: int, held: Held) -> None:
        """Windows unlocks what a closed file had at some later time: not soon enough."""
        os.lseek(descriptor, held[0], os.SEEK_SET)
        self._msvcrt.locking(descriptor, self._msvcrt.LK_UNLCK, held[1])

    def _locked(self, descriptor: int, at: int, n_bytes: int) -> bool:
        os.lseek(descriptor, at, os.SEEK_SET)
        try:
            self._msvcrt.locking(descriptor, self._msvcrt.LK_NBLCK, n_bytes)
        except OSError:
            return False
        return True


WAY: Way = ByteRanges(importlib.import_module("msvcrt")) if sys.platform == "win32" else Flock()
"""This platform's."""


class Lock:
    """A held lock; closing it gives it back."""

    def __init__(self, descriptor: int, held: Held = (0, 0)) -> None:
        self.descriptor = descriptor
        self._held = held
        self._way = WAY

    def is_at(self, path: Path) -> bool:
        """Is the locked file still the one at ``path``? One that was removed, or made anew since, is not."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Give the lock back, unless another process has the descriptor too. Again does nothing."""
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            self._way.give_back(descriptor, self._held)
            os.close(descriptor)

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def try_exclusive(path: Path) -> Lock | None:
    """The lock for nobody else, or None if somebody holds it in any way.

    Raises:
        OSError: there is no such file, and none can be made.
    """
    return _try(path, exclusive=True)


def try_shared(path: Path) -> Lock | None:
    """The lock together with others who share it, or None if somebody holds it exclusively. Raises as the other."""
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


def is_taken(path: Path) -> bool:
    """Does somebody hold it at this moment, exclusively or shared?"""
    if not path.exists():
        return False
    lock = try_exclusive(path)
    if lock is None:
        return True
    lock.close()
    return False


def n_holders(path: Path, table: Path = Path("/proc/locks")) -> int | None:
    """How many hold it at this moment; None where the system does not say."""
    try:
        inode = path.stat().st_ino
        lines = table.read_text().splitlines()
    except OSError:
        return None
    return sum(line.split()[-3].endswith(f":{inode}") for line in lines if "->" not in line and len(line.split()) > 6)


def _try(path: Path, *, exclusive: bool) -> Lock | None:
    descriptor = _opened(path)
    held = WAY.take(descriptor, exclusive=exclusive)
    if held is None:
        os.close(descriptor)
        return None
    return Lock(descriptor, held)


def _opened(path: Path) -> int:
    """The file's descriptor. One that is there can be locked where nothing can be written, too."""
    # Windows has neither of the two: its handles are not inherited, and links need a privilege there.
    flags = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES) or not path.exists():
            raise
        return os.open(path, os.O_RDONLY | flags)
