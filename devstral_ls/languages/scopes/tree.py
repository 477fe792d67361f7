"""The definitions and imports around a cursor, from the syntax tree; by indentation where the tree is broken."""

from __future__ import annotations

from dataclasses import dataclass

import tree_sitter

from devstral_ls.languages.scopes import indentation
from devstral_ls.languages.scopes.blocks import block_due
from devstral_ls.languages.scopes.cursor import CursorScope, Scope
from devstral_ls.languages.scopes.definitions import Around, Definition, around
from devstral_ls.languages.scopes.lines import MAX_LINE_CHARS, indent_of
from devstral_ls.languages.scopes.merge import merge_scopes
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.languages.table import language_of
from devstral_ls.text import Snapshot, Span

__all__ = ["CursorScope", "Scope", "literal_end", "scope_at"]

_MAX_COMMENTS = 50
"""Comments between the cursor and the code it goes on from."""


def scope_at(syntax: Syntax | None, snapshot: Snapshot, offset: int) -> CursorScope:
    """Where the cursor is, at ``offset`` in code points. ``syntax`` is the tree of ``snapshot``.

    Without a tree indentation answers, and where the tree has an error both are asked. Never raises.
    """
    text = snapshot.text
    offset = max(0, min(offset, len(text)))
    language = language_of(snapshot.language, snapshot.uri)
    if syntax is None:
        return indentation.scope_at(snapshot, offset, language)
    place = _place(syntax, offset)
    scopes = tuple(_scope(place, one) for one in place.definitions)
    in_comment, in_string = _in_comment(place), _in_string(place)
    imports = syntax.imports
    if syntax.tree.root_node.has_error:
        by_lines = indentation.scope_at(snapshot, offset, language, imports)
        scopes = merge_scopes(text, offset, scopes, [one.is_sound for one in place.definitions], by_lines.scopes)
        in_comment = in_comment or (by_lines.in_comment and not in_string)
        in_string = in_string or (by_lines.in_string and not in_comment)
        imports = by_lines.imports
    scopes = scopes[-indentation.MAX_SCOPES :]
    inside = bool(scopes) and scopes[-1].body.start <= offset
    due = not in_comment and not in_string and block_due(snapshot, offset, language, in_definition=inside)
    return CursorScope(scopes, imports, in_comment, in_string, due)


def literal_end(syntax: Syntax | None, offset: int) -> int:
    """Where the comment or string ends that ``offset`` is in; ``offset`` where it is in none, or nobody knows."""
    if syntax is None or offset <= syntax.start or (syntax.part is not None and offset > syntax.part.end):
        return offset
    byte = syntax.offsets.to_byte(offset)
    found = around(syntax.tree, syntax.grammar, byte)
    ends = [one.end_byte for one in (*found.comments, *found.strings) if one.start_byte < byte < one.end_byte]
    return syntax.offsets.to_char(max(ends)) if ends else offset


@dataclass(frozen=True, slots=True)
class _Place:
    """A cursor in a tree: offsets in bytes but for ``offset``."""

    syntax: Syntax
    offset: int
    byte: int
    anchor: int
    """The end of the code the cursor goes on from: white space, and comments in an offside language, left out."""
    found: Around
    """What touches the characters just before the cursor."""
    definitions: tuple[Definition, ...]
    """Those around the cursor, outermost first."""


def _place(syntax: Syntax, offset: int) -> _Place:
    text, offsets = syntax.snapshot.text, syntax.offsets
    byte, anchor = offsets.to_byte(offset), offsets.to_byte(_code_end(text, offset))
    found = nearest = around(syntax.tree, syntax.grammar, *{max(0, anchor - 1), max(0, byte - 1)})
    for _ in range(_MAX_COMMENTS if syntax.language.offside else 0):
        comment = next((node for node in nearest.comments if node.start_byte < anchor <= node.end_byte), None)
        if comment is None:
            break
        anchor = len(syntax.data[: comment.start_byte].rstrip())
        nearest = around(syntax.tree, syntax.grammar, max(0, anchor - 1))
    both = {one.inner.id: one for one in (*nearest.definitions, *found.definitions)}
    enclosing = [one for one in both.values() if _encloses(one, syntax, offset, byte, anchor)]
    enclosing.sort(key=lambda one: (one.inner.start_byte, -one.inner.end_byte))
    return _Place(syntax, offset, byte, anchor, found, tuple(enclosing))


def _code_end(text: str, offset: int) -> int:
    """The offset after the last character before ``offset`` that is not white space."""
    low = max(0, offset - MAX_LINE_CHARS)
    return low + len(text[low:offset].rstrip())


def _encloses(one: Definition, syntax: Syntax, offset: int, byte: int, anchor: int) -> bool:
    """Is the cursor inside ``one``, or behind it where what is typed now would still belong to it?"""
    start, end = one.outer.start_byte, one.outer.end_byte
    if start >= byte or end < anchor:
        return False
    if byte < end:
        return True
    if not syntax.language.offside:
        return one.body is not None and not one.is_closed(syntax.data) and syntax.data[one.body.start_byte] == ord("{")
    return _is_in_offside_block(one, syntax, offset, anchor)


def _is_in_offside_block(one: Definition, syntax: Syntax, offset: int, anchor: int) -> bool:
    """By the offside rule: on the last line of ``one``, right of its first column, or where its empty body is due."""
    text = syntax.snapshot.text
    gap = text[syntax.offsets.to_char(anchor) : offset]
    n_lines = gap.count("\n") + gap.count("\r") - gap.count("\r\n")
    if n_lines == 0:
        return True
    is_empty = one.body is None or one.body.start_byte == one.body.end_byte
    line_start = offset - len(gap) + max(gap.rfind("\n"), gap.rfind("\r")) + 1
    column = indent_of(text[line_start:offset] + text[offset : offset + MAX_LINE_CHARS].split("\n")[0].rstrip() + ".")
    return column > _column(syntax, one.outer.start_byte) or (is_empty and n_lines == 1)


def _column(syntax: Syntax, byte: int) -> int:
    line_start = max(syntax.data.rfind(b"\n", 0, byte), syntax.data.rfind(b"\r", 0, byte)) + 1
    return indent_of(syntax.data[line_start:byte].decode("utf-8", "replace") + ".")


def _scope(place: _Place, one: Definition) -> Scope:
    syntax, data = place.syntax, place.syntax.data
    header_end = one.header_end(data)
    first = line_begin(data, one.inner.start_byte)
    header = syntax.span(first, max(header_end, first))
    behind = place.byte >= one.outer.end_byte
    end = max(place.offset, syntax.offsets.to_char(one.outer.end_byte))
    body_end = end if behind or syntax.language.offside else syntax.offsets.to_char(one.body_end(data))
    start = syntax.offsets.to_char(decorated(data, min(first, one.outer.start_byte)))
    name = "" if one.name is None else data[one.name.start_byte : one.name.end_byte].decode("utf-8", "replace")
    return Scope(one.kind, name, Span(start, end), header, Span(header.end, max(header.end, body_end)))


def line_begin(data: bytes, at: int) -> int:
    """The first word of the line, where all before ``at`` belongs to the same statement; else ``at``."""
    low = max(0, at - MAX_LINE_CHARS)
    start = max(data.rfind(b"\n", low, at), data.rfind(b"\r", low, at)) + 1
    before = data[max(start, low) : at]
    if (start == 0 and low > 0) or any(byte in before for byte in b"{};"):
        return at
    return at - len(before.lstrip())


def decorated(data: bytes, at: int) -> int:
    """Where the decorators and attributes begin that fill the lines above the one that begins at ``at``."""
    for _ in range(16):
        line_end = data.rfind(b"\n", max(0, at - MAX_LINE_CHARS), at)
        if line_end < 0 or data[line_end:at].strip():
            break
        line_start = data.rfind(b"\n", max(0, line_end - MAX_LINE_CHARS), line_end) + 1
        line = data[line_start:line_end]
        if not line.lstrip().startswith((b"@", b"#[")):
            break
        at = line_start + len(line) - len(line.lstrip())
    return at


def _in_comment(place: _Place) -> bool:
    language, data, byte = place.syntax.language, place.syntax.data, place.byte
    opener, closer = (part.encode() for part in language.block_comment or ("", ""))
    for node in place.found.comments:
        start, end = node.start_byte, node.end_byte
        if start >= byte:
            continue
        if opener and data.startswith(opener, start):
            if byte < end or (byte == end and not data.endswith(closer, start, end)):
                return True
        elif b"\n" not in data[start:byte] and b"\r" not in data[start:byte]:
            return True
    return False


def _in_string(place: _Place) -> bool:
    """Is the innermost string around the cursor nearer than the innermost piece of code in a string?"""
    inside = [node for node in place.found.strings if _is_in_literal(node, place)]
    code = [node for node in place.found.interpolations if node.start_byte < place.byte < node.end_byte]
    innermost_code = max((node.start_byte for node in code), default=-1)
    return max((node.start_byte for node in inside), default=-1) > innermost_code


def _is_in_literal(node: tree_sitter.Node, place: _Place) -> bool:
    start, end, byte = node.start_byte, node.end_byte, place.byte
    if start >= byte or byte > end:
        return False
    if byte < end:
        return True
    return node.child_count > 0 and node.child(node.child_count - 1).is_missing
