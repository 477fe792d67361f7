"""When to stop reading the stream: enough was written, or nothing good can follow.

Stopping early is what makes a slow model bearable: the next line, the end of the block, the line that is already
there below the cursor. ``cut`` is a pure function of what was streamed so far.
"""

from __future__ import annotations

from devstral_ls.suggest.draft import Place, indentation, width

MAX_LINES = 20
"""Of one suggestion."""

MAX_REPEATS = 3
"""A line that comes this often in a row is a loop."""

MIN_REPEATED = 4
"""Characters of a line that counts as repeated; closers come again by right."""


def cut(text: str, place: Place) -> str | None:
    """The answer, if ``text`` already holds all of it; ``None`` to read on."""
    if "\n" not in text:
        return None
    return _cut_lines(text, place) if place.multiline else _cut_line(text)


def _cut_line(text: str) -> str:
    return text[: text.index("\n")]


def _cut_lines(text: str, place: Place) -> str | None:
    """Cut at the first whole line that does not belong to the block any more."""
    *whole, _unfinished = text.split("\n")
    base = _base_width(place, whole)
    for n, line in enumerate(whole):
        if n == 0 or not line.strip():
            continue
        if _already_below(line, place):
            return "\n".join(whole[:n])
        if width(indentation(line)) < base:
            keep = n + 1 if _closes_block(line, place) else n
            return "\n".join(whole[:keep])
        if _is_loop(whole[: n + 1]):
            return "\n".join(whole[: n + 1 - (MAX_REPEATS - 1)])
    return "\n".join(whole) if len(whole) >= MAX_LINES else None


def _base_width(place: Place, whole: list[str]) -> int:
    """Columns a line of the block has at least: those of the first line written, or of the cursor's line."""
    if place.line_before.strip():
        # After a header (`def f():`, `{`) the body is indented further than the header's line.
        return width(indentation(place.line_before)) + 1
    first = next((n for n, line in enumerate(whole) if line.strip()), 0)
    return width((place.line_before if first == 0 else "") + indentation(whole[first]))


def _closes_block(line: str, place: Place) -> bool:
    """Is it the closer of the block we are in, not there yet below the cursor?"""
    stripped = line.strip()
    return not place.offside and stripped[:1] in "}])" and not place.next_line.strip().startswith(stripped[:1])


def _already_below(line: str, place: Place) -> bool:
    return line.rstrip() == place.next_line.rstrip() and len(line.strip()) >= 1


def _is_loop(lines: list[str]) -> bool:
    last = lines[-MAX_REPEATS:]
    return len(last) == MAX_REPEATS and len(last[0].strip()) >= MIN_REPEATED and len(set(last)) == 1
