"""The cut of a document that goes into a prompt: sticky at both ends, so that typing leaves it where it is.

The window's ends lie on multiples of a block of lines, counted from the top for the prefix and from the bottom for the
suffix. Typing changes neither number, so the text before and after the cursor stays the same from key to key and the
engine's KV cache holds it already (measured in ``quality.md``: a window that slides by characters re-reads
everything, sticky blocks re-read 6 of 4,656 characters).
"""

from __future__ import annotations

from dataclasses import dataclass

from devstral_ls.languages.scopes.tree import CursorScope
from devstral_ls.text import Snapshot, Span

CHARACTERS_PER_TOKEN = 3.2
"""Of code, on the low side: measured 3.0 to 4.1 with the vocabularies of Qwen2.5-Coder and Tekken."""

TOKENS_PER_LINE = 11
"""Of code, about; only sets the size of the blocks."""

CONTEXT_SHARE = 0.2
"""The most of the prefix's budget that imports and headers from above the window may take."""

MAX_LINE = 2_000
"""A window does not begin inside a line shorter than this, in characters."""


@dataclass(frozen=True, slots=True)
class Window:
    """What of the document is shown to the model."""

    prefix: str
    """Ends at the cursor."""
    suffix: str
    """Begins at the cursor."""


def cut(snapshot: Snapshot, offset: int, scope: CursorScope, *, budget: int, suffix_share: float) -> Window:
    """The window around ``offset``.

    Args:
        snapshot: the document.
        offset: the cursor, in code points.
        scope: what is known of the place; imports and enclosing headers above the window are put in front of it.
        budget: prompt tokens to spend, about; the engine counts exactly and refuses what is too long.
        suffix_share: the part of the budget, 0 to 1, for what follows the cursor.
    """
    n_suffix = int(budget * suffix_share * CHARACTERS_PER_TOKEN)
    end = _end(snapshot, offset, n_suffix, block_lines(budget * suffix_share))
    # What a short suffix leaves over goes to the prefix; typing does not change it.
    n_prefix = int(budget * CHARACTERS_PER_TOKEN) - min(n_suffix, end - offset)
    start = _start(snapshot, offset, n_prefix, block_lines(budget * (1 - suffix_share)))
    above = _from_above(snapshot, scope, start, int(n_prefix * CONTEXT_SHARE))
    return Window(prefix=above + snapshot.text[start:offset], suffix=snapshot.text[offset:end])


def block_lines(n_tokens: float) -> int:
    """Lines in a block: a power of two, half of the budget at most, from 4 to 64.

    The larger the block, the more lines are typed before the window moves and all of it is read again; the smaller,
    the less of the budget lies idle after a move.
    """
    block = 4
    while block < 64 and block * 2 * TOKENS_PER_LINE <= n_tokens / 2:
        block *= 2
    return block


def _start(snapshot: Snapshot, offset: int, n_characters: int, block: int) -> int:
    """Where the prefix begins: the first multiple of ``block`` lines that is near enough to the cursor."""
    cursor_line = snapshot.line_at(offset)
    # From the line's beginning, so that typing on a line never moves the window.
    furthest = snapshot.line_starts[cursor_line] - n_characters
    if furthest <= 0 and offset <= max(n_characters, MAX_LINE):
        return 0
    first_line = snapshot.line_at(max(furthest, 0)) + 1
    line = -(-first_line // block) * block
    start = snapshot.line_starts[min(line, cursor_line)]
    return start if offset - start <= max(n_characters, MAX_LINE) else _inside_line(start, offset, n_characters)


def _inside_line(line_start: int, offset: int, n_characters: int) -> int:
    """A sticky place inside an overlong line."""
    step = max(1, n_characters // 2)
    return line_start + -(-(offset - n_characters - line_start) // step) * step


def _end(snapshot: Snapshot, offset: int, n_characters: int, block: int) -> int:
    """Where the suffix ends: the last multiple of ``block`` lines, counted from the bottom, that is near enough."""
    n_text = len(snapshot.text)
    furthest = offset + n_characters
    if furthest >= n_text:
        return n_text
    n_lines = snapshot.n_lines
    n_below = -(-(n_lines - snapshot.line_at(furthest)) // block) * block
    line = n_lines - n_below
    if line <= snapshot.line_at(offset):
        line_end = snapshot.line_span(snapshot.line_at(offset)).end
        return min(line_end, furthest)
    return snapshot.line_starts[line]


def _from_above(snapshot: Snapshot, scope: CursorScope, start: int, n_characters: int) -> str:
    """Headers of the enclosing scopes and imports that lie above the window, headers first where room is short."""
    room = n_characters
    kept: list[Span] = []
    headers = [enclosing.header for enclosing in reversed(scope.scopes)]
    for span in (*headers, *scope.imports):
        if span.end <= start and len(span) < room:
            kept.append(span)
            room -= len(span) + 1
    return "".join(f"{_whole_lines(snapshot, span)}\n" for span in sorted(set(kept)))


def _whole_lines(snapshot: Snapshot, span: Span) -> str:
    """The text at ``span`` with the indentation before it, without its last line end."""
    start = snapshot.line_starts[snapshot.line_at(span.start)]
    lead = snapshot.text[start : span.start]
    return (lead if not lead.strip() else "") + snapshot.of(span).rstrip("\r\n")
