"""The server's log: its file or stderr, its level; pygls' own log is kept out of it."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from pathlib import Path

from devstral_ls.settings.tree import LogSettings, Problem

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure_logging(settings: LogSettings) -> Problem | None:
    """Log as ``settings`` say; returns the problem with them, if any.

    Only errors of pygls are logged: below that it may log parts of messages, which may be document text.
    """
    problem: Problem | None = None
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if settings.file is not None:
        try:
            handler = _private(Path(settings.file).expanduser())
        except OSError as error:
            problem = Problem("log.file", f"{error.strerror or error}; logging to stderr")
        except RuntimeError:  # of `expanduser`
            problem = Problem("log.file", "there is no such home folder; logging to stderr")
        except ValueError:  # a NUL, a lone surrogate
            problem = Problem("log.file", "no file can be called so; logging to stderr")
    handler.setFormatter(logging.Formatter(_FORMAT))
    for name, level in (("devstral_ls", settings.level.upper()), ("pygls", "ERROR")):
        logger = logging.getLogger(name)
        for old in list(logger.handlers):
            logger.removeHandler(old)
            old.close()
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
    return problem


class _TolerantFileHandler(logging.FileHandler):
    """A log that cannot be written, as on a full disk, loses its lines and has no other effect."""

    _failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """Report the failure once, without the record."""
        if not self._failed:
            self._failed = True
            sys.stderr.write(f"devstral-ls: the log cannot be written: {sys.exc_info()[1]}\n")

    def close(self) -> None:
        """Close the file; what could not be written is lost."""
        with contextlib.suppress(OSError):
            super().close()


def _private(path: Path) -> logging.FileHandler:
    """A handler that appends to ``path``, which only the user can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    return _TolerantFileHandler(path, encoding="utf-8", errors="backslashreplace")
