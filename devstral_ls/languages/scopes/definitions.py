"""Runs the scopes query on a tree: definitions, comments, strings and imports as nodes, with offsets in bytes.

The query is run at single nodes and never over a range: over the flat list of a hundred thousand children that error
recovery can leave, a query cursor takes seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import tree_sitter

from devstral_ls.languages.grammars import LoadedGrammar

MAX_DEPTH = 1_000
"""Levels of the tree that are descended; code written by people has about 30."""

MAX_IMPORTS, MAX_IMPORT_NODES, MAX_IMPORT_BYTES = 200, 400, 64 * 1024
"""Imports returned, and how many of the root's children and bytes are searched for them."""

MAX_OUTLINE_DEPTH = 12
"""Levels of the tree that are searched for the definitions of a whole file; a method of a nested class has about 8."""

_Captures = dict[str, list[tree_sitter.Node]]


@dataclass(slots=True)
class DefinitionNode:
    """A definition in a tree, combined from all patterns that matched the same body."""

    kind: Literal["function", "class"]
    outer: tree_sitter.Node
    """The largest node matched: with decorators."""
    inner: tree_sitter.Node
    """The smallest node matched: the definition alone."""
    name: tree_sitter.Node | None
    opener: tree_sitter.Node | None
    body: tree_sitter.Node | None

    @property
    def is_sound(self) -> bool:
        """True when it was parsed without an error."""
        return not self.outer.has_error

    def header_end(self, data: bytes) -> int:
        """The byte after the ``:`` or ``{``; without one, after the last word before the body."""
        if self.opener is not None:
            return self.opener.end_byte
        start = self.inner.start_byte
        if self.body is None:
            line_end = data.find(b"\n", start, self.inner.end_byte)
            return start + len(data[start : line_end if line_end >= 0 else self.inner.end_byte].rstrip())
        at = self.body.start_byte
        if data[at : at + 1] == b"{":
            return at + 1
        return start + len(data[start:at].rstrip())

    def body_end(self, data: bytes) -> int:
        """The byte at which the closing brace begins; without one, the end of the body."""
        if self.body is None:
            return self.outer.end_byte
        end = self.body.end_byte
        return end - 1 if self.is_closed(data) else end

    def is_closed(self, data: bytes) -> bool:
        """True when the body ends with a ``}`` of the text, not one that error recovery supplied."""
        body = self.body
        if body is None or data[body.end_byte - 1 : body.end_byte] != b"}" or body.child_count == 0:
            return False
        return not body.child(body.child_count - 1).is_missing


@dataclass(frozen=True, slots=True)
class Captures:
    """The nodes that were captured, each list in document order."""

    definitions: list[DefinitionNode]
    comments: list[tree_sitter.Node]
    strings: list[tree_sitter.Node]
    interpolations: list[tree_sitter.Node]


@dataclass(frozen=True, slots=True)
class FileDefinitions:
    """The definitions of a whole file, each list in document order."""

    definitions: list[DefinitionNode]
    values: list[tree_sitter.Node]


def captures_at(tree: tree_sitter.Tree, grammar: LoadedGrammar, *offsets: int) -> Captures:
    """Every capture on a node that holds one of the bytes at ``offsets``."""
    nodes = {node.id: node for offset in offsets for node in _chain(tree, offset) if node.type in grammar.kinds}
    cursor = _at_node_only(grammar)
    definitions: dict[tuple[bool, int], DefinitionNode] = {}
    literals: _Captures = {"comment": [], "string": [], "interpolation": []}
    for node in nodes.values():
        for _, captures in cursor.matches(node):
            _sort(captures, definitions, literals)
    return Captures(list(definitions.values()), literals["comment"], literals["string"], literals["interpolation"])


def import_nodes(
    tree: tree_sitter.Tree, grammar: LoadedGrammar, data: bytes, calls: Collection[bytes]
) -> list[tree_sitter.Node]:
    """The ``@import`` nodes of patterns that begin at a child of the root.

    ``data`` is the tree's text. A pattern with ``@name`` counts only where that name is one of ``calls``.
    """
    cursor = _at_node_only(grammar)
    cursor.set_byte_range(0, MAX_IMPORT_BYTES)
    nodes: list[tree_sitter.Node] = []
    for child in _first_children(tree):
        if child.type in grammar.import_kinds:
            for _, captures in cursor.matches(child):
                name = captures.get("name", [None])[0]
                if name is None or data[name.start_byte : name.end_byte] in calls:
                    nodes += captures.get("import", [])
        if len(nodes) >= MAX_IMPORTS:
            break
    return nodes[:MAX_IMPORTS]


def definitions_at(
    node: tree_sitter.Node, grammar: LoadedGrammar, definitions: dict[tuple[bool, int], DefinitionNode]
) -> None:
    """Add the definitions at ``node`` itself to ``definitions``, by their bodies."""
    for _, captures in _at_node_only(grammar).matches(node):
        _sort(captures, definitions, {})


def _at_node_only(grammar: LoadedGrammar) -> tree_sitter.QueryCursor:
    cursor = tree_sitter.QueryCursor(grammar.query)
    cursor.set_max_start_depth(0)
    return cursor


def _chain(tree: tree_sitter.Tree, offset: int) -> Iterator[tree_sitter.Node]:
    """The nodes that hold the byte at ``offset``, outermost first, without the root."""
    walk = tree.walk()
    for _ in range(MAX_DEPTH):
        if walk.goto_first_child_for_byte(offset) is None:
            return
        node = walk.node
        if node is None or node.start_byte > offset:
            return
        yield node


def _first_children(tree: tree_sitter.Tree) -> Iterator[tree_sitter.Node]:
    walk = tree.walk()
    more = walk.goto_first_child()
    for _ in range(MAX_IMPORT_NODES):
        node = walk.node
        if not more or node is None or node.start_byte > MAX_IMPORT_BYTES:
            return
        yield node
        more = walk.goto_next_sibling()


def _sort(captures: _Captures, definitions: dict[tuple[bool, int], DefinitionNode], literals: _Captures) -> None:
    """Distribute the captures of one match."""
    for capture in literals.keys() & captures.keys():
        literals[capture] += captures[capture]
    if "function" in captures:
        _add(definitions, "function", captures)
    elif "class" in captures:
        _add(definitions, "class", captures)


def _add(
    definitions: dict[tuple[bool, int], DefinitionNode], kind: Literal["function", "class"], captures: _Captures
) -> None:
    """Add a definition, or merge it with the one that another pattern found for the same body."""
    node = captures[kind][0]
    name, opener, body = (captures[part][0] if part in captures else None for part in ("name", "open", "body"))
    key = (False, node.start_byte) if body is None else (True, body.start_byte)
    same = definitions.get(key)
    if same is None:
        definitions[key] = DefinitionNode(kind, node, node, name, opener, body)
        return
    same.name, same.opener = same.name or name, same.opener or opener
    if node.start_byte < same.outer.start_byte or node.end_byte > same.outer.end_byte:
        same.outer = node
    elif node.start_byte > same.inner.start_byte or node.end_byte < same.inner.end_byte:
        same.inner = node


def file_definitions(
    tree: tree_sitter.Tree, grammar: LoadedGrammar, value_types: Collection[str], n_nodes: int
) -> FileDefinitions:
    """The definitions of a whole file but for those inside functions, and the nodes whose types are in ``value_types``.

    Visits ``n_nodes`` nodes and ``MAX_OUTLINE_DEPTH`` levels at most.
    """
    cursor = _at_node_only(grammar)
    definitions: dict[tuple[bool, int], DefinitionNode] = {}
    values: list[tree_sitter.Node] = []
    closed: set[int] = set()
    walk = tree.walk()
    more = walk.goto_first_child()
    for _ in range(n_nodes):
        node = walk.node
        if not more or node is None:
            break
        if node.type in value_types:
            values.append(node)
        elif node.type in grammar.kinds:
            for _, captures in cursor.matches(node):
                _sort(captures, definitions, {})
                if "function" in captures and "body" in captures:
                    closed.add(captures["body"][0].id)
        more = _next(walk, into=node.id not in closed and walk.depth < MAX_OUTLINE_DEPTH)
    return FileDefinitions(list(definitions.values()), values)


def _next(walk: tree_sitter.TreeCursor, *, into: bool) -> bool:
    """Move to the next node, into children only with ``into``; false at the end of the tree."""
    if into and walk.goto_first_child():
        return True
    while not walk.goto_next_sibling():
        if not walk.goto_parent():
            return False
    return True
