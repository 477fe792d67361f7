"""What the scopes query finds at one place of a tree: definitions, comments and strings, in bytes.

The query is run at single nodes, those that hold the place, and never over a range: over the flat list of a hundred
thousand children that error recovery can leave, a query cursor takes seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import tree_sitter

from devstral_ls.languages.grammars import Loaded

MAX_DEPTH = 1_000
"""Levels of the tree looked at; code that people write has about 30."""

MAX_IMPORTS, MAX_IMPORT_NODES, MAX_IMPORT_BYTES = 200, 400, 64 * 1024
"""Imports told, and how many of the root's children and bytes are searched for them."""

MAX_OUTLINE_DEPTH = 12
"""Levels of the tree looked at for the definitions of a whole file: a method of a class in a class has about 8."""

_Captures = dict[str, list[tree_sitter.Node]]


@dataclass(slots=True)
class Definition:
    """A definition around the cursor, put together from every pattern that found the same body."""

    kind: Literal["function", "class"]
    outer: tree_sitter.Node
    """The largest node: with decorators."""
    inner: tree_sitter.Node
    """The smallest node: the definition alone."""
    name: tree_sitter.Node | None
    opener: tree_sitter.Node | None
    body: tree_sitter.Node | None

    @property
    def is_sound(self) -> bool:
        """Was it parsed without an error?"""
        return not self.outer.has_error

    def header_end(self, data: bytes) -> int:
        """The byte after the ``:`` or ``{``; where there is none, after the last word before the body."""
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
        """Does the body end with a ``}`` that is really there?"""
        body = self.body
        if body is None or data[body.end_byte - 1 : body.end_byte] != b"}" or body.child_count == 0:
            return False
        return not body.child(body.child_count - 1).is_missing


@dataclass(frozen=True, slots=True)
class Around:
    """What was found, each list in the order of the text."""

    definitions: list[Definition]
    comments: list[tree_sitter.Node]
    strings: list[tree_sitter.Node]
    interpolations: list[tree_sitter.Node]


@dataclass(frozen=True, slots=True)
class Everywhere:
    """What a whole file defines, each list in the order of the text."""

    definitions: list[Definition]
    values: list[tree_sitter.Node]


def around(tree: tree_sitter.Tree, grammar: Loaded, *places: int) -> Around:
    """Every capture on a node that holds one of the bytes at ``places``."""
    nodes = {node.id: node for place in places for node in _chain(tree, place) if node.type in grammar.kinds}
    cursor = _at_node_only(grammar)
    definitions: dict[tuple[bool, int], Definition] = {}
    literals: _Captures = {"comment": [], "string": [], "interpolation": []}
    for node in nodes.values():
        for _, captures in cursor.matches(node):
            _sort(captures, definitions, literals)
    return Around(list(definitions.values()), literals["comment"], literals["string"], literals["interpolation"])


def imports(tree: tree_sitter.Tree, grammar: Loaded, data: bytes, calls: Collection[bytes]) -> list[tree_sitter.Node]:
    """The ``@import`` nodes that are children of the root, or that a pattern finds from one.

    ``data`` is the tree's text; ``calls`` are the names a pattern with ``@name`` may have found.
    """
    cursor = _at_node_only(grammar)
    cursor.set_byte_range(0, MAX_IMPORT_BYTES)
    found: list[tree_sitter.Node] = []
    for child in _first_children(tree):
        if child.type in grammar.import_kinds:
            for _, captures in cursor.matches(child):
                name = captures.get("name", [None])[0]
                if name is None or data[name.start_byte : name.end_byte] in calls:
                    found += captures.get("import", [])
        if len(found) >= MAX_IMPORTS:
            break
    return found[:MAX_IMPORTS]


def definitions_at(node: tree_sitter.Node, grammar: Loaded, found: dict[tuple[bool, int], Definition]) -> None:
    """Note the definitions that some pattern finds at ``node`` itself."""
    literals: _Captures = {}
    for _, captures in _at_node_only(grammar).matches(node):
        _sort(captures, found, literals)


def _at_node_only(grammar: Loaded) -> tree_sitter.QueryCursor:
    cursor = tree_sitter.QueryCursor(grammar.query)
    cursor.set_max_start_depth(0)
    return cursor


def _chain(tree: tree_sitter.Tree, place: int) -> Iterator[tree_sitter.Node]:
    """The nodes that hold the byte at ``place``, outermost first, without the root."""
    walk = tree.walk()
    for _ in range(MAX_DEPTH):
        if walk.goto_first_child_for_byte(place) is None:
            return
        node = walk.node
        if node is None or node.start_byte > place:
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


def _sort(captures: _Captures, definitions: dict[tuple[bool, int], Definition], literals: _Captures) -> None:
    """Put the captures of one match where they belong."""
    for capture in literals.keys() & captures.keys():
        literals[capture] += captures[capture]
    if "function" in captures:
        _add(definitions, "function", captures)
    elif "class" in captures:
        _add(definitions, "class", captures)


def _add(found: dict[tuple[bool, int], Definition], kind: Literal["function", "class"], captures: _Captures) -> None:
    """Note a definition; one with the body of another is the same, seen by another pattern."""
    node = captures[kind][0]
    name, opener, body = (captures[part][0] if part in captures else None for part in ("name", "open", "body"))
    key = (False, node.start_byte) if body is None else (True, body.start_byte)
    known = found.get(key)
    if known is None:
        found[key] = Definition(kind, node, node, name, opener, body)
        return
    known.name, known.opener = known.name or name, known.opener or opener
    if node.start_byte < known.outer.start_byte or node.end_byte > known.outer.end_byte:
        known.outer = node
    elif node.start_byte > known.inner.start_byte or node.end_byte < known.inner.end_byte:
        known.inner = node


def everywhere(tree: tree_sitter.Tree, grammar: Loaded, others: Collection[str], n_nodes: int) -> Everywhere:
    """The definitions of a whole file but for those inside functions, and the nodes of the types in ``others``.

    Looks at ``n_nodes`` nodes and ``MAX_OUTLINE_DEPTH`` levels at most.
    """
    cursor = _at_node_only(grammar)
    found: dict[tuple[bool, int], Definition] = {}
    values: list[tree_sitter.Node] = []
    closed: set[int] = set()
    walk = tree.walk()
    more = walk.goto_first_child()
    for _ in range(n_nodes):
        node = walk.node
        if not more or node is None:
            break
        if node.type in others:
            values.append(node)
        elif node.type in grammar.kinds:
            for _, captures in cursor.matches(node):
                _sort(captures, found, {})
                if "function" in captures and "body" in captures:
                    closed.add(captures["body"][0].id)
        more = _next(walk, into=node.id not in closed and walk.depth < MAX_OUTLINE_DEPTH)
    return Everywhere(list(found.values()), values)


def _next(walk: tree_sitter.TreeCursor, *, into: bool) -> bool:
    """Go to the next node of the tree, to children only where ``into`` says so; was there one?"""
    if into and walk.goto_first_child():
        return True
    while not walk.goto_next_sibling():
        if not walk.goto_parent():
            return False
    return True
