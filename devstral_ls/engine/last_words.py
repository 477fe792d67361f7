"""What an engine that ended printed last: llama.cpp's small talk left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_SMALL_TALK = re.compile(r"^\d+\.[\d.]+ [DIW] |send_error|launch slot")
_LIFE = re.compile(r"^[-\d]+ [:\d]+ (ready|leaving): ")
"""The daemon's own lines of its life: no reason for an end."""


def worth_reading(lines: Sequence[str]) -> list[str]:
    """The lines of a log that say what the engine did or what went wrong."""
    return [line for line in lines if line.strip() and not _SMALL_TALK.search(line)]


def last_words(log: Path) -> str:
    """The last line of the log that is worth telling a person; empty where there is none."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace")[-10_000:].splitlines()
    except OSError:
        return ""
    return next((line.strip()[-200:] for line in reversed(worth_reading(lines)) if not _LIFE.match(line)), "")
