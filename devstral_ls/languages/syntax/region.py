"""The region of a long text that is parsed for a cursor: whole top-level blocks around it.

A key may break everything behind it (an open bracket, a quote), and then the text is parsed again up to its end: 20 ms
for 2,000 lines. A region takes a few milliseconds, however long the document is.
"""

from __future__ import annotations

from devstral_ls.languages.language import Language
from devstral_ls.languages.scopes.headers import header_of
from devstral_ls.languages.scopes.lines import MAX_HEADER_CHARS, opens_block
from devstral_ls.text import Span

WHOLE_CHARS = 12 * 1024
"""A text of up to so many characters, about 400 lines, is parsed whole."""

BEFORE, AFTER = 3_000, 4_500
"""The least characters before and behind the cursor, where the text has them."""

_MAX_SEARCHED = 48 * 1024
"""Characters searched for the beginning of a top-level block; about 1,500 lines."""

_HEAD_CHARS = 12 * 1024
"""The least characters of the beginning of a text, where its imports are; extended to the next top-level block."""


def region_around(text: str, offset: int, language: Language) -> Span | None:
    """From a top-level definition before ``offset`` to one behind it, or to an end of the text where that is nearer.

    ``None`` when that is the whole text, or when no such definition is found.
    """
    if len(text) <= WHOLE_CHARS:
        return None
    start, end = _start(text, offset - BEFORE, language), _end(text, offset + AFTER, language)
    return None if start is None or end is None or end - start == len(text) else Span(start, end)


def head_region(text: str, language: Language) -> Span:
    """The beginning of the text, with its imports."""
    return Span(0, _end(text, _HEAD_CHARS, language) or _HEAD_CHARS)


def _start(text: str, at: int, language: Language) -> int | None:
    low = max(0, at - _MAX_SEARCHED)
    while at > low:
        at = text.rfind("\n", low, at)
        if at < 0:
            break
        if _begins_block(text, at + 1, language):
            return _with_decorators(text, at + 1)
    return 0 if low == 0 else None


def _end(text: str, at: int, language: Language) -> int | None:
    high = at + _MAX_SEARCHED
    while (at := text.find("\n", at, high)) >= 0:
        at += 1
        if _begins_block(text, at, language):
            return _with_decorators(text, at)
    return len(text) if high >= len(text) else None


def _begins_block(text: str, at: int, language: Language) -> bool:
    """True when a definition begins in the first column at ``at``, the start of a line."""
    first = text[at : at + 1]
    if not first.isalpha() and first != "_":
        return False
    end = text.find("\n", at, at + MAX_HEADER_CHARS)
    line = text[at : end if end >= 0 else at + MAX_HEADER_CHARS].rstrip()
    return header_of(line, language, opened=opens_block(line, language)) is not None


def _with_decorators(text: str, at: int) -> int:
    while at > 0:
        above = text.rfind("\n", 0, at - 1) + 1
        if not text.startswith(("@", "#["), above):
            break
        at = above
    return at
