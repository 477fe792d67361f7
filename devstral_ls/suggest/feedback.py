"""What the user did with suggestions: a dismissed one does not come back by itself, and what is accepted moves how sure the
model must be.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from cachetools import LRUCache

from devstral_ls.suggest.trace import InlineQuery, Suggestion
from devstral_ls.text import Snapshot

MAX_REMEMBERED = 256

N_HISTORY = 16
"""Suggestions of a language that were accepted or dismissed, and count."""

MIN_HISTORY = 4
"""Fewer say nothing about the next one."""

N_BEFORE, N_AFTER = 400, 200
"""Characters before and behind a cursor by which its place is known again."""


@dataclass(frozen=True, slots=True)
class ShownSuggestion:
    """A suggestion, and where it was shown."""

    place: int
    before: int
    """The text before it, as a hash."""
    language: str
    offset: int
    text: str

    def is_just_accepted(self, query: InlineQuery) -> bool:
        """True when it was put in at once and the cursor is at its end. Seen in the text, as not every editor reports it."""
        if len(self.text) < 2 or query.offset != self.offset + len(self.text):
            return False
        if not query.snapshot.text.startswith(self.text, self.offset):
            return False
        return _before(query.snapshot, self.offset) == self.before


class Feedback:
    """Suggestions shown lately in all documents, and what became of them. Kept in memory only.

    An editor reports by the suggestion's id alone, and what was dismissed stays so when a document is closed and opened
    again: so this is not part of a document's session.
    """

    def __init__(self) -> None:
        self._shown: LRUCache[str, ShownSuggestion] = LRUCache(MAX_REMEMBERED)
        self._rejected: LRUCache[int, bool] = LRUCache(MAX_REMEMBERED)
        self._accepted_by_language: LRUCache[str, deque[bool]] = LRUCache(MAX_REMEMBERED)

    def shown(self, snapshot: Snapshot, offset: int, suggestion: Suggestion) -> ShownSuggestion:
        """Note what is shown where."""
        place, before = _place(snapshot, offset), _before(snapshot, offset)
        shown = ShownSuggestion(place, before, snapshot.language, offset, suggestion.text)
        self._shown[suggestion.id] = shown
        return shown

    def accepted(self, suggestion_id: str) -> None:
        """Note that the user accepted it; an id that is long past is ignored."""
        shown = self._shown.pop(suggestion_id, None)
        if shown is not None:
            self._history(shown.language).append(True)

    def rejected(self, suggestion_id: str) -> None:
        """Note that the user dismissed it."""
        shown = self._shown.pop(suggestion_id, None)
        if shown is not None:
            self._rejected[shown.place] = True
            self._history(shown.language).append(False)

    def was_rejected(self, snapshot: Snapshot, offset: int) -> bool:
        """True when a suggestion was dismissed at this very place."""
        return bool(self._rejected) and _place(snapshot, offset) in self._rejected

    def strictness(self, language: str) -> float:
        """What the required confidence is multiplied by: from 0.5 where all was accepted lately to 2 where nothing was."""
        accepted = self._accepted_by_language.get(language)
        if accepted is None or len(accepted) < MIN_HISTORY:
            return 1.0
        return float(2 ** (1 - 2 * sum(accepted) / len(accepted)))

    def _history(self, language: str) -> deque[bool]:
        if language not in self._accepted_by_language:
            self._accepted_by_language[language] = deque(maxlen=N_HISTORY)
        return self._accepted_by_language[language]


def _before(snapshot: Snapshot, offset: int) -> int:
    return hash(snapshot.text[max(0, offset - N_BEFORE) : offset])


def _place(snapshot: Snapshot, offset: int) -> int:
    """A place by the code around it, so that it survives edits elsewhere."""
    before, after = snapshot.text[max(0, offset - N_BEFORE) : offset], snapshot.text[offset : offset + N_AFTER]
    return hash((snapshot.uri, before, after))
