"""The file of the statistics: a database with wrong rows, or with wrong bytes."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from pathlib import Path

from devstral_ls.errors import DevstralError
from devstral_ls.statistics.counters import CounterKey, Counts
from devstral_ls.statistics.report import report
from devstral_ls.statistics.store import NAME, Store
from devstral_ls.testing.fuzz.files.kind import Read, damaged

_DAY = "2026-11-20"
_VALUES = (0, 1, -1, 2**63 - 1, -(2**63), 1.5, float("inf"), None, "", "x" * 1000, "\0", b"\xff", "9999-99-99", "shown")


def make(chance: random.Random) -> bytes:
    """A valid file with values of every kind in its rows, or with changed bytes."""
    with tempfile.TemporaryDirectory() as folder:
        Store(Path(folder)).add(
            Counts(
                {(CounterKey(_DAY, "python", "m"), name): 9 for name in ("shown", "read", "accepted", "reason.empty")}
            )
        )
        path = Path(folder) / NAME
        if chance.random() < 0.5:
            with sqlite3.connect(path) as database:
                tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
                for table in tables:
                    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
                    for column in columns:
                        if chance.random() < 0.4:
                            database.execute(
                                f"UPDATE OR IGNORE {table} SET {column} = ?",
                                (chance.choice(_VALUES),),
                            )
            database.close()
            return path.read_bytes()
        return damaged(path.read_bytes(), chance)


def reader(folder: Path) -> Read:
    """Reads it, adds to it, and makes the report of ``devstral-ls stats`` of it."""

    def read(data: bytes) -> str:
        for old in folder.glob(f"{NAME}*"):
            old.unlink()
        (folder / NAME).write_bytes(data)
        store = Store(folder)
        try:
            counts = store.read()
            report(counts, 30)
            store.add(Counts({(CounterKey(_DAY, "go", "m"), "shown"): 1}))
        except DevstralError as error:
            return error.code
        return "read"

    return read
