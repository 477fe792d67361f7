"""What was taken out of a document last, as far as requests show it: nobody wants it suggested right back."""

from __future__ import annotations

from cachetools import LRUCache

from devstral_ls.text import Snapshot, single_edit

MAX_DOCUMENTS = 64

MAX_REMOVED = 2_000
"""Characters; who removes more rewrites."""


class RecentDeletions:
    """The last edit of each document, between the requests that were made for it."""

    def __init__(self) -> None:
        self._last: LRUCache[str, tuple[Snapshot, int, str]] = LRUCache(MAX_DOCUMENTS)

    def removed(self, snapshot: Snapshot, offset: int) -> str:
        """What was removed at ``offset`` since something was last typed there; empty where the last edit was another.

        Several deletions in a row count as one. Asked once for each request, in their order.
        """
        before, at, removed = self._last.get(snapshot.uri, (snapshot, offset, ""))
        if before is not snapshot and before.text != snapshot.text:
            edit = single_edit(before.text, snapshot.text)
            if edit.text or edit.span.start != offset or len(edit.span) > MAX_REMOVED:
                removed = ""
            else:
                goes_on = edit.span.end == at
                removed = (before.of(edit.span) + (removed if goes_on else ""))[:MAX_REMOVED]
        elif at != offset:
            removed = ""
        self._last[snapshot.uri] = (snapshot, offset, removed)
        return removed

    def forget(self, uri: str) -> None:
        """Drop what is known of a closed document."""
        self._last.pop(uri, None)
