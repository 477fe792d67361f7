"""The code in a model's answer: fences and prose removed, as far as the answer has arrived."""

from __future__ import annotations

import re
from dataclasses import dataclass

FENCE = "```"

_OPENING = re.compile(r"^```[\w+#-]+[ \t]*$", re.MULTILINE)

MIN_REPEATED = 4
"""Characters from which a line counts as repeated; shorter ones, closing brackets, repeat in good code."""

_MAX_PERIOD = 8
"""The most lines of a group that is checked for repetition."""


@dataclass(frozen=True, slots=True)
class FencedCode:
    """The code of an answer."""

    text: str
    """Without the line end before the closing fence."""
    in_fence: bool
    """True when it stands between fences, or the answer's prefix opened a fence."""
    closed: bool
    """True when the fence has ended, so that no more code follows."""


def fence_prefix(language: str, code: str) -> str:
    """The prefix of an answer: an opening fence and the first lines of the code."""
    return f"{FENCE}{language}\n{code}"


def code_in(prefix: str, answer: str) -> FencedCode:
    """The code of ``answer``, which continues ``prefix`` (empty, or made by ``fence_prefix``).

    A model that starts over instead of continuing the prefix is understood, too.
    """
    if prefix:
        first_lines = prefix.partition("\n")[2]
        restart = answer.lstrip()
        second = _OPENING.search(answer)  # a fence with a language opens, it does not close
        if restart.startswith(FENCE) or second is not None:
            return code_in("", restart if second is None else answer[second.start() :])
        first_line = first_lines.partition("\n")[0].strip()
        if first_line and restart.startswith(first_line):
            return _up_to_fence(restart)
        return _up_to_fence(first_lines + answer)
    lines = answer.split("\n")
    for number, line in enumerate(lines):
        if line.lstrip().startswith(FENCE):
            return _up_to_fence("\n".join(lines[number + 1 :]))
    return FencedCode(answer, in_fence=False, closed=False)


def is_closed(prefix: str, answer: str) -> bool:
    """True when the line that closes the code of ``answer`` is whole."""
    return answer.endswith("\n") and code_in(prefix, answer).closed


def whole_lines(text: str) -> list[str]:
    """The lines of ``text`` that have a line end."""
    return text.split("\n")[:-1]


def loops(text: str, allowed: int) -> bool:
    """True when ``text`` ends with the same line, or group of lines, more than ``allowed`` times in a row."""
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
    """The most times that a line stands in a row in ``text``; an answer about it may repeat it as often."""
    longest, run, last = 1, 1, None
    for line in text.split("\n"):
        stripped = line.strip()
        run = run + 1 if stripped == last and len(stripped) >= MIN_REPEATED else 1
        longest, last = max(longest, run), stripped
    return longest


def _up_to_fence(text: str) -> FencedCode:
    at = 0 if text.startswith(FENCE) else text.find(f"\n{FENCE}") + 1
    if text.startswith(FENCE) or at > 0:
        return FencedCode(text[:at].rstrip("\n"), in_fence=True, closed=True)
    return FencedCode(text, in_fence=True, closed=False)
