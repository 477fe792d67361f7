"""The statistics of this machine in one SQLite file, to which all servers of the user add.

Every ``add`` is a transaction: what a server has added survives its being killed. A damaged file is set aside and a new
one begun; a file of a newer version is left alone. Bounded by days and by rows.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from devstral_ls.errors import DevstralError
from devstral_ls.platform.locks import try_lock
from devstral_ls.statistics.counters import CounterKey, Counts

NAME = "statistics.db"
"""Name of the file in the data folder."""

VERSION = 1
"""Version of the file's format."""

KEEP_DAYS = 180
"""Days with counts that are stored. By number and not by age: a wrong clock deletes nothing."""

MAX_ROWS = 50_000
"""Some 4 MB; a day with three languages has about 150 rows."""

BUSY_S = 1.0
"""Seconds to wait for another server's write, in a thread of its own."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
"""SQLite's primary result codes; SQLITE_ERROR: the tables are not ours."""

_SCHEMA = (
    "CREATE TABLE counts (day TEXT NOT NULL, language TEXT NOT NULL, model TEXT NOT NULL, name TEXT NOT NULL,"
    " n INTEGER NOT NULL, PRIMARY KEY (day, language, model, name)) WITHOUT ROWID"
)
_ADD = (
    "INSERT INTO counts (day, language, model, name, n) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (day, language, model, name) DO UPDATE SET n = n + excluded.n"
)
_READ = "SELECT day, language, model, name, n FROM counts ORDER BY day DESC LIMIT ?"

_log = logging.getLogger(__name__)


class StatisticsError(DevstralError):
    """The statistics cannot be read or written."""

    code = "statistics"
    hint = "Suggestions work without them; `privacy.statistics = false` switches them off."


class Newer(StatisticsError):
    """The file was written by a newer version of devstral-ls, and is left alone."""

    code = "statistics-newer"
    hint = "Use that version, or start again with `devstral-ls stats --clear`."


class _Damaged(Exception):
    """The file is no database, or not ours."""


class Store:
    """The file below ``folder``; it need not exist yet. Every method opens and closes it, and blocks for a moment.

    Args:
        folder: the data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / NAME

    def add(self, counts: Counts) -> None:
        """Add ``counts`` to the file: all of them or none.

        Raises:
            StatisticsError: they cannot be written now; try again later.
            Newer: they cannot be written by this version.
        """
        try:
            try:
                self._add(counts)
            except _Damaged:
                self._set_aside()
                self._add(counts)
        except (OSError, _Damaged) as error:
            raise StatisticsError(f"statistics cannot be written: {_says(error)}") from error

    def read(self) -> Counts:
        """All counts; none when there is no file.

        Raises:
            StatisticsError: it cannot be read.
        """
        try:
            if not self._exists():
                return Counts()
            with self._open("ro") as database:
                if not _version(database):
                    return Counts()
                rows = database.execute(_READ, (MAX_ROWS,)).fetchall()
        except (OSError, _Damaged) as error:
            raise StatisticsError(f"statistics cannot be read: {_says(error)}") from error
        found = Counts()
        for day, language, model, name, n in rows:
            if isinstance(n, int) and n > 0 and all(isinstance(text, str) for text in (day, language, model, name)):
                found[CounterKey(day, language, model), name] += n
        return found

    def clear(self) -> bool:
        """Delete the statistics and a damaged file set aside; True when there were any.

        Raises:
            StatisticsError: they cannot be deleted.
        """
        found = False
        try:
            for path in (self.path, self._journal, self._aside):
                found = found or path.is_file()
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StatisticsError(f"statistics cannot be deleted: {_says(error)}") from error
        return found

    @property
    def _journal(self) -> Path:
        """SQLite's rollback journal."""
        return self.path.with_name(NAME + "-journal")

    @property
    def _aside(self) -> Path:
        return self.path.with_name(NAME + ".damaged")

    def _add(self, counts: Counts) -> None:
        self._make()
        with self._open("rw") as database:
            database.execute("BEGIN IMMEDIATE")
            if not _version(database):
                database.execute(_SCHEMA)
                database.execute(f"PRAGMA user_version = {VERSION}")
            rows = [(where.day, where.language, where.model, name, n) for (where, name), n in counts.items() if n]
            database.executemany(_ADD, rows)
            _trim(database)
            database.execute("COMMIT")

    def _make(self) -> None:
        """An empty file that only the user can read, if there is none."""
        if not self._exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            os.close(os.open(self.path, flags, 0o600))
        elif os.name != "nt" and stat.S_IMODE(self.path.stat().st_mode) & 0o077:
            self.path.chmod(0o600)

    def _exists(self) -> bool:
        """True when the file exists. Raises OSError when it is no regular file: a pipe would block for ever."""
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            return False
        if not stat.S_ISREG(mode):
            raise OSError(f"{self.path} is not a file")
        return True

    @contextmanager
    def _open(self, mode: str) -> Iterator[sqlite3.Connection]:
        """Raises OSError, _Damaged, Newer."""
        try:
            uri = f"{self.path.absolute().as_uri()}?mode={mode}"
            with closing(sqlite3.connect(uri, timeout=BUSY_S, isolation_level=None, uri=True)) as database:
                database.text_factory = lambda data: data.decode(errors="replace")
                database.execute("PRAGMA trusted_schema = OFF")
                database.execute(
                    "PRAGMA synchronous = NORMAL"
                )  # fewer waits for the disk; a crash cannot corrupt the file
                version = _version(database)
                if version > VERSION:
                    raise Newer(f"the statistics were written by a newer devstral-ls (format {version})")
                yield database
        except UnicodeDecodeError as error:  # a name of the schema, which sqlite3 itself decodes
            raise _Damaged(f"the file is damaged ({error.reason})") from error
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                raise _Damaged(f"the file is damaged ({error})") from error
            raise OSError(str(error)) from error

    def _set_aside(self) -> None:
        """Rename the damaged file, unless another server just did. Raises OSError."""
        lock = try_lock(self.path.with_name(NAME + ".lock"))
        if lock is None:
            raise OSError("another server is repairing it")
        with lock:
            if self._is_sound():
                return
            self.path.replace(self._aside)
            self._journal.unlink(missing_ok=True)
        _log.warning(
            "%s was damaged; it was renamed to %s, and new statistics were started", self.path, self._aside.name
        )

    def _is_sound(self) -> bool:
        try:
            with self._open("ro") as database:
                checked: tuple[str] = database.execute("PRAGMA quick_check(1)").fetchone()
                if checked == ("ok",) and _version(database):
                    database.execute(_READ, (1,)).fetchall()
                return checked == ("ok",)
        except _Damaged:
            return False


def _version(database: sqlite3.Connection) -> int:
    """The file's format version; 0 for an empty file."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _trim(database: sqlite3.Connection) -> None:
    days = [day for (day,) in database.execute("SELECT DISTINCT day FROM counts ORDER BY day DESC")]
    while days and (len(days) > KEEP_DAYS or _n_rows(database) > MAX_ROWS):
        database.execute("DELETE FROM counts WHERE day = ?", (days.pop(),))


def _n_rows(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT count(*) FROM counts").fetchone()[0])


def _says(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
