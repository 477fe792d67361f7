"""The other functions of the class around a cursor, from the syntax tree."""

from __future__ import annotations

import tree_sitter

from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.languages.scopes.definitions import DefinitionNode, captures_at, definitions_at
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.text import Span

MAX_CHILDREN = 4_000
"""Children of a class body; one with more is data, or the product of error recovery."""

MAX_NEAREST = 200
"""Children that are queried, half of them on either side of the cursor, at some 10 microseconds each."""


def sibling_functions(syntax: Syntax | None, scope: CursorScope, offset: int) -> tuple[Span, ...]:
    """The functions in the innermost class of ``scope`` but for the one at ``offset``, nearest first; each from the start of
    its first line. Empty without a tree, and outside of classes.
    """
    class_node = _class(syntax, scope)
    body = None if class_node is None else class_node.body
    if syntax is None or body is None or body.child_count > MAX_CHILDREN:
        return ()
    children = [child for child in body.named_children if child.type in syntax.grammar.kinds]
    byte = syntax.offsets.to_byte(offset)
    at = sum(child.start_byte < byte for child in children)
    near = children[max(0, at - MAX_NEAREST // 2) : at + MAX_NEAREST // 2]
    spans = [_lines(syntax, function) for child in near for function in _functions(child, syntax)]
    own = scope.scopes[-1].span if scope.scopes[-1].kind == "function" else Span(offset, offset)
    outside = [span for span in spans if span.end < own.start or own.end < span.start]
    return tuple(sorted(outside, key=lambda span: (max(span.start - offset, offset - span.end), span.start)))


def _class(syntax: Syntax | None, scope: CursorScope) -> DefinitionNode | None:
    """The node of the innermost class of ``scope``."""
    headers = [enclosing.header for enclosing in scope.scopes if enclosing.kind == "class"]
    if syntax is None or not headers or headers[-1].start < syntax.start or not len(headers[-1]):
        return None
    at_header = captures_at(syntax.tree, syntax.grammar, syntax.offsets.to_byte(headers[-1].end - 1))
    classes = [definition for definition in at_header.definitions if definition.kind == "class"]
    return max(classes, key=lambda definition: definition.inner.start_byte, default=None)


def _functions(child: tree_sitter.Node, syntax: Syntax) -> list[DefinitionNode]:
    """The function that ``child`` is or, with decorators, contains; no more than one."""
    definitions: dict[tuple[bool, int], DefinitionNode] = {}
    for node in (child, *child.named_children[-1:]):
        if node.type in syntax.grammar.kinds:
            definitions_at(node, syntax.grammar, definitions)
    functions = (definition for definition in definitions.values() if definition.kind == "function")
    return [function for function in functions if function.outer.start_byte >= child.start_byte][:1]


def _lines(syntax: Syntax, function: DefinitionNode) -> Span:
    snapshot = syntax.snapshot
    span = syntax.span(function.outer.start_byte, function.outer.end_byte)
    return Span(snapshot.line_starts[snapshot.line_at(span.start)], span.end)
