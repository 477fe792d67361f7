r"""Documents as values: a snapshot of the text, spans and edits of it, all in code points.

Lines end at ``\n``, ``\r\n`` or a lone ``\r``, as LSP has it; ``str.splitlines`` is not used because it also
breaks at form feeds and Unicode separators, which editors do not.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """``text[start:end]``, in code points."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def covers(self, offset: int) -> bool:
        """Is ``offset`` inside, ends included?"""
        return self.start <= offset <= self.end


@dataclass(frozen=True, slots=True)
class Edit:
    """Put ``text`` in the place of ``span``."""

    span: Span
    text: str


def apply(text: str, edit: Edit) -> str:
    """``text`` with ``edit`` done."""
    return text[: edit.span.start] + edit.text + text[edit.span.end :]


def line_starts(text: str, start: int = 0, end: int | None = None) -> list[int]:
    """Where lines begin: 0 and every offset after a line end that lies in ``text[start:end]``.

    With the defaults the list is complete and begins with 0; with a ``start`` above 0 it holds only the starts found.
    """
    end = len(text) if end is None else end
    found = [] if start else [0]
    if "\r" in text[start:end]:
        found += [match.end() for match in _LINE_END.finditer(text, start, end)]
        return found
    # Lengths added up by the library: a loop of ours takes three times as long.
    lengths = map(len, text[start:end].split("\n")[:-1])
    ends = accumulate(map((1).__add__, lengths), initial=start)
    next(ends)
    return [*found, *ends]


def single_edit(before: str, after: str) -> Edit:
    """The one replacement that turns ``before`` into ``after``: what lies between their common ends.

    Found by bisection over slices, so that the cost is that of comparing memory and not of a Python loop.
    """
    start = _common_prefix(before, after)
    n_tail = _common_suffix(before[start:], after[start:])
    return Edit(Span(start, len(before) - n_tail), after[start : len(after) - n_tail])


def unix_newlines(text: str) -> str:
    r"""``text`` with ``\n`` for every ``\r\n`` and lone ``\r``, as models write and are shown it."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _common_prefix(a: str, b: str) -> int:
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low


def _common_suffix(a: str, b: str) -> int:
    low, high = 0, min(len(a), len(b))
    if high == 0 or a[len(a) - high :] == b[len(b) - high :]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if a[len(a) - middle : len(a) - low] == b[len(b) - middle : len(b) - low]:
            low = middle
        else:
            high = middle
    return low


@dataclass(frozen=True)
class Snapshot:
    """One version of one document. Never changes; take one before the first ``await`` and keep to it."""

    uri: str
    version: int
    language: str
    """The language id the client gave; ``languages.table.language_of`` knows what it means."""
    text: str

    @cached_property
    def line_starts(self) -> list[int]:
        """Where each line begins, in code points."""
        return line_starts(self.text)

    def line_starts_within(self, start: int, end: int) -> list[int]:
        """Those of ``line_starts`` that a line end in ``text[start:end]`` makes, and 0 where ``start`` is."""
        starts = self.line_starts
        return starts[bisect_right(starts, start) if start else 0 : bisect_right(starts, end)]

    @property
    def n_lines(self) -> int:
        """How many lines; a text that ends with a line end has an empty last one."""
        return len(self.line_starts)

    def line_at(self, offset: int) -> int:
        """The number, from 0, of the line that holds ``offset``."""
        return bisect_right(self.line_starts, offset) - 1

    def line_span(self, line: int) -> Span:
        """The line without its line end."""
        start = self.line_starts[line]
        end = self.line_starts[line + 1] if line + 1 < self.n_lines else len(self.text)
        while end > start and self.text[end - 1] in "\r\n":
            end -= 1
        return Span(start, end)

    def line(self, line: int) -> str:
        """The text of the line without its line end."""
        return self.of(self.line_span(line))

    def of(self, span: Span) -> str:
        """The text at ``span``."""
        return self.text[span.start : span.end]

    def edited(self, edit: Edit, version: int) -> Snapshot:
        """The text with ``edit`` done, whose line starts are known already: 20,000 lines are not looked for again."""
        text = apply(self.text, edit)
        snapshot = Snapshot(self.uri, version, self.language, text)
        vars(snapshot)["line_starts"] = _moved(self.line_starts, edit, text)  # where cached_property keeps it
        return snapshot


def _moved(starts: list[int], edit: Edit, text: str) -> list[int]:
    r"""The line starts of ``text``, which ``edit`` made out of a text with line starts ``starts``.

    Looked at again is what lies from the line before the edit to the character behind it, as both ends may join or
    part a ``\r\n``; all other starts are kept, those behind moved by the difference.
    """
    first = bisect_right(starts, max(edit.span.start - 1, 0)) - 1
    begin = starts[first]
    end = min(edit.span.start + len(edit.text) + 1, len(text))
    if text[end - 1 : end + 1] == "\r\n":
        end += 1
    delta = len(edit.text) - len(edit.span)
    found = line_starts(text, begin, end)
    if begin == 0:
        found = found[1:]
    behind = starts[bisect_right(starts, end - delta) :]
    if delta:
        behind = [start + delta for start in behind]
    return starts[: first + 1] + found + behind
