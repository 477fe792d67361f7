"""Comments, strings, brackets, indentation and names of code, read by the row of its language and without a parse.

Two readings, for two sizes of text: ``scan_brackets`` reads strings and comments whole, for a block that may begin or
end anywhere; ``comment_start``, ``ends_in_string`` and ``open_string`` follow the quotes of a single line, for a line whose surroundings
are unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from devstral_ls.languages.language import Language

TAB_COLUMNS = 8
"""A tab goes on to the next multiple of it, as in CPython's tokenizer, tree-sitter-python and GNU-style C, which mixes
tabs and spaces by that rule."""

OPENERS = {"(": ")", "[": "]", "{": "}"}
CLOSERS = frozenset(OPENERS.values())
QUOTES = "\"'`"

CLOSING = frozenset(")]}>\"'`;:,")
"""What editors insert behind the cursor by themselves, and what ends a statement."""

_REGEX = (
    r"(?:(?<=[(,=:\[!&|?{;~])|(?<==>)|(?<=\breturn))\s{0,200}"
    r"/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n]){0,80}\]|[^/\\\[\n]){1,200}/"
)
"""A pattern between slashes: a division has a value before it. Bounded, else a line of brackets takes quadratic time."""

_QUALIFIED_NAME = re.compile(r"[A-Za-z_$][\w$]{2,}(?:(?:\.|::)[A-Za-z_$][\w$]*)?")
_NOT_BEHIND_DOT = re.compile(r"(?<![\w.])" + _QUALIFIED_NAME.pattern)


def indent_width(line: str) -> int:
    """The column at which the text of ``line`` begins, from 0; see ``TAB_COLUMNS``."""
    white = line[: len(line) - len(line.lstrip())]
    return len(white.expandtabs(TAB_COLUMNS) if "\t" in white else white)


def bracket_balance(line: str) -> int:
    """Opening brackets of ``line`` less its closing ones; strings and comments are not left out."""
    return sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))


def qualified_names(text: str, *, behind_dot: bool = True) -> Iterator[str]:
    """The names in ``text`` of three characters and more, each with one member: ``a.b`` for ``a.b`` and ``a::b``.

    Without ``behind_dot``, those that follow a dot or a digit are left out: ``c`` of ``a.b.c`` is a member of something.
    """
    pattern = _QUALIFIED_NAME if behind_dot else _NOT_BEHIND_DOT
    return (match[0].replace("::", ".") for match in pattern.finditer(text))


def only_closing(text: str) -> bool:
    """True when ``text`` holds nothing but closers, quotes, punctuation that ends a line, and white space."""
    return all(c in CLOSING or c.isspace() for c in text)


def is_comment_line(line: str, language: Language) -> bool:
    """True when ``line`` is all comment: a line comment, or a line of a block comment written with leading stars."""
    stripped = line.lstrip()
    if language.line_comment and stripped.startswith(language.line_comment):
        return True
    if not language.block_comment:
        return False
    opener, closer = language.block_comment
    return stripped.startswith((opener, closer)) or (opener == "/*" and stripped.startswith(("* ", "*/")))


def strip_comment(line: str, language: Language) -> str:
    """``line`` without its line comment and trailing white space."""
    token = language.line_comment
    if token and token in line:
        at = comment_start(line, language)
        line = line if at is None else line[:at]
    return line.rstrip()


def comment_start(line: str, language: Language) -> int | None:
    """The offset of the line comment in ``line``; ``None`` without one."""
    return _scan_line(line, language)[0]


def ends_in_string(line: str, language: Language) -> bool:
    """True when a string is open at the end of ``line``, judged by this line alone."""
    return bool(_scan_line(line, language)[1])


def open_string(line: str, language: Language) -> tuple[str, int]:
    """The quote that is open at the end of ``line``, which holds no comment, and the offset behind it; else ``("", 0)``."""
    return _scan_line(line, language, has_comments=False)[1:]


def _scan_line(line: str, language: Language, *, has_comments: bool = True) -> tuple[int | None, str, int]:
    """The offset at which a line comment begins, the quote that is open at the end, and the offset behind that quote."""
    quote, start = "", 0
    for token in _line_tokens(language).finditer(line):
        word = token.group()
        if quote:
            quote = "" if word == quote else quote
        elif word in language.quotes:
            quote, start = word, token.end()
        elif has_comments and not word.startswith("\\") and _begins_comment(line, token.start(), word):
            return token.start(), "", 0
    return None, quote, start if quote else 0


def _begins_comment(line: str, at: int, mark: str) -> bool:
    """True unless it is a ``#`` inside a word (``$#``, ``a#b``) or the ``//`` of an address (``https://``)."""
    before = line[at - 1] if at else " "
    return before.isspace() or before in ";,(){}[]" if mark == "#" else before != ":"


@cache
def _line_tokens(language: Language) -> re.Pattern[str]:
    words = [re.escape(quote) for quote in language.quotes] + [r"\\."]
    if language.line_comment:
        words.append(re.escape(language.line_comment))
    return re.compile("|".join(words))


@dataclass(frozen=True, slots=True)
class BracketScan:
    """The brackets and strings that a piece of code leaves open, or closes without having opened them."""

    closing: tuple[tuple[int, str], ...] = ()
    """Offset and character of each unmatched closing bracket, and of the quote that ends the string it begins in."""
    due: str = ""
    """The closers still missing at its end, innermost first."""
    in_string: bool = False
    """True when it ends inside a string that may hold line ends."""


def scan_brackets(code: str, language: Language, quote: str = "", outer: str = "") -> BracketScan:
    """Match the brackets of ``code``, which may begin and end anywhere.

    Args:
        code: the text.
        language: its row.
        quote: the quote of the string that ``code`` begins inside of; empty when it begins in code.
        outer: the quote of the string into which ``code`` is interpolated: behind the bracket that ends the
            interpolation, that string goes on.
    """
    closing: list[tuple[int, str]] = []
    start = 0
    if quote:
        end = re.search(rf"(?<!\\){re.escape(quote)}", code)
        if end is None:
            return BracketScan(in_string=True)
        closing.append((end.start(), quote))
        start = end.end()
    due: list[str] = []
    pattern, long_quotes = _block_tokens(language)
    for match in pattern.finditer(code, start):
        token = match[0]
        if token in OPENERS:
            due.append(OPENERS[token])
        elif token in CLOSERS:
            if token in due:
                while due.pop() != token:
                    pass
            else:
                closing.append((match.start(), token))
                if outer:
                    return _continued(match.end(), scan_brackets(code[match.end() :], language, outer), closing, due)
        elif token in long_quotes:
            return BracketScan(tuple(closing), "".join(reversed(due)), in_string=True)
    return BracketScan(tuple(closing), "".join(reversed(due)))


def _continued(start: int, rest: BracketScan, closing: list[tuple[int, str]], due: list[str]) -> BracketScan:
    """What was found up to ``start``, joined with the scan of the ``rest`` behind it."""
    shifted = ((at + start, token) for at, token in rest.closing)
    return BracketScan((*closing, *shifted), rest.due + "".join(reversed(due)), rest.in_string)


@lru_cache(64)
def _block_tokens(language: Language) -> tuple[re.Pattern[str], frozenset[str]]:
    """Strings and comments whole, brackets, and the quotes of long strings that do not end; and those quotes."""
    long_quotes = [*language.long_quotes, *("`" for c in language.quotes if c == "`")]
    # A backslash is read in one way only: with two, an unclosed string takes twice the time for each of them.
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
