"""The code of a text without comments, docstrings and, on request, type annotations, for comparing two texts.

It is taken from the tree, so white space and the places of comments make no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import tree_sitter

from devstral_ls.languages.syntax.traversal import steps
from devstral_ls.languages.syntax.tree import Syntax


@dataclass(frozen=True, slots=True)
class Annotations:
    """How a grammar writes optional types."""

    nodes: frozenset[str] = frozenset()
    """Types of nodes that are annotations as a whole."""
    tokens: frozenset[tuple[str, str]] = frozenset()
    """Tokens that introduce an annotation: the parent's type and the token."""
    wrappers: Mapping[str, str] | None = None
    """Types of nodes that exist only because of an annotation, and the type the grammar gives without it; empty: none."""


_TYPESCRIPT = Annotations(frozenset({"type_annotation", "type_predicate_annotation", "asserts_annotation"}))

ANNOTATIONS: Mapping[str, Annotations] = {
    "python": Annotations(
        frozenset({"type"}),
        frozenset(
            {
                ("typed_parameter", ":"),
                ("typed_default_parameter", ":"),
                ("function_definition", "->"),
                ("assignment", ":"),
            }
        ),
        {"typed_parameter": "", "typed_default_parameter": "default_parameter"},
    ),
    "typescript": _TYPESCRIPT,
    "php": Annotations(
        frozenset({"primitive_type", "named_type", "optional_type", "union_type"}),
        frozenset({("function_definition", ":"), ("method_declaration", ":")}),
    ),
}
"""By queries folder. The other languages have no optional types."""

_DOCSTRINGS = frozenset({"python"})
"""Queries folders of languages whose doc comments are strings: the first statement of a body."""


def code_tokens(syntax: Syntax, *, types: bool = True) -> tuple[str, ...]:
    """The tree as a flat list of nodes and tokens, without comments and docstrings; without annotations unless ``types``."""
    annotations = Annotations() if types else ANNOTATIONS.get(syntax.language.queries, Annotations())
    return tuple(_flat(syntax, annotations))


def _flat(syntax: Syntax, annotations: Annotations) -> Iterator[str]:
    wrappers = annotations.wrappers or {}
    skipped: tree_sitter.Node | None = None
    has_docstrings = syntax.language.queries in _DOCSTRINGS
    for node, entered in steps(syntax.tree.root_node):
        if skipped is not None:
            if not entered and node.id == skipped.id:
                skipped = None
            continue
        if (entered and (_is_comment(node) or _is_annotation(node, annotations))) or (
            entered and has_docstrings and _is_docstring(node)
        ):
            skipped = node
        elif skipped is None:
            name = wrappers.get(node.type, node.type)
            if node.child_count == 0:
                if entered:
                    yield syntax.data[node.start_byte : node.end_byte].decode("utf-8", "replace")
            elif name and not _is_only_docstring(node, has_docstrings=has_docstrings):
                yield f"<{name}>" if entered else "</>"


def _is_comment(node: tree_sitter.Node) -> bool:
    return "comment" in node.type


def _is_annotation(node: tree_sitter.Node, annotations: Annotations) -> bool:
    if node.type in annotations.nodes:
        return True
    parent = node.parent if annotations.tokens and node.child_count == 0 else None
    return parent is not None and (parent.type, node.type) in annotations.tokens


def _is_docstring(node: tree_sitter.Node) -> bool:
    if node.type != "expression_statement" or node.named_child_count != 1:
        return False
    only, parent = node.named_child(0), node.parent
    if only is None or only.type != "string" or parent is None or parent.type not in ("block", "module"):
        return False
    before = [child for child in parent.named_children if child.start_byte < node.start_byte]
    return all(_is_comment(child) for child in before)


def _is_only_docstring(node: tree_sitter.Node, *, has_docstrings: bool) -> bool:
    """True for a body that holds nothing but its docstring."""
    if not has_docstrings or node.type != "block":
        return False
    return all(_is_comment(child) or _is_docstring(child) for child in node.named_children)
