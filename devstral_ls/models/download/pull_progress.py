"""The progress of fetching or importing a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """The step under way."""

    WAITING = "waiting"
    """Another process is fetching the same model."""
    DOWNLOADING = "downloading"
    CHECKING = "checking"
    """The parts are joined and the checksum is compared."""
    COPYING = "copying"


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How much is done. Within a phase and a source the number of bytes never decreases."""

    model: str
    phase: Phase
    done: int
    """In bytes."""
    total: int
    """In bytes; an estimate where the catalog has only one."""
    source: str = ""
    """Where the bytes come from, as shown to the user."""
    note: str = ""
    """A message to show once, such as why the previous source failed."""


OnProgress = Callable[[PullProgress], None]
"""Called several times a second. To cancel, raise: the work ends and cleans up."""


def ignore_progress(_progress: PullProgress) -> None:
    """An ``OnProgress`` that does nothing."""
