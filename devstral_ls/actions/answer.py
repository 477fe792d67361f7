"""The code in what a model wrote: fences and prose taken off, as far as the answer has come."""

from __future__ import annotations

import re
from dataclasses import dataclass

FENCE = "```"

_OPENING = re.compile(r"^```[\w+#-]+[ \t]*$", re.MULTILINE)

MIN_REPEATED = 4
"""Characters of a line that counts as repeated; closers come again by right."""

_MAX_PERIOD = 8
"""Lines of a group that may come again and again."""


@dataclass(frozen=True, slots=True)
class Code:
    """The code found in an answer."""

    text: str
    """Without the line end before the fence."""
    in_fence: bool
    """Was it between fences, or in an answer that was opened with one?"""
    closed: bool
    """Has the fence ended? Nothing more is to come then."""


def opened_with(language: str, code: str) -> str:
    """The beginning of an answer: a fence, and the first lines of the code."""
    return f"{FENCE}{language}\n{code}"


def code_in(opened: str, answer: str) -> Code:
    """The code of an answer that was begun with ``opened`` (empty, or made by ``opened_with``).

    A model that did not take the beginning up and began anew is understood, too.
    """
    if opened:
        begun = opened.partition("\n")[2]
        anew = answer.lstrip()
        second = _OPENING.search(answer)  # a fence with a language opens, it does not close
        if anew.startswith(FENCE) or second is not None:
            return code_in("", anew if second is None else answer[second.start() :])
        first_line = begun.partition("\n")[0].strip()
        if first_line and anew.startswith(first_line):
            begun, answer = "", anew
        return _up_to_fence(begun + answer)
    lines = answer.split("\n")
    for number, line in enumerate(lines):
        if line.lstrip().startswith(FENCE):
            return _up_to_fence("\n".join(lines[number + 1 :]))
    return Code(answer, in_fence=False, closed=False)


def whole_lines(text: str) -> list[str]:
    """The lines of ``text`` that are finished."""
    return text.split("\n")[:-1]


def loops(text: str, allowed: int) -> bool:
    """Does ``text`` end with the same line, or group of lines, more than ``allowed`` times in a row?"""
    lines = [line.strip() for line in whole_lines(text)]
    for period in range(1, _MAX_PERIOD + 1):
        group = lines[-period:]
        n_needed = allowed + 1 if period == 1 else max(allowed + 1, 4)
        if len(lines) < period * n_needed or max(map(len, group)) < MIN_REPEATED:
            continue
        if all(lines[-period * (n + 1) : -period * n] == group for n in range(1, n_needed)):
            return True
    return False


def longest_run(text: str) -> int:
    """How often a line comes in a row in ``text``: what an answer about it may do, too."""
    longest, run, last = 1, 1, None
    for line in text.split("\n"):
        stripped = line.strip()
        run = run + 1 if stripped == last and len(stripped) >= MIN_REPEATED else 1
        longest, last = max(longest, run), stripped
    return longest


def _up_to_fence(text: str) -> Code:
    at = 0 if text.startswith(FENCE) else text.find(f"\n{FENCE}") + 1
    if text.startswith(FENCE) or at > 0:
        return Code(text[:at].rstrip("\n"), in_fence=True, closed=True)
    return Code(text, in_fence=True, closed=False)
