"""Cuts the window of a document that goes into a prompt, with sticky ends: typing does not move them.

The ends lie on multiples of a block of lines, counted from the top for the prefix and from the bottom for the suffix.
Typing changes neither number, so both texts begin and end alike from key to key and stay in the engine's KV cache
(measured in ``quality.md``: with a window that slides by characters the engine reads everything again, with sticky
blocks 6 of 4,656 characters).
"""

from __future__ import annotations

from dataclasses import dataclass

from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.text import Snapshot, Span

CHARACTERS_PER_TOKEN = 3.2
"""Of code, a low estimate: measured 3.0 to 4.1 with the vocabularies of Qwen2.5-Coder and Tekken."""

TOKENS_PER_LINE = 11
"""Of code, a rough average; only used for the size of the blocks."""

CONTEXT_SHARE = 0.2
"""The largest share of the prefix's budget for imports and headers from above the window."""

MAX_LINE = 2_000
"""Characters; a window never begins inside a shorter line."""


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a document that the model is shown."""

    prefix: str
    """Ends at the cursor."""
    suffix: str
    """Begins at the cursor."""


def cut_window(snapshot: Snapshot, offset: int, scope: CursorScope, *, budget: int, suffix_share: float) -> Window:
    """The window around ``offset``.

    Args:
        snapshot: the document.
        offset: the cursor, in code points.
        scope: what surrounds the cursor; imports and enclosing headers from above the window are put in front of it.
        budget: about the tokens of the prompt; the engine counts them exactly and rejects prompts that are too long.
        suffix_share: the share of the budget, 0 to 1, for the suffix.
    """
    n_suffix = int(budget * suffix_share * CHARACTERS_PER_TOKEN)
    end = _end(snapshot, offset, n_suffix, block_lines(budget * suffix_share))
    # What a short suffix leaves over goes to the prefix; typing does not change it.
    n_prefix = int(budget * CHARACTERS_PER_TOKEN) - min(n_suffix, end - offset)
    start = _start(snapshot, offset, n_prefix, block_lines(budget * (1 - suffix_share)))
    above = _from_above(snapshot, scope, start, int(n_prefix * CONTEXT_SHARE))
    return Window(prefix=above + snapshot.text[start:offset], suffix=snapshot.text[offset:end])


def block_lines(n_tokens: float) -> int:
    """Lines in a block: a power of two from 4 to 64, with half of the budget at most.

    With larger blocks more lines are typed before the window moves and the engine reads all of it again; with smaller
    ones less of the budget is unused after a move.
    """
    block = 4
    while block < 64 and block * 2 * TOKENS_PER_LINE <= n_tokens / 2:
        block *= 2
    return block


def _start(snapshot: Snapshot, offset: int, n_characters: int, block: int) -> int:
    """The start of the prefix: the first multiple of ``block`` lines that is near enough to the cursor."""
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
    """A sticky start inside an overlong line."""
    step = max(1, n_characters // 2)
    return line_start + -(-(offset - n_characters - line_start) // step) * step


def _end(snapshot: Snapshot, offset: int, n_characters: int, block: int) -> int:
    """The end of the suffix: the last multiple of ``block`` lines, counted from the bottom, that is near enough."""
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
    """The headers of enclosing scopes and the imports above the window; headers first where there is little room."""
    room = n_characters
    spans: list[Span] = []
    headers = [enclosing.header for enclosing in reversed(scope.scopes)]
    for span in (*headers, *scope.imports):
        if span.end <= start and len(span) < room:
            spans.append(span)
            room -= len(span) + 1
    return "".join(f"{_whole_lines(snapshot, span)}\n" for span in sorted(set(spans)))


def _whole_lines(snapshot: Snapshot, span: Span) -> str:
    """The text at ``span`` with the indentation before it, without its final line end."""
    start = snapshot.line_starts[snapshot.line_at(span.start)]
    lead = snapshot.text[start : span.start]
    return (lead if not lead.strip() else "") + snapshot.of(span).rstrip("\r\n")
