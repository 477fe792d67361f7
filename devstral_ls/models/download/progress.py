"""What is told while a model is fetched or imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """What is being done."""

    WAITING = "waiting"
    """Another process is fetching the same model."""
    DOWNLOADING = "downloading"
    CHECKING = "checking"
    """The bytes are put together and their sum is compared."""
    COPYING = "copying"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is. Bytes never go back within a phase and a source."""

    model: str
    phase: Phase
    done: int
    """In bytes."""
    total: int
    """In bytes; an estimate where the catalog has only one."""
    source: str = ""
    """Where the bytes come from, for people."""
    note: str = ""
    """Something to show once, such as why the source before this one was left."""


Report = Callable[[Progress], None]
"""Called some times a second. What it raises ends the work, which cleans up after itself: that is how to cancel."""


def silent(_progress: Progress) -> None:
    """A ``Report`` for those who do not want to know."""
