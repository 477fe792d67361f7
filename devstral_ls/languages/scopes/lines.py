"""The lines around a cursor, in a bounded window: what is asked of a line, whatever the language."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache

from devstral_ls.languages.language import Language
from devstral_ls.text import Snapshot

MAX_LINE_CHARS = 10_000
"""Of a longer line only so many characters are looked at."""

MAX_HEADER_CHARS = 1_000
"""A longer line is not matched against patterns: some take quadratic time."""

TAB = 8
"""Columns a tab goes on to, as Python and tree-sitter-python count."""


class Lines:
    """The lines of a document within ``before`` and ``after`` characters of ``offset``; the cut first line is left out.

    Lines are numbered from 0 within the window.
    """

    def __init__(self, snapshot: Snapshot, offset: int, before: int, after: int) -> None:
        self.text = snapshot.text
        self.offset = offset
        low, self.end = max(0, offset - before), min(len(self.text), offset + after)
        self.starts = snapshot.line_starts_within(low, self.end) or [low]
        if self.starts[0] > offset:
            self.starts.insert(0, low)
        self.cursor = bisect_right(self.starts, offset) - 1
        """The number of the line the cursor is on."""

    def __len__(self) -> int:
        return len(self.starts)

    def at(self, line: int) -> str:
        """The line without trailing white space; of a line above ``MAX_LINE_CHARS``, its beginning."""
        start = self.starts[line]
        end = self.starts[line + 1] if line + 1 < len(self.starts) else self.end
        return self.text[start : min(end, start + MAX_LINE_CHARS)].rstrip()

    @property
    def before(self) -> str:
        """The cursor's line up to the cursor; of a long one, the end of that."""
        return self.text[max(self.starts[self.cursor], self.offset - MAX_LINE_CHARS) : self.offset]

    @property
    def after(self) -> str:
        """The cursor's line from the cursor on, without its line end; of a long one, the beginning of that."""
        line = self.cursor + 1
        end = self.starts[line] if line < len(self.starts) else self.end
        return self.text[self.offset : min(end, self.offset + MAX_LINE_CHARS)].rstrip("\r\n")

    @property
    def is_blank(self) -> bool:
        """Is there nothing but white space on the cursor's line?"""
        return not self.before.strip() and not self.after.strip()

    def up(self, line: int, limit: int) -> Iterator[tuple[int, str]]:
        """The lines above ``line`` that are not blank, nearest first; at most ``limit`` lines are looked at."""
        for at in range(line - 1, max(-1, line - 1 - limit), -1):
            if found := self.at(at):
                yield at, found

    def down(self, line: int, limit: int) -> Iterator[tuple[int, str]]:
        """The lines below ``line`` that are not blank, nearest first; at most ``limit`` lines are looked at."""
        for at in range(line + 1, min(len(self), line + 1 + limit)):
            if found := self.at(at):
                yield at, found


def indent_of(line: str) -> int:
    """The column at which ``line`` begins; tabs go on to multiples of ``TAB``."""
    white = line[: len(line) - len(line.lstrip())]
    return len(white.expandtabs(TAB) if "\t" in white else white)


def opens_block(line: str, language: Language) -> bool:
    """Does a block begin after ``line``?"""
    code = code_of(line, language)
    if language.offside and balance_of(code) > 0:  # x = {"a":
        return False
    if len(code) > MAX_HEADER_CHARS:
        return not language.offside and code.endswith(language.block_openers)
    return bool(language.opens) and _opens(language).search(code) is not None


def balance_of(line: str) -> int:
    """How many brackets ``line`` opens more than it closes."""
    return sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))


def closes_block(line: str, language: Language) -> bool:
    """Does ``line`` begin with something that ends a block, or goes on with another part of the same statement?"""
    return _closes(language).match(line) is not None


def is_comment(line: str, language: Language) -> bool:
    """Is ``line`` nothing but a comment, or the inside of a block comment that is written with leading stars?"""
    stripped = line.lstrip()
    if language.line_comment and stripped.startswith(language.line_comment):
        return True
    if not language.block_comment:
        return False
    opener, closer = language.block_comment
    return stripped.startswith((opener, closer)) or (opener == "/*" and stripped.startswith(("* ", "*/")))


def code_of(line: str, language: Language) -> str:
    """``line`` without a line comment and trailing white space. Looks at the last comment token outside quotes."""
    token = language.line_comment
    if token and token in line:
        at = comment_start(line, language)
        line = line if at is None else line[:at]
    return line.rstrip()


def comment_start(line: str, language: Language) -> int | None:
    """Where a line comment begins in ``line``, if one does."""
    return _scan(line, language)[0]


def ends_in_string(line: str, language: Language) -> bool:
    """Is a string still open at the end of ``line``, as far as the line alone can tell?"""
    return _scan(line, language)[1]


def _scan(line: str, language: Language) -> tuple[int | None, bool]:
    """Where a comment begins, and whether a string is open at the end: by the quotes of this line alone."""
    quote = ""
    for token in _tokens(language).finditer(line):
        word = token.group()
        if quote:
            quote = "" if word == quote else quote
        elif word in language.quotes:
            quote = word
        elif not word.startswith("\\") and _begins_comment(line, token.start(), word):
            return token.start(), False
    return None, bool(quote)


def _begins_comment(line: str, at: int, word: str) -> bool:
    """``#`` inside a word (``$#``, ``a#b``) begins no comment, nor does ``//`` after a colon, as in an address."""
    before = line[at - 1] if at else " "
    return before.isspace() or before in ";,(){}[]" if word == "#" else before != ":"


@cache
def _tokens(language: Language) -> re.Pattern[str]:
    words = [re.escape(quote) for quote in language.quotes] + [r"\\."]
    if language.line_comment:
        words.append(re.escape(language.line_comment))
    return re.compile("|".join(words))


@cache
def _opens(language: Language) -> re.Pattern[str]:
    return re.compile(language.opens)


@cache
def _closes(language: Language) -> re.Pattern[str]:
    words = [re.escape(word) + (r"\b" if word[-1].isalpha() else "") for word in language.closers]
    return re.compile(rf"\s*(?:{'|'.join(words)})")
