"""Recent answers, found again at the same place and while their text is being typed.

An entry is known by what stands around its cursor, not by line numbers, so undo and edits far away keep it. The
key holds what the answer depends on: the document, the text around the cursor, the model, and whether several lines
were asked for. It holds neither time nor version.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from devstral_ls.languages.lexing import QUOTES, scan_brackets
from devstral_ls.languages.table import language_of
from devstral_ls.suggest.trace import Reason
from devstral_ls.text import Snapshot

MAX_ENTRIES = 256
"""As many as the peers keep (llama.vim 250, Cody 250)."""

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
    goes_on: bool = False
    """Was it written for somebody who takes the line before it, so that it may begin with a line end?"""
    confidence: float | None = None
    """How sure the model was of the first line, 0 to 1, where it was asked."""
    more_by_key: bool = False
    """Was it cut because the model was not sure, so that there is more for somebody who asks by key?"""

    @property
    def is_all(self) -> bool:
        """Is it all that somebody gets who asks by key?"""
        return bool(self.text) and not self.more_by_key


@dataclass(frozen=True, slots=True)
class Found:
    """An answer from the cache, for the cursor asked about."""

    answer: Answer
    typed: int
    """Characters of the answer that have been typed since; 0: the very same place."""


@dataclass(frozen=True, slots=True)
class _Entry:
    offset: int
    head: int
    tail: int
    mode: str
    answer: Answer


class SuggestionCache:
    """Answers of all open documents; the least recently used go first."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._max_entries = max_entries
        # Looked through at every key, which in an LRUCache counts as use, and takes its time.
        self._entries: OrderedDict[tuple[str, str, int, int], _Entry] = OrderedDict()

    def put(self, snapshot: Snapshot, offset: int, mode: str, answer: Answer) -> None:
        """Remember ``answer`` for the place; ``mode`` names what else it depends on (model, one line or many)."""
        head, tail = head_of(snapshot.text, offset), tail_of(snapshot.text, offset)
        key = (snapshot.uri, mode, head, tail)
        self._entries[key] = _Entry(offset, head, tail, mode, answer)
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def find(self, snapshot: Snapshot, offset: int, mode: str) -> Found | None:
        """The answer for this very place, or one whose beginning has just been typed here."""
        key = (snapshot.uri, mode, head_of(snapshot.text, offset), tail_of(snapshot.text, offset))
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            return Found(entry.answer, 0)
        return self._typed_through(snapshot, offset, mode)

    def forget(self, uri: str) -> None:
        """Drop what is known of a closed document."""
        for key in [key for key in self._entries if key[0] == uri]:
            del self._entries[key]

    def clear(self) -> None:
        """Drop everything."""
        self._entries.clear()

    def _typed_through(self, snapshot: Snapshot, offset: int, mode: str) -> Found | None:
        tails: dict[int, int] = {}
        for entry in self._nearby(snapshot.uri, offset, mode):
            typed = snapshot.text[entry.offset : offset]
            answer = entry.answer
            if not answer.text.startswith(typed) or len(answer.text) == len(typed):
                continue
            if entry.head != head_of(snapshot.text, entry.offset):
                continue
            for n_closed in _auto_closed(snapshot, offset, answer.text[len(typed) :]):
                tail = tails.setdefault(n_closed, tail_of(snapshot.text, offset + n_closed))
                if tail == entry.tail:
                    self._entries.move_to_end((snapshot.uri, mode, entry.head, entry.tail))
                    rest = answer.text[len(typed) :]
                    return Found(replace(answer, text=rest, n_replaced=answer.n_replaced + n_closed), len(typed))
        return None

    def _nearby(self, uri: str, offset: int, mode: str) -> Iterator[_Entry]:
        """Entries of the document a little before ``offset``, nearest first."""
        near = (
            entry
            for key, entry in self._entries.items()
            if key[0] == uri and entry.mode == mode and 0 < offset - entry.offset <= MAX_TYPED_THROUGH
        )
        return iter(sorted(near, key=lambda entry: -entry.offset))


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
    """What an answer depends on of the text before ``offset``."""
    return hash(text[max(0, offset - N_HEAD) : offset])


def tail_of(text: str, offset: int) -> int:
    """What an answer depends on of the text from ``offset`` on."""
    return hash(text[offset : offset + N_TAIL])
