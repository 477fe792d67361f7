"""Whether a block is expected at the cursor, or one line: decided from the lines around it, with or without a tree."""

from __future__ import annotations

import re

from devstral_ls.languages.language import Language
from devstral_ls.languages.lexing import indent_width, is_comment_line
from devstral_ls.languages.scopes.lines import Lines, closes_block, opens_block
from devstral_ls.text import Snapshot

_NEAR = 8_000
"""Characters read on each side of the cursor; the next line of code is nearer than that."""

_ONLY_CLOSERS = re.compile(r"[\s)\]};,]*")


def block_due(snapshot: Snapshot, offset: int, language: Language, *, in_definition: bool) -> bool:
    """True when more than one line is expected at ``offset``, which is in code and not inside a comment or string.

    That is at the end of a line that opens a block, on the blank line after it, on a blank line that ends the body of a
    function or class (``in_definition`` is true inside of one), and under a doc comment that has nothing under it yet;
    not in the middle of a statement, and not on a blank line between two statements.
    """
    if not language.opens:
        return False
    lines = Lines(snapshot, offset, _NEAR, _NEAR)
    if not _ONLY_CLOSERS.fullmatch(lines.after):
        return False
    before = lines.before
    if before.strip():
        is_pair = language.offside and before[-1].isspace()  # "a: " in YAML
        return not is_pair and opens_block(before, language)
    return _due_on_blank_line(lines, language, in_definition=in_definition)


def _due_on_blank_line(lines: Lines, language: Language, *, in_definition: bool) -> bool:
    at, above = next(lines.up(lines.cursor, len(lines)), (0, ""))
    if at == lines.cursor - 1 and opens_block(above, language) and not is_comment_line(above, language):
        return True
    ends = bool(lines.after.strip()) or _block_ends(lines, language, indent_width(above))
    if in_definition and ends:
        return True
    if at != lines.cursor - 1 or not _ends_doc_comment(lines, at, language):
        return False
    return ends or not _has_line_below(lines)


def _block_ends(lines: Lines, language: Language, above: int) -> bool:
    """True when nothing of this block follows: a closing token, a less indented line, or the end of the text comes next."""
    at, below = next(lines.down(lines.cursor, len(lines)), (0, ""))
    if not at or closes_block(below, language):
        return True
    return indent_width(below) < (indent_width(lines.before + ".") if lines.before else above)


def _has_line_below(lines: Lines) -> bool:
    return next(lines.down(lines.cursor, 1), None) is not None


def _ends_doc_comment(lines: Lines, at: int, language: Language) -> bool:
    """True when line ``at`` ends a doc comment."""
    above = lines.at(at).lstrip()
    if language.block_comment and above.endswith(language.block_comment[1]):
        begins = lines.text.rfind(language.block_comment[0], lines.starts[0], lines.starts[at] + len(lines.at(at)))
        return begins >= 0 and lines.text.startswith(language.doc_comments, begins)
    if not above.startswith(language.doc_comments):
        return False
    return language.line_comment is not None and is_comment_line(above, language)
