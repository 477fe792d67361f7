"""What the model wrote, with the place it was written for: the value the post-processing steps pass on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from devstral_ls.text import Snapshot

_N_LINES_BELOW = 12
"""Following lines that an answer is compared with."""


@dataclass(frozen=True)
class Place:
    """The cursor's surroundings, cut small."""

    line_before: str
    """The cursor's line up to the cursor."""
    line_after: str
    """The cursor's line from the cursor on, without the line end."""
    lines_above: tuple[str, ...]
    """The lines before the cursor's, nearest last; a few."""
    lines_below: tuple[str, ...]
    """The lines after the cursor's, nearest first; a few."""
    multiline: bool
    """May the suggestion have several lines?"""
    offside: bool
    """Does the language mark blocks by indentation?"""

    @cached_property
    def next_line(self) -> str:
        """The first line below that is not blank; empty where there is none."""
        return next((line for line in self.lines_below if line.strip()), "")


def place_at(snapshot: Snapshot, offset: int, *, multiline: bool, offside: bool) -> Place:
    """The ``Place`` of ``offset``."""
    line = snapshot.line_at(offset)
    span = snapshot.line_span(line)
    above = range(max(0, line - _N_LINES_BELOW), line)
    below = range(line + 1, min(snapshot.n_lines, line + 1 + _N_LINES_BELOW))
    return Place(
        line_before=snapshot.text[span.start : min(offset, span.end)],
        line_after=snapshot.text[offset : span.end],
        lines_above=tuple(snapshot.line(n) for n in above),
        lines_below=tuple(snapshot.line(n) for n in below),
        multiline=multiline,
        offside=offside,
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
