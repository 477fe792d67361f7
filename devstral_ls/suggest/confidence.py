"""How sure the model is of what it writes, and where it stops being sure.

The measure is the probability the model itself gives to a line as far as it is written: the product over its tokens.
It falls as the line grows, so one threshold says both what to show at all and where to cut. Each line begins anew:
over a whole block the product says nothing but how long the block is.
"""

from __future__ import annotations

import math
import re

_HALF = re.compile(r"[\s+\-*/%=<>&|^!~,.:?]*\w*\Z")
"""The last word, and the operator that stands alone without it."""


class Confidence:
    """How sure the model is of one answer, as it is streamed.

    Args:
        forced: the answer's beginning, which the grammar forced. A token that begins in it counts only if it is white
            space: of a word taken back, the grammar chose how it is cut into tokens.
        least: the lowest probability that is shown, 0 to 1; 0 never cuts.
    """

    def __init__(self, forced: str, least: float) -> None:
        self._n_forced = len(forced)
        self._n_uncounted = 0 if forced.isspace() else len(forced)
        self._least = math.log(least) if least > 0 else -math.inf
        self._line = 0.0
        self._first: float | None = None

    @property
    def first_line(self) -> float | None:
        """The probability of the first line, as far as it is written; ``None`` where the engine tells none."""
        return None if self._first is None else math.exp(self._first)

    def cut(self, before: str, text: str, logprobs: tuple[float, ...]) -> str | None:
        """The answer as far as it is sure, if ``text``, which comes behind ``before``, is not; ``None`` to go on."""
        counts = len(before) >= self._n_uncounted and len(before) + len(text) > self._n_forced
        if counts and logprobs:
            self._line += sum(logprobs)
            if "\n" not in before[self._n_forced :]:
                self._first = self._line
        if self._line < self._least:
            n_forced = self._n_forced
            return before[:n_forced] + _up_to(before[n_forced:])
        if "\n" in text:
            self._line = 0.0
        return None


def _up_to(before: str) -> str:
    """The whole lines of ``before``; of one line, what stands without the last word."""
    lead = len(before) - len(before.lstrip())
    if "\n" in before[lead:]:
        return before[: before.rindex("\n")]
    half = _HALF.search(before, lead)
    return before if half is None else before[: half.start()]
