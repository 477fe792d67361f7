"""The definitions and imports around a cursor, from the syntax tree; by indentation where the tree is broken."""

from __future__ import annotations

from dataclasses import dataclass

import tree_sitter

from devstral_ls.languages.lexing import indent_width
from devstral_ls.languages.scopes import indentation
from devstral_ls.languages.scopes.blocks import block_due
from devstral_ls.languages.scopes.cursor import CursorScope, Scope
from devstral_ls.languages.scopes.definitions import Captures, DefinitionNode, captures_at
from devstral_ls.languages.scopes.lines import MAX_LINE_CHARS
from devstral_ls.languages.scopes.merge import merge_scopes
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.languages.table import language_of
from devstral_ls.text import Snapshot, Span

_MAX_COMMENTS = 50
"""Comments that are skipped between the cursor and the code before it."""


def scope_at(syntax: Syntax | None, snapshot: Snapshot, offset: int) -> CursorScope:
    """What surrounds the cursor at ``offset``, in code points. ``syntax`` is the tree of ``snapshot``.

    Without a tree it is found by indentation; with a tree that has errors, both results are merged. Never raises.
    """
    text = snapshot.text
    offset = max(0, min(offset, len(text)))
    language = language_of(snapshot.language, snapshot.uri)
    if syntax is None:
        return indentation.scope_by_indentation(snapshot, offset, language)
    cursor = _locate(syntax, offset)
    scopes = tuple(_scope(cursor, definition) for definition in cursor.definitions)
    in_comment, in_string = _in_comment(cursor), _in_string(cursor)
    imports = syntax.imports
    if syntax.tree.root_node.has_error:
        by_lines = indentation.scope_by_indentation(snapshot, offset, language, imports)
        scopes = merge_scopes(
            text, offset, scopes, [definition.is_sound for definition in cursor.definitions], by_lines.scopes
        )
        in_comment = in_comment or (by_lines.in_comment and not in_string)
        in_string = in_string or (by_lines.in_string and not in_comment)
        imports = by_lines.imports
    scopes = scopes[-indentation.MAX_SCOPES :]
    inside = bool(scopes) and scopes[-1].body.start <= offset
    due = not in_comment and not in_string and block_due(snapshot, offset, language, in_definition=inside)
    return CursorScope(scopes, imports, in_comment, in_string, due)


def literal_end(syntax: Syntax | None, offset: int) -> int:
    """The end of the comment or string around ``offset``; ``offset`` itself outside of them, and without a tree there."""
    if syntax is None or offset <= syntax.start or (syntax.region is not None and offset > syntax.region.end):
        return offset
    byte = syntax.offsets.to_byte(offset)
    captures = captures_at(syntax.tree, syntax.grammar, byte)
    literals = (*captures.comments, *captures.strings)
    ends = [node.end_byte for node in literals if node.start_byte < byte < node.end_byte]
    return syntax.offsets.to_char(max(ends)) if ends else offset


@dataclass(frozen=True, slots=True)
class _Cursor:
    """A cursor in a tree; offsets in bytes but for ``offset``."""

    syntax: Syntax
    offset: int
    byte: int
    anchor: int
    """The end of the code before the cursor, without white space and, in an offside language, comments."""
    captures: Captures
    """The captures on the characters just before the cursor."""
    definitions: tuple[DefinitionNode, ...]
    """The definitions around the cursor, outermost first."""


def _locate(syntax: Syntax, offset: int) -> _Cursor:
    text, offsets = syntax.snapshot.text, syntax.offsets
    byte, anchor = offsets.to_byte(offset), offsets.to_byte(_code_end(text, offset))
    captures = nearest = captures_at(syntax.tree, syntax.grammar, *{max(0, anchor - 1), max(0, byte - 1)})
    for _ in range(_MAX_COMMENTS if syntax.language.offside else 0):
        comment = next((node for node in nearest.comments if node.start_byte < anchor <= node.end_byte), None)
        if comment is None:
            break
        anchor = len(syntax.data[: comment.start_byte].rstrip())
        nearest = captures_at(syntax.tree, syntax.grammar, max(0, anchor - 1))
    both = {definition.inner.id: definition for definition in (*nearest.definitions, *captures.definitions)}
    enclosing = [definition for definition in both.values() if _encloses(definition, syntax, offset, byte, anchor)]
    enclosing.sort(key=lambda definition: (definition.inner.start_byte, -definition.inner.end_byte))
    return _Cursor(syntax, offset, byte, anchor, captures, tuple(enclosing))


def _code_end(text: str, offset: int) -> int:
    """The offset after the last character before ``offset`` that is not white space."""
    low = max(0, offset - MAX_LINE_CHARS)
    return low + len(text[low:offset].rstrip())


def _encloses(definition: DefinitionNode, syntax: Syntax, offset: int, byte: int, anchor: int) -> bool:
    """True when the cursor is inside ``definition``, or behind it where text typed now would still belong to it."""
    start, end = definition.outer.start_byte, definition.outer.end_byte
    if start >= byte or end < anchor:
        return False
    if byte < end:
        return True
    if not syntax.language.offside:
        body = definition.body
        return body is not None and not definition.is_closed(syntax.data) and syntax.data[body.start_byte] == ord("{")
    return _is_in_offside_block(definition, syntax, offset, anchor)


def _is_in_offside_block(definition: DefinitionNode, syntax: Syntax, offset: int, anchor: int) -> bool:
    """True by the offside rule: on the last line of ``definition``, right of its column, or right below it while it has
    no body.
    """
    text = syntax.snapshot.text
    gap = text[syntax.offsets.to_char(anchor) : offset]
    n_lines = gap.count("\n") + gap.count("\r") - gap.count("\r\n")
    if n_lines == 0:
        return True
    is_empty = definition.body is None or definition.body.start_byte == definition.body.end_byte
    line_start = offset - len(gap) + max(gap.rfind("\n"), gap.rfind("\r")) + 1
    column = indent_width(
        text[line_start:offset] + text[offset : offset + MAX_LINE_CHARS].split("\n")[0].rstrip() + "."
    )
    return column > _column(syntax, definition.outer.start_byte) or (is_empty and n_lines == 1)


def _column(syntax: Syntax, byte: int) -> int:
    line_start = max(syntax.data.rfind(b"\n", 0, byte), syntax.data.rfind(b"\r", 0, byte)) + 1
    return indent_width(syntax.data[line_start:byte].decode("utf-8", "replace") + ".")


def _scope(cursor: _Cursor, definition: DefinitionNode) -> Scope:
    syntax, data, name = cursor.syntax, cursor.syntax.data, definition.name
    header_end = definition.header_end(data)
    first = statement_start(data, definition.inner.start_byte)
    header = syntax.span(first, max(header_end, first))
    is_behind = cursor.byte >= definition.outer.end_byte
    end = max(cursor.offset, syntax.offsets.to_char(definition.outer.end_byte))
    body_end = end if is_behind or syntax.language.offside else syntax.offsets.to_char(definition.body_end(data))
    start = syntax.offsets.to_char(decorators_start(data, min(first, definition.outer.start_byte)))
    text = "" if name is None else data[name.start_byte : name.end_byte].decode("utf-8", "replace")
    return Scope(definition.kind, text, Span(start, end), header, Span(header.end, max(header.end, body_end)))


def statement_start(data: bytes, at: int) -> int:
    """The first word of the line, where everything before ``at`` belongs to the same statement; else ``at``."""
    low = max(0, at - MAX_LINE_CHARS)
    start = max(data.rfind(b"\n", low, at), data.rfind(b"\r", low, at)) + 1
    before = data[max(start, low) : at]
    if (start == 0 and low > 0) or any(byte in before for byte in b"{};"):
        return at
    return at - len(before.lstrip())


def decorators_start(data: bytes, at: int) -> int:
    """The start of the decorators and attributes on the lines above the one that begins at ``at``; ``at`` without any."""
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


def _in_comment(cursor: _Cursor) -> bool:
    language, data, byte = cursor.syntax.language, cursor.syntax.data, cursor.byte
    opener, closer = (part.encode() for part in language.block_comment or ("", ""))
    for node in cursor.captures.comments:
        start, end = node.start_byte, node.end_byte
        if start >= byte:
            continue
        if opener and data.startswith(opener, start):
            if byte < end or (byte == end and not data.endswith(closer, start, end)):
                return True
        elif b"\n" not in data[start:byte] and b"\r" not in data[start:byte]:
            return True
    return False


def _in_string(cursor: _Cursor) -> bool:
    """True when the innermost string around the cursor is inside the innermost interpolation around it."""
    inside = [node for node in cursor.captures.strings if _is_in_literal(node, cursor)]
    code = [node for node in cursor.captures.interpolations if node.start_byte < cursor.byte < node.end_byte]
    innermost_code = max((node.start_byte for node in code), default=-1)
    return max((node.start_byte for node in inside), default=-1) > innermost_code


def _is_in_literal(node: tree_sitter.Node, cursor: _Cursor) -> bool:
    start, end, byte = node.start_byte, node.end_byte, cursor.byte
    if start >= byte or byte > end:
        return False
    if byte < end:
        return True
    return node.child_count > 0 and node.child(node.child_count - 1).is_missing
