"""File locks: plain ones, and the one a child process is handed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.platform import locks


def test_a_held_lock_cannot_be_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = locks.try_lock(path)
    assert held is not None
    assert locks.try_lock(path) is None
    held.release()
    held.release()
    for _ in range(2):
        with locks.try_lock(path) or pytest.fail("not free"):
            assert locks.try_lock(path) is None
    assert path.exists()


def test_waiting_is_reported_and_may_give_up(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = locks.try_lock(path)
    assert held is not None
    n_looks = 0

    def waiting() -> None:
        nonlocal n_looks
        n_looks += 1
        if n_looks == 2:
            held.release()

    with locks.exclusive(path, waiting):
        assert n_looks == 2
        assert locks.try_lock(path) is None
    with locks.try_lock(path) or pytest.fail("not free"):
        pass

    def give_up() -> None:
        raise KeyboardInterrupt

    with (
        locks.try_lock(path) or pytest.fail("not free"),
        pytest.raises(KeyboardInterrupt),
        locks.exclusive(path, give_up),
    ):
        pass


def test_a_life_lock_is_held_once_and_seen_by_many(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    life = locks.try_life_lock(path)
    assert life is not None
    assert locks.is_held(path)
    assert locks.is_held(path)
    assert locks.try_life_lock(path) is None
    life.close()
    life.close()
    assert not locks.is_held(path)


def test_a_life_lock_is_held_by_the_child_it_was_handed_to(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    life = locks.try_life_lock(path)
    assert life is not None
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, pass_fds=(life.descriptor,)
    )
    life.close()
    assert locks.is_held(path)
    child.communicate()
    assert not locks.is_held(path)


def test_no_file_is_not_held(tmp_path: Path) -> None:
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
    held = locks.try_life_lock(path)
    assert held is not None
    assert locks.is_held(path)
    held.close()
    with pytest.raises(OSError, match=os.strerror(code)):
        locks.try_life_lock(tmp_path / "none")
