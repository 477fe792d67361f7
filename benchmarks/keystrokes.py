"""Somebody who types a file: which keys, with which gaps, with which slips, and what of a suggestion they take.

Everything follows from the file and a seed, so every arm sees the same person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

GAPS_MS = (120, 350)
"""Between two keys (``quality.md``)."""

LINE_STOP_MS = (600, 1800)
"""At a line's end, where people think."""

SLIP_SHARE = 0.015
"""Of the keys: another letter, and a step back."""

_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+)")
_NEXT_LINE = re.compile(r"\n[ \t]*")


@dataclass(frozen=True, slots=True)
class Key:
    """One key press."""

    text: str
    """What appears; empty for the step back."""
    gap_ms: float
    """Until the next key."""
    takes_back: str = ""
    """What disappears before the cursor."""


def key_at(text: str, at: int) -> str:
    """What the next key brings: a character, or a line end with the indentation that an editor gives for nothing."""
    line = _NEXT_LINE.match(text, at)
    return line[0] if line else text[at]


def keys_at(text: str, at: int, seed: int) -> Iterator[Key]:
    """The keys that bring what ``key_at`` says: one, or three with a slip."""
    chance = Random(f"{seed} {at}")
    right = key_at(text, at)
    gap = chance.uniform(*(LINE_STOP_MS if right.startswith("\n") else GAPS_MS))
    if right.isalpha() and chance.random() < SLIP_SHARE:
        wrong = chance.choice([c for c in "etaoinsrhl" if c != right])
        yield Key(wrong, chance.uniform(*GAPS_MS))
        yield Key("", chance.uniform(*GAPS_MS), takes_back=wrong)
    yield Key(right, gap)


def n_keys(text: str) -> int:
    """Key presses that ``text`` takes without any help, and without slips."""
    at = n = 0
    while at < len(text):
        at += len(key_at(text, at))
        n += 1
    return n


def accepted(suggestion: str, truth: str) -> tuple[int, int]:
    """How many characters of ``suggestion`` are taken where ``truth`` is to come, and with how many keys.

    The whole of it where it is right, with one key; else its words as far as they are right, with a key each. Words are
    only taken where that saves keys.
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
    """Does the truth go on with the word that the suggestion ends?"""
    return suggestion[end - 1].isalnum() and truth[end : end + 1].isalnum()


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of a file that is typed."""

    above: str
    typed: str
    below: str


def stretch(text: str, characters: int | None, *, with_rest: bool) -> Stretch:
    """Whole lines from a third of the file on, about ``characters`` of them; the whole file where that is ``None``."""
    text = text.rstrip("\n") + "\n"
    start = 0 if characters is None else text.find("\n", len(text) // 3) + 1
    end = len(text) - 1 if characters is None else text.find("\n", min(start + characters, len(text) - 1))
    return Stretch(text[:start], text[start:end], text[end:] if with_rest else "\n")
