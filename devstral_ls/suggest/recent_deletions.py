"""What was deleted last in a document: a suggestion does not put it right back."""

from __future__ import annotations

from devstral_ls.text import DocumentChange

MAX_REMOVED = 2_000
"""Characters; a longer deletion is a rewrite, and says nothing about what is wanted there."""


class RecentDeletions:
    """The last deletion of one document. Several keys in a row that delete count as one."""

    def __init__(self) -> None:
        self._offset = -1
        self._removed = ""

    def changed(self, change: DocumentChange) -> None:
        """Take note of a change."""
        edit = change.edit
        if edit.text or len(edit.span) > MAX_REMOVED:
            self._removed = ""
        elif edit.span:
            before = self._removed if edit.span.end == self._offset else ""
            self._removed = (change.before.of(edit.span) + before)[:MAX_REMOVED]
        else:  # nothing is changed
            return
        self._offset = edit.span.start

    def removed_at(self, offset: int) -> str:
        """What was removed at the cursor, ``offset``, since something was last typed; empty where it was elsewhere.

        A cursor elsewhere ends it.
        """
        if offset != self._offset:
            self._offset, self._removed = offset, ""
        return self._removed
