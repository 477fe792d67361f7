"""The lines around a cursor in a bounded window, and which of them open and close blocks."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache

from devstral_ls.languages.language import Language
from devstral_ls.languages.lexing import bracket_balance, strip_comment
from devstral_ls.text import Snapshot

MAX_LINE_CHARS = 10_000
"""Of a longer line only so many characters are read."""

MAX_HEADER_CHARS = 1_000
"""Longer lines are not matched against patterns, some of which take quadratic time."""


class Lines:
    """The lines of a document within ``before`` and ``after`` characters of ``offset``, numbered from 0.

    A first line that the window cuts is left out.
    """

    def __init__(self, snapshot: Snapshot, offset: int, before: int, after: int) -> None:
        self.text = snapshot.text
        self.offset = offset
        low, self.end = max(0, offset - before), min(len(self.text), offset + after)
        self.starts = snapshot.line_starts_within(low, self.end) or [low]
        if self.starts[0] > offset:
            self.starts.insert(0, low)
        self.cursor = bisect_right(self.starts, offset) - 1
        """The number of the cursor's line."""

    def __len__(self) -> int:
        return len(self.starts)

    def at(self, line: int) -> str:
        """The line without trailing white space; of a long one, the first ``MAX_LINE_CHARS``."""
        start = self.starts[line]
        end = self.starts[line + 1] if line + 1 < len(self.starts) else self.end
        return self.text[start : min(end, start + MAX_LINE_CHARS)].rstrip()

    @property
    def before(self) -> str:
        """The cursor's line up to the cursor; of a long one, the last ``MAX_LINE_CHARS`` of that."""
        return self.text[max(self.starts[self.cursor], self.offset - MAX_LINE_CHARS) : self.offset]

    @property
    def after(self) -> str:
        """The cursor's line from the cursor on, without its line end; of a long one, the first ``MAX_LINE_CHARS`` of that."""
        line = self.cursor + 1
        end = self.starts[line] if line < len(self.starts) else self.end
        return self.text[self.offset : min(end, self.offset + MAX_LINE_CHARS)].rstrip("\r\n")

    @property
    def is_blank(self) -> bool:
        """True when the cursor's line holds nothing but white space."""
        return not self.before.strip() and not self.after.strip()

    def up(self, line: int, limit: int) -> Iterator[tuple[int, str]]:
        """The numbers and texts of the lines above ``line`` that are not blank, nearest first; reads ``limit`` lines at most."""
        for at in range(line - 1, max(-1, line - 1 - limit), -1):
            if text := self.at(at):
                yield at, text

    def down(self, line: int, limit: int) -> Iterator[tuple[int, str]]:
        """The numbers and texts of the lines below ``line`` that are not blank, nearest first; reads ``limit`` lines at most."""
        for at in range(line + 1, min(len(self), line + 1 + limit)):
            if text := self.at(at):
                yield at, text


def opens_block(line: str, language: Language) -> bool:
    """True when a block begins after ``line``."""
    code = strip_comment(line, language)
    if language.offside and bracket_balance(code) > 0:  # x = {"a":
        return False
    if len(code) > MAX_HEADER_CHARS:
        return not language.offside and code.endswith(language.block_openers)
    return bool(language.opens) and _opens(language).search(code) is not None


def closes_block(line: str, language: Language) -> bool:
    """True when ``line`` begins with what ends a block, or continues its statement with another block (``else``)."""
    return _closes(language).match(line) is not None


@cache
def _opens(language: Language) -> re.Pattern[str]:
    return re.compile(language.opens)


@cache
def _closes(language: Language) -> re.Pattern[str]:
    words = [re.escape(word) + (r"\b" if word[-1].isalpha() else "") for word in language.closers]
    return re.compile(rf"\s*(?:{'|'.join(words)})")
