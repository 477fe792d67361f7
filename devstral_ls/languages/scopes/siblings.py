"""The other functions of the class around a cursor, from the syntax tree."""

from __future__ import annotations

import tree_sitter

from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.languages.scopes.definitions import Definition, around, definitions_at
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.text import Span

MAX_CHILDREN = 4_000
"""Of a class body; one with more is data, or what error recovery made of something else."""

MAX_NEAREST = 200
"""Children looked at, half of them on either side of the cursor: each costs a query at a node, some 10 microseconds."""


def siblings(syntax: Syntax | None, scope: CursorScope, offset: int) -> tuple[Span, ...]:
    """Whole lines of the functions in the innermost class of ``scope`` but for the one at ``offset``, nearest first.

    Nothing without a tree, and outside of classes.
    """
    found = _class(syntax, scope)
    if syntax is None or found is None or found.body is None or found.body.child_count > MAX_CHILDREN:
        return ()
    children = [child for child in found.body.named_children if child.type in syntax.grammar.kinds]
    byte = syntax.offsets.to_byte(offset)
    at = sum(child.start_byte < byte for child in children)
    near = children[max(0, at - MAX_NEAREST // 2) : at + MAX_NEAREST // 2]
    spans = [_lines(syntax, one) for child in near for one in _functions(child, syntax)]
    own = scope.scopes[-1].span if scope.scopes[-1].kind == "function" else Span(offset, offset)
    others = [span for span in spans if span.end < own.start or own.end < span.start]
    return tuple(sorted(others, key=lambda span: (max(span.start - offset, offset - span.end), span.start)))


def _class(syntax: Syntax | None, scope: CursorScope) -> Definition | None:
    named = [one for one in scope.scopes if one.kind == "class"]
    if syntax is None or not named or named[-1].header.start < syntax.start or not len(named[-1].header):
        return None
    place = syntax.offsets.to_byte(named[-1].header.end - 1)
    classes = [one for one in around(syntax.tree, syntax.grammar, place).definitions if one.kind == "class"]
    return max(classes, key=lambda one: one.inner.start_byte, default=None)


def _functions(child: tree_sitter.Node, syntax: Syntax) -> list[Definition]:
    """The function that ``child`` is, or that it decorates."""
    found: dict[tuple[bool, int], Definition] = {}
    for node in (child, *child.named_children[-1:]):
        if node.type in syntax.grammar.kinds:
            definitions_at(node, syntax.grammar, found)
    return [one for one in found.values() if one.kind == "function" and one.outer.start_byte >= child.start_byte][:1]


def _lines(syntax: Syntax, one: Definition) -> Span:
    snapshot = syntax.snapshot
    span = syntax.span(one.outer.start_byte, one.outer.end_byte)
    return Span(snapshot.line_starts[snapshot.line_at(span.start)], span.end)
