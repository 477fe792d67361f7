"""Brackets and strings that are open or closed beyond a piece of code; works on half a line as well as on a block.

Not a parse: the row of the language says how its strings and comments look, and what is in them is passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from devstral_ls.languages.table import Language

OPENERS = {"(": ")", "[": "]", "{": "}"}
CLOSERS = frozenset(OPENERS.values())
QUOTES = "\"'`"

CLOSING = frozenset(")]}>\"'`;:,")
"""What an editor puts behind the cursor by itself, or a statement ends with."""


_REGEX = (
    r"(?:(?<=[(,=:\[!&|?{;~])|(?<==>)|(?<=\breturn))\s{0,200}"
    r"/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n]){0,80}\]|[^/\\\[\n]){1,200}/"
)
"""A pattern between slashes: those that divide have a value before them. Bounded, or a line of brackets costs its square."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a piece of code leaves open."""

    closing: tuple[tuple[int, str], ...] = ()
    """Brackets, and the quote of the string it begins in, that close nothing in the code itself: offset, character."""
    due: str = ""
    """The closers still due at its end, innermost first."""
    in_string: bool = False
    """Does it end inside a string that may hold line ends?"""


def scan(code: str, language: Language, quote: str = "", outer: str = "") -> Scan:
    """Scan ``code``, which begins inside a string of ``quote`` if that is given, or in code that is interpolated into
    a string of ``outer``: behind the bracket that ends it, the string goes on.
    """
    closing: list[tuple[int, str]] = []
    start = 0
    if quote:
        end = re.search(rf"(?<!\\){re.escape(quote)}", code)
        if end is None:
            return Scan(in_string=True)
        closing.append((end.start(), quote))
        start = end.end()
    due: list[str] = []
    pattern, long_quotes = _pattern(language)
    for match in pattern.finditer(code, start):
        c = match[0]
        if c in OPENERS:
            due.append(OPENERS[c])
        elif c in CLOSERS:
            if c in due:
                while due.pop() != c:
                    pass
            else:
                closing.append((match.start(), c))
                if outer:
                    return _behind(match.end(), scan(code[match.end() :], language, outer), closing, due)
        elif c in long_quotes:
            return Scan(tuple(closing), "".join(reversed(due)), in_string=True)
    return Scan(tuple(closing), "".join(reversed(due)))


def _behind(start: int, rest: Scan, closing: list[tuple[int, str]], due: list[str]) -> Scan:
    """What was found up to ``start``, and in the ``rest`` behind it."""
    shifted = ((at + start, c) for at, c in rest.closing)
    return Scan((*closing, *shifted), rest.due + "".join(reversed(due)), rest.in_string)


@lru_cache(64)
def _pattern(language: Language) -> tuple[re.Pattern[str], frozenset[str]]:
    """What counts in the language: strings and comments whole, brackets, and the quotes of strings that do not end."""
    long_quotes = [*language.long_quotes, *("`" for c in language.quotes if c == "`")]
    # A backslash is read in one way only: in two, a string without an end takes twice as long for each of them.
    parts = [rf"{re.escape(q)}(?:\\[\s\S]|(?!{re.escape(q)})[^\\])*{re.escape(q)}" for q in long_quotes]
    parts += [re.escape(q) for q in long_quotes]
    if language.block_comment:
        opener, closer = map(re.escape, language.block_comment)
        parts.append(rf"{opener}[\s\S]*?(?:{closer}|\Z)")
    if language.line_comment:
        parts.append(rf"{re.escape(language.line_comment)}[^\n]*")
    if language.regexes:
        parts.append(_REGEX)
    parts += [rf"{q}(?:\\.|[^{q}\\\n])*{q}" for q in language.quotes if q != "`"]
    if "'" not in language.quotes:
        parts.append(r"'(?:\\[^\n]+?|[^'\\\n])'")  # a character, where ' alone is something else (Rust's lifetimes)
    parts.append(r"[()\[\]{}]")
    return re.compile("|".join(parts)), frozenset(long_quotes)


def only_closing(text: str) -> bool:
    """Is there nothing in ``text`` but closers, quotes, line-end punctuation and white space."""
    return all(c in CLOSING or c.isspace() for c in text)
