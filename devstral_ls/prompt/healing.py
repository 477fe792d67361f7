"""Token healing: the last word before the cursor is taken back and made the beginning of the answer.

A prompt that ends inside a word, or after indentation, ends in tokens that never stand there in the training data:
``ret`` is one token, ``return`` another. Taking the run back to the last boundary and forcing it by grammar lets the
model choose the tokens itself (measured in ``models.md``: 13 to 19 of 40 random spans).
"""

from __future__ import annotations

import re

MAX_TAKEN_BACK = 48
"""Characters; a longer run is an identifier nobody types, or data."""

_LAST_RUN = re.compile(r"(?:[^\W\d]\w*|\d+|[ \t]+)\Z")


def take_back(prefix: str) -> tuple[str, str]:
    """``prefix`` without its last word or run of spaces, and that run; the run is empty where there is none."""
    match = _LAST_RUN.search(prefix, max(0, len(prefix) - MAX_TAKEN_BACK - 1))
    if match is None or not 0 < len(match[0]) <= MAX_TAKEN_BACK:
        return prefix, ""
    return prefix[: match.start()], match[0]
