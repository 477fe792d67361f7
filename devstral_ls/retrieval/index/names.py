"""The name table: which files define a name, in memory and compact enough for a million entries."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable

MAX_FILES = 100_000
"""Files in the table; further ones are only found by import."""

MAX_ROWS = 1_000_000
"""Pairs of name and file, at about 30 bytes each."""

MAX_NAME = 80
"""Characters; longer names are left out."""


class NameTable:
    """Names and the files that define them. Rows may be outdated: callers look into the file before using one."""

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.executescript(
            """
            PRAGMA journal_mode = OFF;
            CREATE TABLE files (id INTEGER PRIMARY KEY, path TEXT UNIQUE, stem TEXT);
            CREATE INDEX stems ON files (stem);
            CREATE TABLE names (name TEXT, file INTEGER, PRIMARY KEY (name, file)) WITHOUT ROWID;
            """
        )
        self.n_files = 0
        self.n_rows = 0

    @property
    def is_full(self) -> bool:
        """True when the table takes no more rows."""
        return self.n_files >= MAX_FILES or self.n_rows >= MAX_ROWS

    def put(self, path: str, names: Iterable[str]) -> None:
        """Add ``names`` as defined by the file at ``path``. Names that it had before stay."""
        row = self._db.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()
        if row is None:
            if self.is_full:
                return
            stem = os.path.basename(path).split(".")[0].lower()
            file = self._db.execute("INSERT INTO files (path, stem) VALUES (?, ?)", (path, stem)).lastrowid
            self.n_files += 1
        else:
            file = row[0]
        rows = [(name, file) for name in set(names) if len(name) <= MAX_NAME]
        if rows and self.n_rows < MAX_ROWS:
            self.n_rows += self._db.executemany("INSERT OR IGNORE INTO names VALUES (?, ?)", rows).rowcount

    def files_with(self, name: str, limit: int) -> list[str]:
        """Files that may define ``name``."""
        query = "SELECT path FROM names JOIN files ON id = file WHERE name = ? LIMIT ?"
        return [row[0] for row in self._db.execute(query, (name, limit))]

    def files_called(self, stem: str, limit: int) -> list[str]:
        """Files whose names up to the first dot are ``stem``, whatever the case."""
        query = "SELECT path FROM files WHERE stem = ? LIMIT ?"
        return [row[0] for row in self._db.execute(query, (stem.lower(), limit))]

    def close(self) -> None:
        """Release the memory."""
        self._db.close()
