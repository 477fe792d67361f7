"""Recent answers of a document, found again at the same place and while their text is being typed.

An entry is known by what stands around its cursor, not by line numbers, so undo and edits far away keep it. The
key holds what the answer depends on: the text around the cursor, the model and the settings. It holds neither time nor
version.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from devstral_ls.languages.lexing import QUOTES, scan_brackets
from devstral_ls.languages.table import language_of
from devstral_ls.suggest.trace import Reason
from devstral_ls.text import Snapshot

MAX_ENTRIES = 256
"""Of one document. As many as the peers keep in all (llama.vim 250, Cody 250)."""

MAX_TYPED_THROUGH = 512
"""Characters of a suggestion that may have been typed and still count as the same suggestion."""

N_HEAD = 8_000
"""Characters before the cursor that an answer depends on; prompts are smaller than this on a CPU."""

N_TAIL = 2_000
"""Characters after the cursor that an answer depends on."""

MAX_AUTO_CLOSED = 3
"""Closers an editor may have put behind the cursor while the user typed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished suggestion, as it was for its own cursor; ``text`` is empty where there was nothing to show."""

    id: str
    text: str
    n_replaced: int
    nothing: Reason = Reason.EMPTY
    """Why there was nothing to show."""
    follows_accepted: bool = False
    """True when it was written for a cursor behind an accepted line, so that it may begin with a line end."""
    confidence: float | None = None
    """How sure the model was of the first line, 0 to 1, where the engine tells."""
    is_cut_unsure: bool = False
    """True when it was cut because the model was not sure: a manual request gets more."""

    @property
    def is_all(self) -> bool:
        """True when a manual request would get no more."""
        return bool(self.text) and not self.is_cut_unsure


@dataclass(frozen=True, slots=True)
class Recalled:
    """An answer, as it is for the cursor of a request."""

    answer: Answer
    typed: int
    """Characters of the answer that have been typed since; 0: the very same place."""


class CacheKey(NamedTuple):
    """What an answer depends on."""

    fingerprint: str
    """Of the model and the settings; see ``request.cache_fingerprint``."""
    head: int
    """The text before the cursor, hashed ..."""
    tail: int
    """... and the text from it on."""


@dataclass(frozen=True, slots=True)
class _CacheEntry:
    offset: int
    answer: Answer


class SuggestionCache:
    """Answers of one document; the least recently used go first."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._max_entries = max_entries
        # Looked through at every key, which in an LRUCache counts as use, and takes its time.
        self._entries: OrderedDict[CacheKey, _CacheEntry] = OrderedDict()

    def put(self, key: CacheKey, offset: int, answer: Answer) -> None:
        """Remember ``answer`` for the place."""
        self._entries[key] = _CacheEntry(offset, answer)
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def find(self, snapshot: Snapshot, offset: int, key: CacheKey) -> Recalled | None:
        """The answer for this very place, or one whose beginning has just been typed here."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            return Recalled(entry.answer, 0)
        return self._typed_through(snapshot, offset, key)

    def _typed_through(self, snapshot: Snapshot, offset: int, key: CacheKey) -> Recalled | None:
        tails: dict[int, int] = {0: key.tail}
        for known, entry in self._begun(snapshot, offset, key.fingerprint):
            typed = snapshot.text[entry.offset : offset]
            answer = entry.answer
            if known.head != head_of(snapshot.text, entry.offset):
                continue
            for n_closed in _auto_closed(snapshot, offset, answer.text[len(typed) :]):
                if n_closed not in tails:
                    tails[n_closed] = tail_of(snapshot.text, offset + n_closed)
                if tails[n_closed] == known.tail:
                    self._entries.move_to_end(known)
                    rest = answer.text[len(typed) :]
                    return Recalled(replace(answer, text=rest, n_replaced=answer.n_replaced + n_closed), len(typed))
        return None

    def _begun(self, snapshot: Snapshot, offset: int, fingerprint: str) -> list[tuple[CacheKey, _CacheEntry]]:
        """Entries whose answer begins with what stands between their cursor and ``offset``, the nearest first."""
        text = snapshot.text
        begun = [
            (known, entry)
            for known, entry in self._entries.items()
            if 0 < offset - entry.offset <= MAX_TYPED_THROUGH
            and offset - entry.offset < len(entry.answer.text)
            and entry.answer.text[0] == text[entry.offset]  # of most not even this
            and entry.answer.text.startswith(text[entry.offset : offset])
            and known.fingerprint == fingerprint
        ]
        return sorted(begun, key=lambda one: -one[1].offset)


def cache_key(snapshot: Snapshot, offset: int, fingerprint: str) -> CacheKey:
    """The key of the place ``offset``."""
    return CacheKey(fingerprint, head_of(snapshot.text, offset), tail_of(snapshot.text, offset))


def _auto_closed(snapshot: Snapshot, offset: int, rest: str) -> Iterator[int]:
    """How many characters behind the cursor the editor may have closed by itself: none, or what ``rest`` closes."""
    yield 0
    behind = snapshot.text[offset : offset + MAX_AUTO_CLOSED]
    quote = behind[0] if behind[:1] and behind[0] in QUOTES else ""
    closed = [c for _, c in scan_brackets(rest, language_of(snapshot.language, snapshot.uri), quote).closing]
    for n in range(1, min(len(behind), len(closed)) + 1):
        if behind[n - 1] != closed[n - 1]:
            return
        yield n


def head_of(text: str, offset: int) -> int:
    """A hash of what an answer depends on of the text before ``offset``."""
    return hash(text[max(0, offset - N_HEAD) : offset])


def tail_of(text: str, offset: int) -> int:
    """A hash of what an answer depends on of the text from ``offset`` on."""
    return hash(text[offset : offset + N_TAIL])
