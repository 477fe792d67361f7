"""Merges scopes from a syntax tree that has errors with scopes found by indentation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from devstral_ls.languages.lexing import indent_width
from devstral_ls.languages.scopes.cursor import Scope
from devstral_ls.languages.scopes.lines import MAX_LINE_CHARS


def merge_scopes(
    text: str, offset: int, by_tree: Sequence[Scope], is_sound: Sequence[bool], by_lines: Sequence[Scope]
) -> tuple[Scope, ...]:
    """The scopes around ``offset``, outermost first.

    Inside a definition that was parsed without an error the tree is right. Around it, indentation decides which
    definitions there are, and the tree supplies their details. Only the tree sees definitions with an unusual layout, but
    it also takes what follows a missing brace for the inside of a function; so a function that only the tree sees must be
    indented less than what is in it.
    """
    sound = next((scope for scope, parsed in zip(by_tree, is_sound, strict=True) if parsed), None)
    chosen = {scope.header.end: scope for scope in by_lines if sound is None or not _inside(scope, sound)}
    for scope in by_tree:
        same = chosen.get(scope.header.end)
        if scope.body.start <= offset if same is None else scope.name or not same.name:
            chosen[scope.header.end] = scope
    scopes = sorted(chosen.values(), key=lambda scope: (scope.header.end, scope.span.start))
    trusted = {scope.header.end for scope in by_lines}
    if sound is not None:
        trusted |= {scope.header.end for scope in by_tree if scope == sound or _inside(scope, sound)}
    columns = [_column(text, scope.header.start) for scope in scopes]
    columns.append(_cursor_column(text, offset))
    return tuple(
        scope
        for at, scope in enumerate(scopes)
        if scope.kind == "class" or scope.header.end in trusted or columns[at] < min(columns[at + 1 :])
    )


def _inside(inner: Scope, outer: Scope) -> bool:
    return outer.header.end < inner.header.end <= outer.body.end


def _column(text: str, at: int) -> int:
    return indent_width(_before(text, at) + ".")


def _cursor_column(text: str, offset: int) -> int:
    """The column of the cursor's line; of an empty one, which decides nothing, ``MAX_LINE_CHARS``."""
    before, after = _before(text, offset), re.match(r"[^\r\n]*", text[offset : offset + MAX_LINE_CHARS])
    line = before + (after[0].rstrip() if after else "")
    return indent_width(line + ".") if line else MAX_LINE_CHARS


def _before(text: str, at: int) -> str:
    low = max(0, at - MAX_LINE_CHARS)
    return text[max(text.rfind("\n", low, at), text.rfind("\r", low, at), low - 1) + 1 : at]
