"""What an engine that ended printed last: llama.cpp's small talk left out."""

from __future__ import annotations

import re
from pathlib import Path

_SMALL_TALK = re.compile(r"^\d+\.[\d.]+ [DIW] |send_error|launch slot|ready: EngineState")


def last_words(log: Path) -> str:
    """The last line of the log that is worth telling a person; empty where there is none."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace")[-10_000:].splitlines()
    except OSError:
        return ""
    messages = (line.strip() for line in reversed(lines) if not _SMALL_TALK.search(line))
    return next((line[-200:] for line in messages if line), "")
