"""What becomes of each suggestion: shown, read, accepted, typed, retained. Texts stay in memory only.

At most an editor reports that a whole suggestion was accepted; everything else is seen from the edits of the document.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cachetools import LRUCache

from devstral_ls.statistics import counters as names
from devstral_ls.statistics.retention import MAX_REGION, Look, has_words
from devstral_ls.text import DocumentChange, Edit, Snapshot, Span, moved, single_edit

READ_S = 0.75
"""Seconds on the screen after which a suggestion counts as read; one that flashes by between two keys does not."""

KEPT_S = (30, 300)
"""Seconds after which an accepted suggestion is looked at again."""

MIN_AT_ONCE = 3
"""Characters other than white space inserted by one edit that make it an acceptance in part: one key may insert two,
with the bracket that the editor closes."""

MAX_TEXT = 512 * 1024
"""Characters; suggestions in a longer document are not tracked."""

MAX_REMEMBERED = 256
"""Ended suggestions that the editor may still report on."""

MAX_FOLLOWED = 64
"""Accepted suggestions tracked at a time; when there are more, the oldest is dropped."""

Count = Callable[[str, str, str, int], None]
"""Language, model, name, how many."""


@dataclass(slots=True)
class _Shown:
    """A suggestion on the screen, and how much of its text is in the document."""

    id: str
    uri: str
    language: str
    model: str
    offset: int
    text: str
    at: float
    n_in: int
    """Characters of it that are in the document."""
    n_taken: int = 0
    """Of those, the ones inserted by acceptance and not typed."""
    end: int = 0
    """Offset at which its last edit ended."""
    read: bool = False
    is_counted: bool = False
    """True when the client reported its acceptance, or the edits showed it."""
    typed: bool = False
    """True when it was counted as typed to its end."""
    n_last: int = 0
    """Characters of it that the last edit inserted."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """Accepted code, and its place in the document."""

    uri: str
    language: str
    model: str
    text: str
    span: Span
    at: float
    n_looks: int = 0

    @property
    def due(self) -> float:
        """Time of its next retention check, by the clock."""
        return self.at + KEPT_S[self.n_looks]


class AcceptanceTracker:
    """Tracks the suggestions of one server.

    Args:
        count: called for each count.
        clock: seconds.
    """

    def __init__(self, count: Count, clock: Callable[[], float]) -> None:
        self._count = count
        self._clock = clock
        self._open: dict[str, _Shown] = {}
        self._ended: LRUCache[str, _Shown] = LRUCache(MAX_REMEMBERED)
        self._taken: list[_Taken] = []

    @property
    def due(self) -> float | None:
        """Time of the next retention check, by the clock; None while nothing is tracked."""
        return min((taken.due for taken in self._taken), default=None)

    def shown(self, snapshot: Snapshot, offset: int, suggestion: tuple[str, str], language: str, model: str) -> None:
        """Record that a suggestion, an id and a text, is on the screen. It is shown again at every key that types it."""
        suggestion_id, text = suggestion
        now = self._open.get(snapshot.uri)
        if now is not None and (now.id == suggestion_id or self._grows(now, offset, suggestion)):
            return
        if now is not None:
            self._end(now)
        again = self._ended.pop(suggestion_id, None)
        n_in = _n_common(text, snapshot.text, offset)
        shown = _Shown(suggestion_id, snapshot.uri, language, model, offset, text, self._clock(), n_in, end=offset)
        shown.read = again is not None and again.read
        shown.is_counted = again is not None and again.is_counted
        self._open[snapshot.uri] = shown
        if again is None:
            self._add(shown, names.SHOWN)
            self._add(shown, names.SHOWN_CHARS, len(text))

    def _grows(self, shown: _Shown, offset: int, suggestion: tuple[str, str]) -> bool:
        """True when it continues the one on the screen: a block whose first lines were shown first. Counted once."""
        suggestion_id, text = suggestion
        rest = shown.text[shown.n_in :]
        if shown.is_counted or offset != shown.offset + shown.n_in or text == rest or not text.startswith(rest):
            return False
        self._add(shown, names.SHOWN_CHARS, len(text) - len(rest))
        shown.id, shown.text = suggestion_id, shown.text[: shown.n_in] + text
        return True

    def accepted(self, suggestion_id: str) -> None:
        """Record that the client reported a full acceptance; the edit may come before or after the report."""
        shown = self._find(suggestion_id)
        if shown is None or shown.is_counted:
            return
        shown.is_counted = True
        if shown.typed:  # typing and accepting a single character look the same
            self._add(shown, names.TYPED, -1)
            shown.n_taken = shown.n_last
        self._accept(shown, shown.n_taken + len(shown.text) - shown.n_in)
        if (
            shown.id not in self._ended and shown.end > shown.offset + shown.n_in
        ):  # the editor changed the text a little
            self._close(shown)
            self._follow(shown, Span(shown.offset, shown.end))

    def rejected(self, suggestion_id: str) -> None:
        """Record that the client reported a dismissal."""
        shown = self._find(suggestion_id)
        if shown is not None:
            self._add(shown, names.REJECTED)
            self._read(shown)
            self._close(shown)

    def changed(self, change: DocumentChange) -> None:
        """Follow an edit of a document."""
        after, uri = change.after, change.after.uri
        shown = self._open.get(uri)
        if shown is None and not any(taken.uri == uri for taken in self._taken):
            return
        if len(after.text) > MAX_TEXT:
            self.closed(uri)
            return
        edit = change.edit
        if shown is not None and not self._goes_on(shown, edit, after):
            self._end(shown)
            shown = None
        self._taken = [
            replace(taken, span=moved(taken.span, edit)) if taken.uri == uri else taken for taken in self._taken
        ]
        if shown is not None and (shown.n_in == len(shown.text) or shown.is_counted):
            self._finish(shown)

    def nothing_shown(self, uri: str) -> None:
        """Record an empty answer for the document: its suggestion is no longer on the screen."""
        if uri in self._open:
            self._end(self._open[uri])

    def closed(self, uri: str) -> None:
        """Forget a closed document; its accepted suggestions are not checked any more."""
        self.nothing_shown(uri)
        self._taken = [taken for taken in self._taken if taken.uri != uri]

    def end(self) -> None:
        """Stop tracking: count what is on the screen, and forget everything."""
        for shown in list(self._open.values()):
            self._end(shown)
        self._taken.clear()

    def looks(self, snapshot: Callable[[str], Snapshot | None]) -> list[Look]:
        """The accepted suggestions due for a retention check now, each with the text that is in its place."""
        now = self._clock()
        found, left = [], []
        for taken in self._taken:
            document = snapshot(taken.uri)
            if taken.due > now:
                left.append(taken)
            elif document is not None:
                if len(taken.span) <= MAX_REGION:
                    seconds = KEPT_S[taken.n_looks]
                    found.append(Look(taken.language, taken.model, seconds, taken.text, document.of(taken.span)))
                if taken.n_looks + 1 < len(KEPT_S):
                    left.append(replace(taken, n_looks=taken.n_looks + 1))
        self._taken = left
        return found

    def _goes_on(self, shown: _Shown, edit: Edit, after: Snapshot) -> bool:
        """True while the suggestion can still be on the screen: more of it was inserted, or the edit was elsewhere."""
        if edit.span.start < shown.offset:
            delta = len(edit.text) - len(edit.span)
            shown.offset, shown.end = shown.offset + delta, shown.end + delta
            return edit.span.end < shown.offset - delta
        n_in = _n_common(shown.text, after.text, shown.offset)
        grown = shown.text[shown.n_in : n_in]
        if n_in > shown.n_in:
            n_solid = len("".join(grown.split()))
            if n_solid >= MIN_AT_ONCE or (shown.n_in == 0 and n_in == len(shown.text) and n_solid > 1):
                shown.n_taken += len(grown)
            shown.n_in, shown.n_last = n_in, len(grown)
        elif not shown.is_counted:
            return n_in == shown.n_in and edit.span.start > shown.offset + n_in
        shown.end = max(shown.offset + n_in, edit.span.start + len(edit.text))
        return True

    def _finish(self, shown: _Shown) -> None:
        """Count a suggestion whose whole text is in the document."""
        self._close(shown)
        if not shown.is_counted and not shown.n_taken:
            shown.typed = True
            self._add(shown, names.TYPED)
            self._read(shown)
            return
        if not shown.is_counted:
            shown.is_counted = True
            self._accept(shown, shown.n_taken)
        self._follow(shown, Span(shown.offset, shown.end))

    def _end(self, shown: _Shown) -> None:
        """Count a suggestion that left the screen before its whole text was inserted; an accepted part is tracked."""
        if shown.n_taken and not shown.is_counted:
            self._add(shown, names.PARTLY)
            self._add(shown, names.ACCEPTED_CHARS, shown.n_taken)
            self._read(shown)
            part = replace(shown, text=shown.text[: shown.n_in])
            self._follow(part, Span(shown.offset, shown.offset + shown.n_in))
        elif self._clock() - shown.at >= READ_S:
            self._read(shown)
        self._close(shown)

    def _accept(self, shown: _Shown, n_chars: int) -> None:
        self._add(shown, names.ACCEPTED)
        self._add(shown, names.ACCEPTED_CHARS, n_chars)
        self._read(shown)

    def _read(self, shown: _Shown) -> None:
        if not shown.read:
            self._add(shown, names.READ)
        shown.read = True

    def _close(self, shown: _Shown) -> None:
        if self._open.get(shown.uri) is shown:
            del self._open[shown.uri]
        self._ended[shown.id] = shown

    def _follow(self, shown: _Shown, span: Span) -> None:
        if has_words(shown.text):
            taken = _Taken(shown.uri, shown.language, shown.model, shown.text, span, self._clock())
            self._taken = [*self._taken[1 - MAX_FOLLOWED :], taken]

    def _find(self, suggestion_id: str) -> _Shown | None:
        shown = next((shown for shown in self._open.values() if shown.id == suggestion_id), None)
        return shown or self._ended.get(suggestion_id)

    def _add(self, shown: _Shown, name: str, n: int = 1) -> None:
        self._count(shown.language, shown.model, name, n)


def _n_common(text: str, document: str, offset: int) -> int:
    """Length of the beginning of ``text`` that is in the document at ``offset``."""
    return single_edit(text, document[offset : offset + len(text)]).span.start
