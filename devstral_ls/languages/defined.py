"""Every definition of a text, in document order: what a file or an answer consists of.

For work somebody asked for, not for each key: the whole tree is walked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import tree_sitter

from devstral_ls.languages.scopes.definitions import Definition, definitions_at
from devstral_ls.languages.scopes.tree import decorated, line_begin
from devstral_ls.languages.syntax.traversal import nodes
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.text import Span

MAX_DEFINITIONS = 2_000

_BODY = re.compile(r"block|body|module|program|source_file|compound_statement|statement_list|declaration_list|_unit$")
"""What the grammars call a node whose children are statements or definitions."""

MIN_STATEMENTS = 2
"""A body with fewer cannot be cut."""


@dataclass(frozen=True, slots=True)
class Defined:
    """One definition."""

    kind: Literal["function", "class"]
    name: str
    """Empty where it has none."""
    span: Span
    """From the beginning of its first line's code, decorators included, to its end."""
    depth: int
    """How many other definitions it is in."""


def outline(syntax: Syntax) -> tuple[Defined, ...]:
    """The definitions of the text, outer ones before those in them."""
    found: dict[tuple[bool, int], Definition] = {}
    for node in nodes(syntax.tree.root_node):
        if node.type in syntax.grammar.kinds:
            definitions_at(node, syntax.grammar, found)
        if len(found) >= MAX_DEFINITIONS:
            break
    made: list[Defined] = []
    open_ends: list[int] = []
    for one in sorted(found.values(), key=lambda one: (one.outer.start_byte, -one.outer.end_byte)):
        while open_ends and open_ends[-1] <= one.outer.start_byte:
            open_ends.pop()
        made.append(_defined(syntax, one, len(open_ends)))
        open_ends.append(one.outer.end_byte)
    return tuple(made)


def words(syntax: Syntax, span: Span) -> frozenset[str]:
    """The identifiers in ``span``."""
    found = set()
    for node in nodes(syntax.tree.root_node):
        if node.child_count == 0 and "identifier" in node.type:
            at = syntax.offsets.to_char(node.start_byte)
            if span.start <= at < span.end:
                found.add(_text(syntax, node))
    return frozenset(found)


def statements(syntax: Syntax, span: Span) -> tuple[Span, ...]:
    """The statements, each on lines of its own, of the outermost body in ``span`` that has some: where it may be cut."""
    start, end = syntax.offsets.to_byte(span.start), syntax.offsets.to_byte(span.end)
    for node in nodes(syntax.tree.root_node):
        if node.end_byte <= start or node.start_byte >= end or node.named_child_count < MIN_STATEMENTS:
            continue
        if not _BODY.search(node.type):
            continue
        children = [child for child in node.named_children if child.start_byte >= start and child.end_byte <= end]
        own = [child for child in children if not _before_on_line(syntax.data, child.start_byte).strip()]
        if len(own) >= MIN_STATEMENTS and len(own) == len(children):
            return tuple(syntax.span(child.start_byte, child.end_byte) for child in own)
    return ()


def _before_on_line(data: bytes, at: int) -> bytes:
    return data[data.rfind(b"\n", 0, at) + 1 : at]


def _defined(syntax: Syntax, one: Definition, depth: int) -> Defined:
    data = syntax.data
    first = min(line_begin(data, one.inner.start_byte), one.outer.start_byte)
    name = "" if one.name is None else _text(syntax, one.name)
    return Defined(one.kind, name, syntax.span(decorated(data, first), one.outer.end_byte), depth)


def _text(syntax: Syntax, node: tree_sitter.Node) -> str:
    return syntax.data[node.start_byte : node.end_byte].decode("utf-8", "replace")
