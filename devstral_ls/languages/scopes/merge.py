"""Put the scopes of a broken tree and those that indentation tells together."""

from __future__ import annotations

import re
from collections.abc import Sequence

from devstral_ls.languages.scopes.cursor import Scope
from devstral_ls.languages.scopes.lines import MAX_LINE_CHARS, indent_of


def merge_scopes(
    text: str, offset: int, by_tree: Sequence[Scope], is_sound: Sequence[bool], by_lines: Sequence[Scope]
) -> tuple[Scope, ...]:
    """The scopes around ``offset``, outermost first.

    Inside a definition that was parsed without an error the tree is right. Around it, indentation says which
    definitions there are, and the tree what it knows of them. The tree alone sees definitions with an unusual layout, but
    it also takes what follows a forgotten brace for the inside of a function: that one must be indented less.
    """
    sound = next((one for one, whole in zip(by_tree, is_sound, strict=True) if whole), None)
    chosen = {one.header.end: one for one in by_lines if sound is None or not _inside(one, sound)}
    for one in by_tree:
        known = chosen.get(one.header.end)
        if one.body.start <= offset if known is None else one.name or not known.name:
            chosen[one.header.end] = one
    scopes = sorted(chosen.values(), key=lambda one: (one.header.end, one.span.start))
    trusted = {one.header.end for one in by_lines}
    if sound is not None:
        trusted |= {one.header.end for one in by_tree if one == sound or _inside(one, sound)}
    columns = [_column(text, one.header.start) for one in scopes]
    columns.append(_cursor_column(text, offset))
    return tuple(
        one
        for at, one in enumerate(scopes)
        if one.kind == "class" or one.header.end in trusted or columns[at] < min(columns[at + 1 :])
    )


def _inside(one: Scope, other: Scope) -> bool:
    return other.header.end < one.header.end <= other.body.end


def _column(text: str, at: int) -> int:
    return indent_of(_before(text, at) + ".")


def _cursor_column(text: str, offset: int) -> int:
    """The column of the cursor's line; of an empty one, which says nothing, a very large one."""
    before, after = _before(text, offset), re.match(r"[^\r\n]*", text[offset : offset + MAX_LINE_CHARS])
    line = before + (after[0].rstrip() if after else "")
    return indent_of(line + ".") if line else MAX_LINE_CHARS


def _before(text: str, at: int) -> str:
    low = max(0, at - MAX_LINE_CHARS)
    return text[max(text.rfind("\n", low, at), text.rfind("\r", low, at), low - 1) + 1 : at]
