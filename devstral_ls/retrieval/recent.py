"""Where the user was last in a document: the region that was edited, or else looked at."""

from __future__ import annotations

from dataclasses import dataclass

from devstral_ls.text import Snapshot, Span

MAX_REGIONS = 6
"""Documents whose regions are shown, the latest."""

BLOCK = 8
"""A region begins at a multiple of so many lines, so that small moves leave it as it is; it has two of them."""

MAX_CHARACTERS = 800

MAX_TEXT = 512 * 1024
"""Characters of a document of which regions are shown."""


@dataclass(frozen=True, slots=True)
class RecentPlace:
    """The latest place of the user in one document."""

    snapshot: Snapshot
    offset: int
    edited: bool
    """True when something was edited there; else it was only looked at."""
    order: int
    """Places of all documents in the order they were taken: the greatest is the latest."""

    @property
    def region(self) -> Span:
        """The lines around the place, at most ``MAX_CHARACTERS``."""
        snapshot = self.snapshot
        first = max(0, snapshot.line_at(self.offset) - BLOCK // 2) // BLOCK * BLOCK
        last = min(first + 2 * BLOCK, snapshot.n_lines)
        end = snapshot.line_starts[last] if last < snapshot.n_lines else len(snapshot.text)
        start = snapshot.line_starts[first]
        return Span(start, min(end, start + MAX_CHARACTERS))
