"""The user's instruction, written as a comment at the top of the selected code: ``# devstral: use a dictionary``."""

from __future__ import annotations

import re

from devstral_ls.languages.language import Language
from devstral_ls.text import Snapshot, Span

MARK = "devstral:"

_MAX_LINES = 10
"""Lines of one instruction."""


def instruction_for(snapshot: Snapshot, span: Span, target: Span | None, language: Language) -> tuple[str, Span] | None:
    """The instruction at ``span``, else the one above ``target``, the code that contains it, and its lines."""
    instruction = _instruction_above(snapshot, span, language)
    if instruction is None and target is not None:
        instruction = _instruction_above(snapshot, Span(target.start, target.start), language)
    return instruction


def _instruction_above(snapshot: Snapshot, span: Span, language: Language) -> tuple[str, Span] | None:
    """The instruction on the first lines of ``span`` or right above it, and its lines; None without one."""
    first = snapshot.line_at(span.start)
    last_line = snapshot.line_at(span.end)
    for start in range(first, max(-1, first - _MAX_LINES - 1), -1):
        if _comment_text(snapshot.line(start), language) is None and start < first:
            return None
        first_words = _text_behind_mark(snapshot.line(start), language)
        if first_words is not None:
            return _whole_comment(snapshot, start, first_words, last_line, language)
    return None


def _whole_comment(
    snapshot: Snapshot, start: int, first_words: str, last_line: int, language: Language
) -> tuple[str, Span]:
    parts, end = [first_words], start
    for line in range(start + 1, min(start + _MAX_LINES, last_line, snapshot.n_lines - 1) + 1):
        more = _comment_text(snapshot.line(line), language)
        if more is None:
            break
        parts.append(more)
        end = line
    return " ".join(parts).strip(), Span(snapshot.line_starts[start], snapshot.line_span(end).end)


def _text_behind_mark(line: str, language: Language) -> str | None:
    text = _comment_text(line, language)
    if text is None or not text.lower().startswith(MARK):
        return None
    return text[len(MARK) :].strip()


def _comment_text(line: str, language: Language) -> str | None:
    """The text of a line that is a comment and nothing else; None for any other line."""
    stripped = line.strip()
    if language.line_comment and stripped.startswith(language.line_comment):
        return re.sub(r"^[/#!;-]+\s*", "", stripped)
    if language.block_comment and stripped.startswith(language.block_comment[0]):
        inner = stripped.removeprefix(language.block_comment[0]).removesuffix(language.block_comment[1])
        return inner.strip(" *")
    return None
