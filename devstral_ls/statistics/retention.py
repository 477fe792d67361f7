"""Is accepted code still there? Its place is followed through edits, and what stands there is compared by words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from devstral_ls.text import Edit, Span

MAX_CHANGED = 0.33
"""Of the words, below which code counts as kept: "mostly unchanged" of Ziegler et al., Productivity Assessment of Neural
Code Completion (arXiv:2205.06537), who also look after 30 and 300 seconds. They compare characters; words are
compared here, so that a formatter changes nothing and the cost stays small."""

MAX_WORDS = 400
"""Of the accepted code; what follows is not looked at."""

MAX_REGION = 20_000
"""Characters of the place; where it has grown beyond, nothing is known."""

_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Look:
    """Accepted code, and what stands in its place some seconds later. Kept in memory for a moment, and nowhere else."""

    language: str
    model: str
    seconds: int
    accepted: str
    now: str


def is_kept(look: Look) -> bool:
    """Is the accepted code still there, mostly? What was written before and behind it does not matter."""
    if look.accepted in look.now:
        return True
    words = _WORD.findall(look.accepted)[:MAX_WORDS]
    return _distance(words, _WORD.findall(look.now)) < MAX_CHANGED * len(words)


def moved(span: Span, edit: Edit) -> Span:
    """Where ``span`` is after ``edit``; what replaces a part of it belongs to it."""
    delta = len(edit.text) - len(edit.span)
    end_of_edit = edit.span.start + len(edit.text)
    start, end = span.start, span.end
    if edit.span.start < start:
        start = start + delta if edit.span.end <= span.start else edit.span.start
    if edit.span.start < end:
        end = end + delta if edit.span.end <= span.end else end_of_edit
    return Span(start, max(start, end))


def has_words(text: str) -> bool:
    """Is there anything to compare?"""
    return _WORD.search(text) is not None


def _distance(words: Sequence[str], region: Sequence[str]) -> int:
    """The fewest words to put in, take out or replace until ``words`` stand somewhere in ``region`` (Sellers)."""
    row = list(range(len(words) + 1))
    best = row[-1]
    for there in region:
        above = row
        row = [0]
        for n, word in enumerate(words, 1):
            row.append(min(above[n - 1] + (word != there), above[n] + 1, row[n - 1] + 1))
        best = min(best, row[-1])
    return best
