"""What the user did with suggestions: a dismissed one does not come back at the same place by itself."""

from __future__ import annotations

from cachetools import LRUCache

from devstral_ls.text import Snapshot

MAX_REMEMBERED = 256


class Feedback:
    """Suggestions shown lately, and the places where one was dismissed. Kept in memory only."""

    def __init__(self) -> None:
        self._shown: LRUCache[str, int] = LRUCache(MAX_REMEMBERED)
        self._rejected: LRUCache[int, bool] = LRUCache(MAX_REMEMBERED)

    def shown(self, suggestion_id: str, snapshot: Snapshot, offset: int) -> None:
        """Note where a suggestion was shown."""
        self._shown[suggestion_id] = _place(snapshot, offset)

    def accepted(self, suggestion_id: str) -> None:
        """Note that the user took it; the suggestion may be long past."""
        self._shown.pop(suggestion_id, None)

    def rejected(self, suggestion_id: str) -> None:
        """Note that the user dismissed it."""
        place = self._shown.pop(suggestion_id, None)
        if place is not None:
            self._rejected[place] = True

    def was_rejected(self, snapshot: Snapshot, offset: int) -> bool:
        """Was a suggestion dismissed at this very place."""
        return _place(snapshot, offset) in self._rejected


def _place(snapshot: Snapshot, offset: int) -> int:
    """A place by the code around it, so that it survives edits elsewhere."""
    return hash((snapshot.uri, snapshot.text[max(0, offset - 400) : offset], snapshot.text[offset : offset + 200]))
