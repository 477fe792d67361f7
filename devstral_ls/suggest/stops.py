"""When to stop reading the stream: enough was written, or nothing good can follow.

Stopping early is what makes a slow model bearable: the next line, the end of the block, the line that is already
there below the cursor. ``cut`` is a pure function of what was streamed so far. Where a block ends is told by brackets and
indentation, for each token anew and while the text is broken; ``tests/suggest/test_stops.py`` holds it to the tree.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from devstral_ls.languages.language import Language
from devstral_ls.languages.lexing import CLOSERS, indent_width
from devstral_ls.suggest.postprocess.draft import CursorContext

MAX_LINES = 20
"""Lines of one suggestion."""

MAX_REPEATS = 3
"""A line, or a few lines, that come this often in a row are a loop."""

MAX_PERIOD = 3
"""Lines of a loop."""

_TAIL = re.compile(r"(?:\(\))?[;,]?")
"""What belongs to a closer that it stands behind: ``go func() {`` ends with ``}()``."""

MIN_REPEATED = 4
"""Characters of a line that counts as repeated; closers come again by right."""


def cut(text: str, place: CursorContext) -> str | None:
    """The answer, if ``text`` already holds all of it; ``None`` to read on."""
    if "\n" not in text:
        return None
    if place.fills_gap:
        return _cut_filling(text, place)
    if place.multiline:
        return _cut_lines(text, place)
    # Behind an accepted suggestion, the line end that comes first is part of the next one.
    lead = len(text) - len(text.lstrip()) if place.follows_accepted and not text.lstrip(" \t")[:1].strip("\n") else 0
    end = text.find("\n", lead)
    return None if end < 0 else text[:end]


def _cut_filling(text: str, place: CursorContext) -> str | None:
    """Keep streaming to the model's own end: the first line, cut, would no longer fit the text after the cursor. The first
    line alone where the model does not end.
    """
    first, *whole, _unfinished = text.split("\n")
    for n, line in enumerate(whole):
        if (line.strip() and _already_below(line, place)) or _loop([first, *whole[: n + 1]]) is not None:
            return first
    return first if len(whole) >= MAX_LINES else None


def _cut_lines(text: str, place: CursorContext) -> str | None:
    """Cut at the first whole line that is not in the block any more."""
    *whole, unfinished = text.split("\n")
    block = _block(place, [*whole, unfinished])
    closed = _end_of_block("\n".join(whole), place)
    for n, line in enumerate(whole):
        if closed is not None and len("\n".join(whole[: n + 1])) >= closed:
            return text[:closed] if place.line_after.strip() else text[:closed].rstrip("\n")
        if n == 0 or not line.strip():
            continue
        if _already_below(line, place):
            return "\n".join(whole[:n])
        if _leaves_block(line, whole[:n], block, place):
            return "\n".join(whole[: n + _is_own_closer(line, place)])
        if (period := _loop(whole[: n + 1])) is not None:
            return "\n".join(whole[: n + 1 - (MAX_REPEATS - 1) * period])
    # By its first character a line of an indented block says whether it is in it; the rest need not be written.
    if place.language.offside and unfinished.strip() and _leaves_block(unfinished, whole, block, place):
        return "\n".join(whole)
    return "\n".join(whole) if len(whole) >= MAX_LINES else None


class _Block(NamedTuple):
    """What a line of the block looks like."""

    base: int
    """Columns it is indented by at least."""
    items: tuple[str, ...]
    """What it begins with, if it is indented by no more; empty: anything."""


def _block(place: CursorContext, lines: list[str]) -> _Block:
    """By the first line written, or by the cursor's line."""
    is_header = bool(place.line_before.strip())
    first = next((n for n, line in enumerate(lines) if line.strip() and n >= is_header), 0)
    written = indent_width(("" if first else place.line_before) + lines[first])
    items = place.language.items if first >= is_header and _is_item(lines[first], place.language.items) else ()
    if not is_header:
        return _Block(written, items)
    # After a header (`def f():`, `do`) the body is indented further than the header's line; but for `steps:` and `- run`.
    header = indent_width(place.line_before)
    return _Block(header, items) if items and written == header else _Block(header + 1, ())


def _is_item(line: str, items: tuple[str, ...]) -> bool:
    return f"{line.strip()} ".startswith(items) if items else False


def _end_of_block(text: str, place: CursorContext) -> int | None:
    """Where the block ends by its brackets, if it does: behind the closers it needs, or at the end of the line above
    the first one that it does not need.
    """
    if place.language.loose_brackets:
        return None
    needed = list(place.missing)
    end: int | None = None
    for at, closer in place.scan(text).closing:
        if closer in (place.quote, place.outer):
            continue
        if end is not None and text[end:at].strip(" \t"):
            break
        if needed and closer == needed[0]:
            needed.pop(0)
            if end is not None or (closer == "}" and _begins_line(text, at)):
                end = at + 1
        elif end is not None:
            break
        elif _begins_line(text, at):
            # Where the closer stands behind the cursor, it goes to the line the answer wanted it on.
            return at if place.line_after.startswith(closer) else max(text.rfind("\n", 0, at), 0)
    tail = None if end is None else _TAIL.match(text, end)
    return None if tail is None else tail.end()


def _begins_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip()


def _leaves_block(line: str, above: list[str], block: _Block, place: CursorContext) -> bool:
    """True when the line is further left than the block, in a language where that ends it."""
    columns = indent_width(line)
    is_inside = columns > block.base or (columns == block.base and (not block.items or _is_item(line, block.items)))
    if _by_brackets(place.language) or is_inside:
        return False
    written = place.scan("\n".join(above))
    n_open = len(place.before.due) - len(written.closing)
    # Inside brackets and long strings, indentation means nothing.
    return not written.due and not written.in_string and n_open <= 0


def _by_brackets(language: Language) -> bool:
    """True when brackets alone end its blocks."""
    return not language.offside and CLOSERS.issuperset(language.closers)


def _is_own_closer(line: str, place: CursorContext) -> bool:
    """True for the word that ends the block (``end``, ``done``), where it does not stand below the cursor yet."""
    return line.strip() in place.language.closers and line.rstrip() != place.next_line.rstrip()


def _already_below(line: str, place: CursorContext) -> bool:
    return line.rstrip() == place.next_line.rstrip() and bool(line.strip(" \t)]};,"))


def _loop(lines: list[str]) -> int | None:
    """How many lines the loop has that ``lines`` end with; ``None`` where they end with none."""
    for period in range(1, MAX_PERIOD + 1):
        last = [line.strip() for line in lines[-MAX_REPEATS * period :]]
        once = last[:period]
        if last == once * MAX_REPEATS and sum(map(len, once)) >= MIN_REPEATED * period:
            return period
    return None
