"""Token healing: removes the last word from the prompt and forces it as the beginning of the answer.

A prompt that ends inside a word, or after indentation, ends in tokens that never occur there in training data: ``ret``
is one token, ``return`` another. Forcing the removed text by grammar lets the model choose the tokens itself (measured
in ``models.md``: 13 to 19 of 40 random spans).
"""

from __future__ import annotations

import re

MAX_TAKEN_BACK = 48
"""Characters; a longer run is data."""

_LAST_RUN = re.compile(r"(?:[^\W\d]\w*|\d+|[ \t]+)\Z")


def take_back(prefix: str) -> tuple[str, str]:
    """``prefix`` without its last word or run of spaces, and that run; an empty run where it ends with neither."""
    match = _LAST_RUN.search(prefix, max(0, len(prefix) - MAX_TAKEN_BACK - 1))
    if match is None or not 0 < len(match[0]) <= MAX_TAKEN_BACK:
        return prefix, ""
    return prefix[: match.start()], match[0]
