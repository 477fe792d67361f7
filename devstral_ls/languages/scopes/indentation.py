"""The scopes around a cursor without a grammar, from indentation, keywords and brackets, with bounded work."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from devstral_ls.languages.language import Language
from devstral_ls.languages.lexing import (
    bracket_balance,
    comment_start,
    ends_in_string,
    indent_width,
    is_comment_line,
    strip_comment,
)
from devstral_ls.languages.scopes.blocks import block_due
from devstral_ls.languages.scopes.cursor import CursorScope, Scope
from devstral_ls.languages.scopes.headers import Header, continues_header, header_of, is_namespace
from devstral_ls.languages.scopes.lines import Lines, closes_block, opens_block
from devstral_ls.text import Snapshot, Span

MAX_LINES = 2_000
"""Lines read above the cursor, and again below it."""

MAX_SCOPES = 64
"""Scopes returned, the innermost ones."""

_BEFORE, _AFTER = 128 * 1024, 64 * 1024
_IMPORT_CHARS, _IMPORT_LINES, _LONGEST_IMPORT = 32 * 1024, 400, 100
_BLOCK_COMMENT_CHARS, _LONG_STRING_CHARS = 8_000, 64 * 1024
_LONGEST_HEADER = 40
_ACCESS_LABEL = re.compile(r"\s*(?:public|private|protected|signals)\b[^(){};]*:$")


@dataclass(frozen=True, slots=True)
class _HeaderLines:
    """A header, the numbers of its first and last line, and its column."""

    header: Header
    first: int
    last: int
    indent: int


def scope_by_indentation(
    snapshot: Snapshot, offset: int, language: Language, known_imports: tuple[Span, ...] = ()
) -> CursorScope:
    """What surrounds the cursor, as ``tree.scope_at`` returns it; ``in_comment`` and ``in_string`` are best efforts.

    Imports are searched for only when ``known_imports`` is empty.
    """
    lines = Lines(snapshot, offset, _BEFORE, _AFTER)
    scopes = _scopes(lines, language)
    in_comment, in_string = _lexical(lines, language)
    inside = bool(scopes) and scopes[-1].body.start <= offset
    due = not in_comment and not in_string and block_due(snapshot, offset, language, in_definition=inside)
    return CursorScope(scopes, known_imports or import_spans(snapshot, language), in_comment, in_string, due)


def import_spans(snapshot: Snapshot, language: Language) -> tuple[Span, ...]:
    """The import statements that begin at column 0 in the first lines."""
    if not language.imports:
        return ()
    text, pattern = snapshot.text, _pattern(language.imports)
    starts = snapshot.line_starts_within(0, _IMPORT_CHARS)[:_IMPORT_LINES]
    spans: list[Span] = []
    for number, start in enumerate(starts):
        if (not spans or start >= spans[-1].end) and pattern.match(text, start):
            spans.append(Span(start, _import_end(text, starts, number)))
    return tuple(spans)


def _import_end(text: str, starts: list[int], number: int) -> int:
    """The end of the line that closes the brackets opened since line ``number``; else the end of that line."""
    balance, first_end = 0, -1
    for at in range(number, min(number + _LONGEST_IMPORT, len(starts))):
        end = starts[at + 1] if at + 1 < len(starts) else min(len(text), starts[at] + _IMPORT_CHARS)
        line = text[starts[at] : end].rstrip()
        end = starts[at] + len(line)
        first_end = end if first_end < 0 else first_end
        balance += bracket_balance(line)
        if balance <= 0:
            return end
    return first_end


def _scopes(lines: Lines, language: Language) -> tuple[Scope, ...]:
    headers = _enclosing(lines, language)[:MAX_SCOPES]
    ends = _ends(lines, language, [header.indent for header in headers])
    scopes = [_scope(lines, language, header, *end) for header, end in zip(headers, ends, strict=True)]
    return tuple(reversed(scopes))


def _enclosing(lines: Lines, language: Language) -> list[_HeaderLines]:
    """The headers around the cursor, innermost first."""
    headers, limit = [], _limit(lines, language)
    if own := _own_line(lines, language):
        headers.append(own)
        limit = own.indent
    last: int | None = None
    """The last line of a header whose first line has not been reached yet."""
    for at, line in lines.up(lines.cursor, MAX_LINES):
        if limit == 0:
            break
        indent = indent_width(line)
        if indent >= limit or _is_aside(line, language):
            continue
        opened = opens_block(line, language)
        if last is None and opened and line.lstrip()[0] in "{)]":
            last, limit = at, indent + 1
            continue
        end = last if last is not None else at if opened else _header_end(lines, at, line, language)
        if end is not None and (header := header_of(_joined(lines, at, end), language, opened=True)):
            headers.append(_HeaderLines(header, at, end, indent))
        elif last is not None and last - at < _LONGEST_HEADER and continues_header(line):
            continue
        last, limit = None, indent
    return headers + _flat_namespaces(lines, language, headers[-1].first if headers else lines.cursor)


def _flat_namespaces(lines: Lines, language: Language, below: int) -> list[_HeaderLines]:
    """Namespaces at column 0 around line ``below``, innermost first: by counting the braces in column 0."""
    namespaces: list[_HeaderLines] = []
    if language.offside or "{" not in language.block_openers:
        return namespaces
    n_closed, brace = 0, None
    for at in range(below - 1, max(-1, below - 1 - MAX_LINES), -1):
        if lines.text[lines.starts[at]].isspace():  # most lines: blank, or further right
            continue
        line = lines.at(at)
        if _is_aside(line, language):
            continue
        opens = line.endswith("{")
        if opens and n_closed:
            n_closed -= 1
        elif opens and line == "{":
            brace = at
            continue
        elif (opens or brace is not None) and is_namespace(line):
            header = header_of(line, language, opened=True)
            if header is not None and header.kind == "class":
                namespaces.append(_HeaderLines(header, at, at if brace is None else brace, -1))
        n_closed, brace = n_closed + line.startswith("}"), None
    return namespaces


def _header_end(lines: Lines, at: int, line: str, language: Language) -> int | None:
    """The line that closes the brackets which ``line`` leaves open, if a block begins after it."""
    balance = bracket_balance(line)
    if balance <= 0:
        return None
    for below, more in lines.down(at, _LONGEST_HEADER):
        balance += bracket_balance(more.rstrip("{"))
        if balance <= 0 or below >= lines.cursor:
            return below if below < lines.cursor and opens_block(_joined(lines, at, below), language) else None
    return None


def _joined(lines: Lines, first: int, last: int) -> str:
    """A header as one line."""
    last = min(last, first + _LONGEST_HEADER)
    return " ".join([lines.at(first), *(lines.at(line).strip() for line in range(first + 1, last + 1))])


def _limit(lines: Lines, language: Language) -> int:
    """The column that a line must begin left of to enclose the cursor."""
    if not lines.is_blank:
        return indent_width(lines.at(lines.cursor))
    at, above = next(lines.up(lines.cursor, MAX_LINES), (0, ""))
    column = indent_width(lines.before + ".")
    if above and at == lines.cursor - 1 and opens_block(above, language):
        return max(column, indent_width(above) + 1)
    if lines.before:
        return column
    _, below = next(lines.down(lines.cursor, MAX_LINES), (0, ""))
    if not below:
        return 0 if language.offside or closes_block(above, language) else indent_width(above)
    return min(indent_width(above), indent_width(below) + closes_block(below, language))


def _own_line(lines: Lines, language: Language) -> _HeaderLines | None:
    """The header on the cursor's line, if the cursor is behind the opening of its block: ``def f():▮``, ``f() { return ▮``."""
    before = lines.before
    if not before.strip() or len(before) > lines.offset - lines.starts[lines.cursor]:
        return None
    at = before.rfind("{")
    if at >= 0 and "}" not in before[at:]:
        before = before[: at + 1]
    header = header_of(before, language, opened=opens_block(before, language))
    return header and _HeaderLines(header, lines.cursor, lines.cursor, indent_width(before))


def _is_aside(line: str, language: Language) -> bool:
    """True when the column of ``line`` means nothing: a comment, a decorator, a preprocessor line, an access label."""
    stripped = line.lstrip()
    return stripped.startswith(("#", "@")) or is_comment_line(line, language) or _ACCESS_LABEL.match(line) is not None


def _ends(lines: Lines, language: Language, indents: list[int]) -> list[tuple[int, int]]:
    """The ends of the body and of the whole definition for each header, innermost first."""
    ends: list[tuple[int, int]] = []
    last_end = lines.offset + len(lines.after.rstrip())
    below = lines.down(lines.cursor, MAX_LINES) if indents else iter(())
    for at, line in below:
        if len(ends) == len(indents):
            break
        indent, end = indent_width(line), lines.starts[at] + len(line)
        while len(ends) < len(indents) and indent <= indents[len(ends)] and not _is_aside(line, language):
            closing = indent == indents[len(ends)] and not language.offside and closes_block(line, language)
            ends.append((lines.starts[at] + len(line) - len(line.lstrip()), end) if closing else (last_end, last_end))
        last_end = end
    return ends + [(last_end, last_end)] * (len(indents) - len(ends))


def _scope(lines: Lines, language: Language, header: _HeaderLines, body_end: int, end: int) -> Scope:
    first, last = lines.at(header.first), lines.at(header.last)
    start = lines.starts[header.first] + len(first) - len(first.lstrip())
    header_end = lines.starts[header.last] + _header_length(lines, language, header.last, last)
    span_start = start
    for at, line in lines.up(header.first, _LONGEST_HEADER):
        if not line.lstrip().startswith(("@", "#[")) or indent_width(line) != header.indent:
            break
        span_start = lines.starts[at] + len(line) - len(line.lstrip())
    body = Span(header_end, max(header_end, body_end))
    span = Span(span_start, max(body.end, end))
    return Scope(header.header.kind, header.header.name, span, Span(start, header_end), body)


def _header_length(lines: Lines, language: Language, number: int, line: str) -> int:
    if number != lines.cursor:
        return len(strip_comment(line, language))
    before = lines.before
    return before.rfind("{") + 1 or len(before.rstrip())


def _lexical(lines: Lines, language: Language) -> tuple[bool, bool]:
    """Whether the cursor is in a comment, and whether it is in a string."""
    before = lines.before
    if comment_start(before, language) is not None or _in_block_comment(lines, language):
        return True, False
    return False, ends_in_string(before, language) or _in_long_string(lines, language)


def _in_block_comment(lines: Lines, language: Language) -> bool:
    """True when a block comment is open that began a line."""
    if not language.block_comment:
        return False
    opener, closer = language.block_comment
    low = max(0, lines.offset - _BLOCK_COMMENT_CHARS)
    at = lines.text.rfind(opener, low, lines.offset)
    if at < 0 or lines.text.find(closer, at + len(opener), lines.offset) >= 0:
        return False
    line_start = max(lines.text.rfind("\n", low, at), lines.text.rfind("\r", low, at)) + 1
    return not lines.text[max(line_start, low) : at].strip()


def _in_long_string(lines: Lines, language: Language) -> bool:
    """True when a string that may hold line ends is open: the number of its quotes before the cursor is odd."""
    return lines.offset <= _LONG_STRING_CHARS and any(
        lines.text.count(quote, 0, lines.offset) % 2 for quote in language.long_quotes
    )


@cache
def _pattern(source: str) -> re.Pattern[str]:
    return re.compile(source)
