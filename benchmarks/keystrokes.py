"""The keys that type a file, their gaps and slips, and the acceptance of suggestions.

Everything follows from the file and a seed, so that every arm sees the same typist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

GAPS_MS = (120, 350)
"""Least and greatest gap between two keys."""

LINE_STOP_MS = (600, 1800)
"""Least and greatest gap at a line's end, where people think."""

SLIP_SHARE = 0.015
"""Share of keys with a slip: another letter, and a backspace."""

_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+)")
_NEXT_LINE = re.compile(r"\n[ \t]*")


@dataclass(frozen=True, slots=True)
class Key:
    """One key press."""

    text: str
    """The text it inserts; empty for a backspace."""
    gap_ms: float
    """Milliseconds until the next key."""
    takes_back: str = ""
    """Characters it deletes before the cursor."""


def key_at(text: str, at: int) -> str:
    """The text of the next key: a character, or a line end with the indentation that an editor adds."""
    line = _NEXT_LINE.match(text, at)
    return line[0] if line else text[at]


def keys_at(text: str, at: int, seed: int) -> Iterator[Key]:
    """The keys that insert the text of ``key_at``: one, or three with a slip."""
    chance = Random(f"{seed} {at}")
    right = key_at(text, at)
    gap = chance.uniform(*(LINE_STOP_MS if right.startswith("\n") else GAPS_MS))
    if right.isalpha() and chance.random() < SLIP_SHARE:
        wrong = chance.choice([c for c in "etaoinsrhl" if c != right])
        yield Key(wrong, chance.uniform(*GAPS_MS))
        yield Key("", chance.uniform(*GAPS_MS), takes_back=wrong)
    yield Key(right, gap)


def n_keys(text: str) -> int:
    """Key presses for ``text`` without suggestions and slips."""
    at = n = 0
    while at < len(text):
        at += len(key_at(text, at))
        n += 1
    return n


def accepted(suggestion: str, truth: str) -> tuple[int, int]:
    """The number of characters of ``suggestion`` that are accepted when ``truth`` is to be typed, and the keys for it.

    All of it when it is right, with one key; else its words as far as they are right, with a key each, when that saves
    keys.
    """
    if suggestion.strip() and truth.startswith(suggestion):
        return len(suggestion), 1
    taken = n = 0
    for word in _WORD.finditer(suggestion):
        if not truth.startswith(suggestion[: word.end()]) or _cuts_word(suggestion, truth, word.end()):
            break
        taken, n = word.end(), n + 1
    return (taken, n) if n_keys(suggestion[:taken]) > n else (0, 0)


def _cuts_word(suggestion: str, truth: str, end: int) -> bool:
    """True when the truth continues the last word of the suggestion."""
    return suggestion[end - 1].isalnum() and truth[end : end + 1].isalnum()


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of a file that is typed."""

    above: str
    typed: str
    below: str


def stretch(text: str, characters: int | None, *, with_rest: bool) -> Stretch:
    """Whole lines from a third of the file on, about ``characters`` long; the whole file when that is None."""
    text = text.rstrip("\n") + "\n"
    start = 0 if characters is None else text.find("\n", len(text) // 3) + 1
    end = len(text) - 1 if characters is None else text.find("\n", min(start + characters, len(text) - 1))
    return Stretch(text[:start], text[start:end], text[end:] if with_rest else "\n")
