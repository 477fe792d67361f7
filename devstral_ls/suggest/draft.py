"""What the model wrote, with the place it was written for: the value the post-processing steps pass on."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property

from devstral_ls.languages.cursor import CursorScope
from devstral_ls.languages.table import Language
from devstral_ls.suggest.brackets import Scan, scan
from devstral_ls.text import Snapshot

_N_LINES = 200
"""Lines above and below that count for brackets; what is compared with an answer are the nearest."""


@dataclass(frozen=True)
class Place:
    """The cursor's surroundings, cut small."""

    line_before: str
    """The cursor's line up to the cursor."""
    line_after: str
    """The cursor's line from the cursor on, without the line end."""
    lines_above: tuple[str, ...]
    """The lines before the cursor's, nearest last."""
    lines_below: tuple[str, ...]
    """The lines after the cursor's, nearest first."""
    multiline: bool
    """May the suggestion have several lines?"""
    language: Language
    in_comment: bool = False
    in_string: bool = False

    @cached_property
    def next_line(self) -> str:
        """The first line below that is not blank; empty where there is none."""
        return next((line for line in self.lines_below if line.strip()), "")

    @cached_property
    def quote(self) -> str:
        """The quote of the string the cursor is in; empty outside, and where it cannot be told."""
        if not self.in_string:
            return ""
        for quote in self.language.long_quotes:
            if "\n".join([*self.lines_above, self.line_before]).count(quote) % 2:
                return quote
        # The last quote that no other of its kind closes.
        outside = re.sub(r"\\.", "", self.line_before)
        opened = ""
        for c in outside:
            if c in self.language.quotes and opened in ("", c):
                opened = "" if opened else c
        return opened

    @cached_property
    def before(self) -> Scan:
        """What is open at the cursor."""
        code = "\n".join([*self.lines_above, self.line_before])
        if self.quote:
            code = code[: code.rindex(self.quote)]
        return scan(code, self.language)

    @cached_property
    def missing(self) -> str:
        """The closers that are due at the cursor and that no line below gives, innermost first."""
        below = scan("\n".join([self.line_after, *self.lines_below]), self.language, self.quote)
        n_given = sum(c in self.before.due for _, c in below.closing)
        return self.before.due[: max(0, len(self.before.due) - n_given)]


def place_at(snapshot: Snapshot, offset: int, scope: CursorScope, language: Language, *, multiline: bool) -> Place:
    """The ``Place`` of ``offset``."""
    line = snapshot.line_at(offset)
    span = snapshot.line_span(line)
    above = range(max(0, line - _N_LINES), line)
    below = range(line + 1, min(snapshot.n_lines, line + 1 + _N_LINES))
    return Place(
        line_before=snapshot.text[span.start : min(offset, span.end)],
        line_after=snapshot.text[offset : span.end],
        lines_above=tuple(snapshot.line(n) for n in above),
        lines_below=tuple(snapshot.line(n) for n in below),
        multiline=multiline,
        language=language,
        in_comment=scope.in_comment,
        in_string=scope.in_string,
    )


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer on its way to a suggestion."""

    text: str
    place: Place
    complete: bool = True
    """Did the answer end by itself, or where we stopped on purpose? Otherwise its last line may be half a line."""
    n_replaced: int = 0
    """Characters of ``place.line_after`` that the text takes the place of."""

    def with_text(self, text: str) -> Draft:
        """The same draft with another text."""
        return self if text == self.text else replace(self, text=text)


def indentation(line: str) -> str:
    """The white space a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def width(indent: str) -> int:
    """Columns of an indentation; a tab goes to the next multiple of four, which only has to be consistent."""
    columns = 0
    for c in indent:
        columns += 4 - columns % 4 if c == "\t" else 1
    return columns
