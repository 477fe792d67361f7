"""Recently edited and viewed regions of documents: where the user was."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from devstral_ls.text import Snapshot, single_edit

MAX_REGIONS = 6
"""Documents remembered, the latest."""

BLOCK = 8
"""A region begins at a multiple of so many lines, so that small moves leave it as it is; it has two of them."""

MAX_CHARACTERS = 800

MAX_TEXT = 512 * 1024
"""Characters of a document of which regions are told."""


@dataclass(frozen=True, slots=True)
class Region:
    """A piece of a document."""

    uri: str
    text: str
    edited: bool
    """Else only looked at."""


class Recent:
    """The places, one for each document; its last edit counts more than where somebody looked after it."""

    def __init__(self) -> None:
        self._places: OrderedDict[str, tuple[Snapshot, int, bool]] = OrderedDict()

    def edited(self, before: Snapshot, after: Snapshot) -> None:
        """A document has changed."""
        if len(after.text) <= MAX_TEXT:
            self._put(after, single_edit(before.text, after.text).span.start, edited=True)

    def viewed(self, snapshot: Snapshot, offset: int) -> None:
        """Somebody looks at ``offset``."""
        known = self._places.get(snapshot.uri)
        if len(snapshot.text) <= MAX_TEXT and not (known and known[2]):
            self._put(snapshot, offset, edited=False)

    def forget(self, uri: str) -> None:
        """The document was closed."""
        self._places.pop(uri, None)

    def elsewhere(self, uri: str) -> Iterator[Region]:
        """The regions of other documents, the latest first."""
        for snapshot, offset, edited in reversed(self._places.values()):
            if snapshot.uri != uri:
                yield Region(snapshot.uri, _region(snapshot, min(offset, len(snapshot.text))), edited)

    def _put(self, snapshot: Snapshot, offset: int, *, edited: bool) -> None:
        self._places[snapshot.uri] = snapshot, offset, edited
        self._places.move_to_end(snapshot.uri)
        if len(self._places) > MAX_REGIONS:
            self._places.popitem(last=False)


def _region(snapshot: Snapshot, offset: int) -> str:
    first = max(0, snapshot.line_at(offset) - BLOCK // 2) // BLOCK * BLOCK
    last = min(first + 2 * BLOCK, snapshot.n_lines)
    end = snapshot.line_starts[last] if last < snapshot.n_lines else len(snapshot.text)
    return snapshot.text[snapshot.line_starts[first] : end][:MAX_CHARACTERS].strip("\r\n")
