"""What becomes of each suggestion: shown, read, accepted, typed, and whether it is kept. Texts stay in memory only.

Editors tell by command that a suggestion was taken whole, if they tell anything; the rest is seen in the document.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cachetools import LRUCache

from devstral_ls.statistics import counters as names
from devstral_ls.statistics.retention import MAX_REGION, Look, has_words, moved
from devstral_ls.text import Edit, Snapshot, Span, single_edit

READ_S = 0.75
"""Seconds on the screen after which a suggestion counts as read; what flashes by between two keys was not judged."""

KEPT_S = (30, 300)
"""Seconds after which an accepted suggestion is looked at again."""

MIN_AT_ONCE = 3
"""Characters other than white space that come in at once when a suggestion is taken in part: one key may bring two,
with the bracket that the editor closes."""

MAX_TEXT = 512 * 1024
"""Characters of a document that is followed, as in ``workspace.recent``: texts are compared at every key."""

MAX_REMEMBERED = 256
"""Suggestions whose fate may still be told."""

MAX_FOLLOWED = 64
"""Accepted suggestions followed at a time; of the oldest nothing is known then."""

Count = Callable[[str, str, str, int], None]
"""Language, model, name, how many."""


@dataclass(slots=True)
class _Shown:
    """A suggestion, and what of it stands in the document."""

    id: str
    uri: str
    language: str
    model: str
    offset: int
    text: str
    at: float
    n_in: int
    """Characters of it that stand there."""
    n_taken: int = 0
    """Of them were put in at once."""
    end: int = 0
    """Where the last edit of it ended."""
    read: bool = False
    told: bool = False
    """Does the client say that it was taken, or was it seen to be?"""
    typed: bool = False
    """Does it count as typed to its end?"""
    n_last: int = 0
    """Characters of it that came in last."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """Code that was accepted, and where it is."""

    uri: str
    language: str
    model: str
    text: str
    span: Span
    at: float
    n_looks: int = 0

    @property
    def due(self) -> float:
        """When it is to be looked at next."""
        return self.at + KEPT_S[self.n_looks]


class Following:
    """The suggestions of one server.

    Args:
        count: is told what is to be counted.
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
        """When ``looks`` has something to tell next, by the clock."""
        return min((taken.due for taken in self._taken), default=None)

    def shown(self, snapshot: Snapshot, offset: int, suggestion: tuple[str, str], language: str, model: str) -> None:
        """A suggestion, by id and text, is on the screen. While it is typed it is shown again and again."""
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
        shown.told = again is not None and again.told
        self._open[snapshot.uri] = shown
        if again is None:
            self._add(shown, names.SHOWN)
            self._add(shown, names.SHOWN_CHARS, len(text))

    def _grows(self, shown: _Shown, offset: int, suggestion: tuple[str, str]) -> bool:
        """Is it what is on the screen and more: a block whose first lines were shown while it was written? Counted once."""
        suggestion_id, text = suggestion
        rest = shown.text[shown.n_in :]
        if shown.told or offset != shown.offset + shown.n_in or text == rest or not text.startswith(rest):
            return False
        self._add(shown, names.SHOWN_CHARS, len(text) - len(rest))
        shown.id, shown.text = suggestion_id, shown.text[: shown.n_in] + text
        return True

    def accepted(self, suggestion_id: str) -> None:
        """The client says that it was taken whole; the edit has come, or comes next, or was long ago."""
        shown = self._find(suggestion_id)
        if shown is None or shown.told:
            return
        shown.told = True
        if shown.typed:  # a single character looks the same
            self._add(shown, names.TYPED, -1)
            shown.n_taken = shown.n_last
        self._accept(shown, shown.n_taken + len(shown.text) - shown.n_in)
        if shown.id not in self._ended and shown.end > shown.offset + shown.n_in:  # put in a little differently
            self._close(shown)
            self._follow(shown, Span(shown.offset, shown.end))

    def rejected(self, suggestion_id: str) -> None:
        """The client says that it was dismissed."""
        shown = self._find(suggestion_id)
        if shown is not None:
            self._add(shown, names.REJECTED)
            self._read(shown)
            self._close(shown)

    def changed(self, before: Snapshot, after: Snapshot) -> None:
        """A document has changed."""
        uri = after.uri
        shown = self._open.get(uri)
        if shown is None and not any(taken.uri == uri for taken in self._taken):
            return
        if len(after.text) > MAX_TEXT:
            self.closed(uri)
            return
        edit = single_edit(before.text, after.text)
        if shown is not None and not self._goes_on(shown, edit, after):
            self._end(shown)
            shown = None
        self._taken = [
            replace(taken, span=moved(taken.span, edit)) if taken.uri == uri else taken for taken in self._taken
        ]
        if shown is not None and (shown.n_in == len(shown.text) or shown.told):
            self._finish(shown)

    def nothing_shown(self, uri: str) -> None:
        """A request of the document was answered with nothing: what was on the screen is gone."""
        if uri in self._open:
            self._end(self._open[uri])

    def closed(self, uri: str) -> None:
        """A document was closed: what would have become of its accepted suggestions is not known."""
        self.nothing_shown(uri)
        self._taken = [taken for taken in self._taken if taken.uri != uri]

    def end(self) -> None:
        """Nothing more will be told."""
        for shown in list(self._open.values()):
            self._end(shown)
        self._taken.clear()

    def looks(self, snapshot: Callable[[str], Snapshot | None]) -> list[Look]:
        """The accepted suggestions that are due now, with what stands in their places."""
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
        """Is more of it there now, or was something changed elsewhere? Else the user went another way."""
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
        elif not shown.told:
            return n_in == shown.n_in and edit.span.start > shown.offset + n_in
        shown.end = max(shown.offset + n_in, edit.span.start + len(edit.text))
        return True

    def _finish(self, shown: _Shown) -> None:
        """All of it is there."""
        self._close(shown)
        if not shown.told and not shown.n_taken:
            shown.typed = True
            self._add(shown, names.TYPED)
            self._read(shown)
            return
        if not shown.told:
            shown.told = True
            self._accept(shown, shown.n_taken)
        self._follow(shown, Span(shown.offset, shown.end))

    def _end(self, shown: _Shown) -> None:
        """It is gone from the screen, not taken whole; what was taken of it is followed."""
        if shown.n_taken and not shown.told:
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
    """How many characters of ``text`` stand at ``offset``."""
    return single_edit(text, document[offset : offset + len(text)]).span.start
