"""What the user did with suggestions: a dismissed one does not come back by itself, and some are liked more than others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import LRUCache

from devstral_ls.suggest.trace import InlineQuery, Suggestion
from devstral_ls.text import Snapshot

MAX_REMEMBERED = 256

N_HISTORY = 16
"""Suggestions of a language that were taken or dismissed, and count."""

MIN_HISTORY = 4
"""Fewer say nothing about the next one."""

MAX_STRICTNESS = 2.0


@dataclass(frozen=True, slots=True)
class _Shown:
    """A suggestion, and where it was shown."""

    place: int
    before: int
    """The text before it, as a hash."""
    language: str
    offset: int
    text: str


class Feedback:
    """Suggestions shown lately, and what became of them. Kept in memory only; what was counted for weeks is asked for."""

    def __init__(self) -> None:
        self._shown: LRUCache[str, _Shown] = LRUCache(MAX_REMEMBERED)
        self._rejected: LRUCache[int, bool] = LRUCache(MAX_REMEMBERED)
        self._last: LRUCache[str, _Shown] = LRUCache(MAX_REMEMBERED)
        self._taken: LRUCache[str, deque[bool]] = LRUCache(MAX_REMEMBERED)
        self.over_weeks: Callable[[Snapshot], float] = lambda snapshot: 1.0
        """Strictness, 1 to 2, by what was taken in documents of this language on other days; see ``statistics``."""

    def shown(self, snapshot: Snapshot, offset: int, suggestion: Suggestion) -> None:
        """Note what was shown where."""
        place, before = _place(snapshot, offset), _before(snapshot, offset)
        shown = _Shown(place, before, snapshot.language, offset, suggestion.text)
        self._shown[suggestion.id] = shown
        self._last[snapshot.uri] = shown

    def nothing_shown(self, uri: str) -> None:
        """Note that the document's last request was answered with nothing."""
        self._last.pop(uri, None)

    def accepted(self, suggestion_id: str) -> None:
        """Note that the user took it; the suggestion may be long past."""
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
        """Was a suggestion dismissed at this very place."""
        return _place(snapshot, offset) in self._rejected

    def just_taken(self, query: InlineQuery) -> bool:
        """Was the suggestion shown last put in at once, and is the cursor at its end? Seen in the text: editors that
        report nothing are served as well.
        """
        shown = self._last.get(query.snapshot.uri)
        if shown is None or len(shown.text) < 2 or query.offset != shown.offset + len(shown.text):
            return False
        if not query.snapshot.text.startswith(shown.text, shown.offset):
            return False
        return _before(query.snapshot, shown.offset) == shown.before

    def strictness(self, snapshot: Snapshot) -> tuple[float, float]:
        """By what the confidence asked for is to be multiplied, from 0.5 where all was taken to 2 where nothing was: for
        what was done lately alone, and with what was done over weeks.

        Not every editor tells what was dismissed, so where hardly anything was taken over weeks, a few suggestions that
        were taken lately ask for no less.
        """
        lately, weeks = self.lately(snapshot.language), self.over_weeks(snapshot)
        return lately, lately if weeks <= 1 else min(max(lately, 1.0) * weeks, MAX_STRICTNESS)

    def lately(self, language: str) -> float:
        """The strictness by the suggestions that were taken or dismissed in this session."""
        taken = self._taken.get(language)
        if taken is None or len(taken) < MIN_HISTORY:
            return 1.0
        return float(2 ** (1 - 2 * sum(taken) / len(taken)))

    def forget(self, uri: str) -> None:
        """Drop what is known of a closed document."""
        self._last.pop(uri, None)

    def _history(self, language: str) -> deque[bool]:
        if language not in self._taken:
            self._taken[language] = deque(maxlen=N_HISTORY)
        return self._taken[language]


def _before(snapshot: Snapshot, offset: int) -> int:
    return hash(snapshot.text[max(0, offset - 400) : offset])


def _place(snapshot: Snapshot, offset: int) -> int:
    """A place by the code around it, so that it survives edits elsewhere."""
    return hash((snapshot.uri, snapshot.text[max(0, offset - 400) : offset], snapshot.text[offset : offset + 200]))
