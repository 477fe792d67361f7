"""The file of the statistics: shared, bounded, private, and never a reason for anything else to fail."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devstral_ls.statistics import store as module
from devstral_ls.statistics.counters import CounterKey, Counts
from devstral_ls.statistics.store import NAME, VERSION, Newer, StatisticsError, Store

ROOT = Path(__file__).parents[2]


def some(n: int = 1, day: str = "2026-11-23", name: str = "shown") -> Counts:
    return Counts({(CounterKey(day, "python", "m"), name): n})


def add_often(folder: Path, n_times: int) -> None:
    """As servers do: what cannot be added is added the next time."""
    for _ in range(n_times):
        added = False
        while not added:
            with contextlib.suppress(StatisticsError):
                Store(folder).add(some())
                added = True


def test_counts_add_up(tmp_path: Path) -> None:
    for _ in range(3):
        Store(tmp_path / "data").add(some(2))
    assert Store(tmp_path / "data").read() == some(6)


def test_there_need_be_no_file_and_reading_makes_none(tmp_path: Path) -> None:
    assert Store(tmp_path / "data").read() == Counts()
    assert not list(tmp_path.iterdir())


def test_what_was_counted_too_much_is_taken_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for n in (3, -1):
        store.add(some(n))
    assert store.read() == some(2)


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Store(tmp_path / "data").add(some())
    finally:
        os.umask(before)
    file = tmp_path / "data" / NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    Store(tmp_path / "data").add(some())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_many_write_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    code = "import sys, pathlib, tests.statistics.test_store as t; t.add_often(pathlib.Path(sys.argv[1]), 20)"

    def server(_n: int) -> int:
        return subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, timeout=120).returncode

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(server, range(3))) == [0, 0, 0]
    assert Store(tmp_path).read() == some(60)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_one_that_is_killed_in_a_transaction_keeps_what_it_had_added(tmp_path: Path) -> None:
    Store(tmp_path).add(some(5))
    code = (
        "import sys, os, signal, sqlite3; database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('PRAGMA cache_size = 1'); database.execute('BEGIN IMMEDIATE')\n"
        "database.execute('UPDATE counts SET n = 99')\n"
        "for n in range(3000): database.execute(\"INSERT INTO counts VALUES ('d', 'l', 'm', ?, 1)\", (str(n) * 20,))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path / NAME], timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / f"{NAME}-journal").exists()
    Store(tmp_path).add(some())
    assert Store(tmp_path).read() == some(6)


def _garbage(file: Path) -> None:
    file.write_bytes(b"no database" * 1000)


def _page_overwritten(file: Path) -> None:
    Store(file.parent).add(Counts({(CounterKey("2026-11-23", "python", "m"), f"reason.{n}"): 1 for n in range(2000)}))
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))


def _anothers(file: Path) -> None:
    database = sqlite3.connect(file)
    database.execute("CREATE TABLE something (x)")
    database.execute(f"PRAGMA user_version = {VERSION}")
    database.close()


@pytest.mark.parametrize("damage", [_garbage, _page_overwritten, _anothers])
def test_a_damaged_file_is_set_aside_with_one_line_and_begun_anew(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    damage(tmp_path / NAME)
    content = (tmp_path / NAME).read_bytes()
    with pytest.raises(StatisticsError):
        Store(tmp_path).read()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            Store(tmp_path).add(some())
    assert Store(tmp_path).read() == some(3)
    assert (tmp_path / f"{NAME}.damaged").read_bytes() == content
    assert len(caplog.records) == 1


def test_who_finds_it_renewed_by_another_leaves_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(some(4))
    store._set_aside()
    assert store.read() == some(4)


def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    assert Store(tmp_path).read() == Counts()
    Store(tmp_path).add(some())
    assert Store(tmp_path).read() == some()


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    Store(tmp_path).add(some())
    database = sqlite3.connect(tmp_path / NAME)
    database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    content = (tmp_path / NAME).read_bytes()
    for use in (lambda: Store(tmp_path).add(some()), lambda: Store(tmp_path).read()):
        with pytest.raises(Newer, match="newer"):
            use()
    assert (tmp_path / NAME).read_bytes() == content


def test_rows_that_make_no_sense_are_not_counted(tmp_path: Path) -> None:
    Store(tmp_path).add(some())
    database = sqlite3.connect(tmp_path / NAME)
    rows = [
        ("d", "l", "m", "a", "many"),
        ("d", "l", "m", "b", -5),
        ("d", "l", "m", "c", 1.5),
        (b"\xff", "l", "m", "d", 1),
    ]
    database.executemany("INSERT INTO counts VALUES (?, ?, ?, ?, ?)", rows)
    database.execute("INSERT INTO counts VALUES ('d', CAST(x'ff41' AS TEXT), 'm', 'e', 1)")
    database.commit()
    database.close()
    assert sorted(name for _, name in Store(tmp_path).read()) == ["e", "shown"]


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["a pipe", "a folder"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / NAME)
    for use in (lambda: Store(tmp_path).add(some()), lambda: Store(tmp_path).read()):
        with pytest.raises(StatisticsError, match="not a file"):
            use()


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StatisticsError):
        Store(tmp_path / "data").add(some())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_nobody_may_write_in_is_an_error_of_ours(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StatisticsError, match="cannot be written"):
        Store(tmp_path).add(some())


def test_a_full_disk_is_an_error_of_ours_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.add(some())
    n_pages = 4

    def full(*arguments: object, **options: object) -> sqlite3.Connection:
        database = connect(*arguments, **options)  # type: ignore[call-overload]
        database.execute(f"PRAGMA max_page_count = {n_pages}")
        return database

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", full)
    many = Counts({(CounterKey("2026-11-23", "python", "m"), f"{n}" * 50): 1 for n in range(1000)})
    with pytest.raises(StatisticsError, match="full"):
        store.add(many)
    monkeypatch.undo()
    assert store.read() == some()
    store.add(many)
    assert len(store.read()) == 1001


def test_somebody_who_holds_it_is_waited_for_in_bounded_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_S", 0.05)
    Store(tmp_path).add(some())
    holder = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StatisticsError, match="locked"):
        Store(tmp_path).add(some())
    holder.execute("ROLLBACK")
    holder.close()
    Store(tmp_path).add(some())
    assert Store(tmp_path).read() == some(2)


def test_it_is_bounded_by_days_and_by_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEEP_DAYS", 3)
    store = Store(tmp_path)
    for day in ("2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"):
        store.add(some(day=day))
    assert {where.day for where, _ in store.read()} == {"2026-11-21", "2026-11-22", "2026-11-23"}
    monkeypatch.setattr(module, "MAX_ROWS", 5)
    store.add(Counts({(CounterKey("2026-11-23", "python", "m"), str(n)): 1 for n in range(4)}))
    assert {where.day for where, _ in store.read()} == {"2026-11-23"}


def test_a_clock_that_is_wrong_for_a_day_costs_no_history(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for day in ("2026-11-22", "2099-01-01", "1970-01-01", "2026-11-23"):
        store.add(some(day=day))
    assert {where.day for where, _ in store.read()} == {"1970-01-01", "2026-11-22", "2026-11-23", "2099-01-01"}


def test_cleared_it_is_gone_and_begins_anew(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(some())
    assert store.clear()
    assert not store.clear()
    assert not (tmp_path / NAME).exists()
    store.add(some())
    assert store.read() == some()
