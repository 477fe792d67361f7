r"""Documents as values: a snapshot of the text, spans and edits of it, and what a change did, all in code points.

Lines end at ``\n``, ``\r\n`` or a lone ``\r``, as LSP has it; ``str.splitlines`` is not used because it also
breaks at form feeds and Unicode separators, which editors do not.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
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


@dataclass(frozen=True, slots=True)
class Edit:
    """Put ``text`` in the place of ``span``."""

    span: Span
    text: str


def apply(text: str, edit: Edit) -> str:
    """``text`` with ``edit`` done."""
    return text[: edit.span.start] + edit.text + text[edit.span.end :]


def moved(span: Span, edit: Edit) -> Span:
    """Where ``span`` is after ``edit``; text that replaces a part of the span belongs to it."""
    delta = len(edit.text) - len(edit.span)
    start, end = span.start, span.end
    if edit.span.start < start:
        start = start + delta if edit.span.end <= span.start else edit.span.start
    if edit.span.start < end:
        end = end + delta if edit.span.end <= span.end else edit.span.start + len(edit.text)
    return Span(start, max(start, end))


def touches(span: Span, edit: Edit) -> bool:
    """True when ``edit`` reaches into ``span``, or up to one of its ends."""
    return edit.span.start <= span.end and span.start <= edit.span.end


def line_starts(text: str, start: int = 0, end: int | None = None) -> list[int]:
    """Where lines begin: 0 and every offset after a line end that lies in ``text[start:end]``.

    With the defaults the list is complete and begins with 0; with a ``start`` above 0 it holds only the starts found.
    """
    end = len(text) if end is None else end
    first = [] if start else [0]
    if "\r" in text[start:end]:
        return [*first, *(match.end() for match in _LINE_END.finditer(text, start, end))]
    # Lengths added up by the library: a loop of ours takes three times as long.
    lengths = map(len, text[start:end].split("\n")[:-1])
    ends = accumulate(map((1).__add__, lengths), initial=start)
    next(ends)
    return [*first, *ends]


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
        """The text with ``edit`` done, whose line starts are known already: 20,000 lines are not looked for again.

        An edit that changes nothing leaves the very same ``text`` object, so identity tells whether a text has changed.
        """
        text = self.text if self.of(edit.span) == edit.text else apply(self.text, edit)
        snapshot = Snapshot(self.uri, version, self.language, text)
        starts = self.line_starts if text is self.text else _starts_after(self.line_starts, edit, text)
        vars(snapshot)["line_starts"] = starts  # where cached_property keeps it
        return snapshot


def moved_with_lines(before: Snapshot, span: Span, edit: Edit) -> Span | None:
    """Where a remark about the lines of ``span`` is after ``edit`` of ``before``; ``None`` where one of them has changed."""
    first = before.line_starts[before.line_at(span.start)]
    last = before.line_span(before.line_at(span.end)).end
    start, end = edit.span.start, edit.span.end
    if start > last or (start == last and edit.text[:1] in ("\n", "\r")):
        return span
    at_line_start = before.line_starts[before.line_at(start)] == start
    whole_lines = edit.text.endswith(("\n", "\r")) or (not edit.text and at_line_start)
    if end > first or (end == first and not whole_lines):
        return None
    delta = len(edit.text) - len(edit.span)
    return Span(span.start + delta, span.end + delta)


@dataclass(frozen=True, slots=True)
class Replacement:
    """The piece of a text that edits touch, and the piece of the later text that stands in its place.

    Outside of it both texts are the same. It is kept up to date from the edits alone; no text is compared.
    """

    start: int
    """Where it begins in both texts."""
    old_end: int
    """Where it ends in the earlier text."""
    new_end: int
    """Where it ends in the later text."""

    @property
    def delta(self) -> int:
        """By how much text behind it has moved."""
        return self.new_end - self.old_end

    @staticmethod
    def of(edits: Iterable[Edit], since: Replacement | None = None) -> Replacement | None:
        """What ``edits`` replace, each of the text that the one before it left; ``None`` where there is no edit.

        ``since`` is what earlier edits replaced.
        """
        for edit in edits:
            since = Replacement.one(edit) if since is None else since.then(edit)
        return since

    @staticmethod
    def one(edit: Edit) -> Replacement:
        """What a single edit replaces."""
        return Replacement(edit.span.start, edit.span.end, edit.span.start + len(edit.text))

    def then(self, edit: Edit) -> Replacement:
        """With ``edit`` of the later text done as well."""
        beyond = max(0, edit.span.end - self.new_end)
        delta = len(edit.text) - len(edit.span)
        start = min(self.start, edit.span.start)
        return Replacement(start, self.old_end + beyond, self.new_end + beyond + delta)


@dataclass(frozen=True)
class DocumentChange:
    """What one notification changed in a document: the text before and after, and the edits exactly as the client said."""

    before: Snapshot
    after: Snapshot
    edits: tuple[Edit, ...]
    """In order; the spans of each are those of the text that the one before it left."""

    @cached_property
    def edit(self) -> Edit:
        """The one replacement that does the same, without what it leaves as it was at its two ends.

        Costs as much as the edits are long, not as the document is.
        """
        whole = Replacement.of(self.edits)
        if whole is None:
            return Edit(Span(0, 0), "")
        old, new = self.before.text[whole.start : whole.old_end], self.after.text[whole.start : whole.new_end]
        small = single_edit(old, new)
        return Edit(Span(whole.start + small.span.start, whole.start + small.span.end), small.text)


def _starts_after(starts: list[int], edit: Edit, text: str) -> list[int]:
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
    between = line_starts(text, begin, end)
    if begin == 0:
        between = between[1:]
    behind = starts[bisect_right(starts, end - delta) :]
    if delta:
        behind = [start + delta for start in behind]
    return starts[: first + 1] + between + behind
