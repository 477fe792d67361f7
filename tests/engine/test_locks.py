"""Both ways to lock, and the Windows one on a msvcrt of our own: nobody has run it on a real Windows."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.engine import locks

Byte = tuple[int, int, int]


class FakeMsvcrt:
    """Byte-range locks as Windows has them: each open file its own owner, no waiting, gone when the file is closed."""

    LK_UNLCK, LK_LOCK, LK_NBLCK = 0, 1, 2

    def __init__(self) -> None:
        self.owners: dict[Byte, int] = {}

    def locking(self, descriptor: int, mode: int, n_bytes: int) -> None:
        file, at = os.fstat(descriptor), os.lseek(descriptor, 0, os.SEEK_CUR)
        wanted = [(file.st_dev, file.st_ino, byte) for byte in range(at, at + n_bytes)]
        if mode == self.LK_UNLCK:
            assert all(self.owners.get(byte) == descriptor for byte in wanted), "unlocked what was not locked"
            for byte in wanted:
                del self.owners[byte]
        elif any(byte in self.owners for byte in wanted):
            raise PermissionError(13, "Permission denied")
        else:
            self.owners |= dict.fromkeys(wanted, descriptor)


@pytest.fixture(params=["flock", "byte ranges"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    fake = FakeMsvcrt()
    monkeypatch.setattr(locks, "WAY", locks.Flock() if request.param == "flock" else locks.ByteRanges(fake))
    yield locks.WAY
    assert not fake.owners


def test_who_has_it_alone_has_it_alone(way: Any, tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = locks.try_exclusive(path)
    assert lock is not None
    assert locks.is_held(path)
    assert locks.try_exclusive(path) is None
    assert locks.try_shared(path) is None
    lock.close()
    lock.close()
    assert not locks.is_held(path)
    with locks.try_exclusive(path) or pytest.fail("not free"):
        assert locks.is_held(path)


def test_many_share_it_and_the_last_one_frees_it(way: Any, tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = [locks.try_shared(path) for _ in range(20)]
    assert None not in held
    assert not locks.is_held(path)
    for lock in held:
        assert locks.try_exclusive(path) is None
        assert lock is not None
        lock.close()
    alone = locks.try_exclusive(path)
    assert alone is not None
    alone.close()


def test_a_full_range_is_no_crash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(locks, "WAY", locks.ByteRanges(FakeMsvcrt()))
    monkeypatch.setattr(locks.ByteRanges, "n_bytes", 2)
    one, two, three = (locks.try_shared(tmp_path / "lock") for _ in range(3))
    assert three is None
    for lock in (one, two):
        assert lock is not None
        lock.close()


def test_no_file_is_not_held(way: Any, tmp_path: Path) -> None:
    assert not locks.is_held(tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_file_that_is_there_can_be_locked_where_nothing_can_be_written(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    path.touch()
    really = os.open

    def read_only(name: Path, flags: int, *more: Any) -> int:
        if flags & os.O_RDWR:
            raise OSError(code, os.strerror(code))
        return really(name, flags, *more)

    monkeypatch.setattr(os, "open", read_only)
    held = locks.try_exclusive(path)
    assert held is not None
    assert locks.is_held(path)
    held.close()
    assert not locks.is_taken(path)
    with pytest.raises(OSError, match=os.strerror(code)):
        locks.try_shared(tmp_path / "none")
