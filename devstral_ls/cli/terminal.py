"""The status line of a command: one line on stderr that is overwritten while the command runs, in terminals only."""

from __future__ import annotations

import sys


def show_status(text: str) -> None:
    """Replace the status line by ``text``; does nothing where stderr is not a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def clear_status() -> None:
    """Remove the status line, so that other output starts on an empty one."""
    show_status("")
