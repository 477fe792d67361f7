"""Retention of accepted code: its place is moved along with edits, and the text there is compared by words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_CHANGED = 0.33
"""Share of changed words below which code counts as retained: "mostly unchanged" of Ziegler et al., Productivity Assessment
of Neural Code Completion (arXiv:2205.06537), who also check after 30 and 300 seconds. They compare characters; words
are compared here, so that a formatter changes nothing and the cost stays small."""

MAX_WORDS = 400
"""Words of the accepted code that are compared; the rest is ignored."""

MAX_REGION = 20_000
"""Characters of its place; a place that grew beyond is not checked."""

_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Look:
    """One retention check: accepted code, and the text in its place some seconds later. Never leaves memory."""

    language: str
    model: str
    seconds: int
    accepted: str
    now: str


def is_kept(look: Look) -> bool:
    """True when the accepted code is mostly unchanged; text added before and after it does not count."""
    if look.accepted in look.now:
        return True
    words = _WORD.findall(look.accepted)[:MAX_WORDS]
    return _distance(words, _WORD.findall(look.now)) < MAX_CHANGED * len(words)


def has_words(text: str) -> bool:
    """True when ``text`` has words to compare."""
    return _WORD.search(text) is not None


def _distance(words: Sequence[str], region: Sequence[str]) -> int:
    """Edit distance in words between ``words`` and the nearest part of ``region`` (Sellers' algorithm)."""
    row = list(range(len(words) + 1))
    best = row[-1]
    for there in region:
        above = row
        row = [0]
        for n, word in enumerate(words, 1):
            row.append(min(above[n - 1] + (word != there), above[n] + 1, row[n - 1] + 1))
        best = min(best, row[-1])
    return best
