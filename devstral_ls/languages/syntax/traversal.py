"""Walks over a syntax tree, without recursion and with bounded work."""

from __future__ import annotations

from collections.abc import Iterator

import tree_sitter

MAX_NODES = 200_000
"""Nodes visited in one walk; a file of half a megabyte has about so many."""


def nodes(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """``root`` and everything below it, in document order."""
    return (node for node, entered in steps(root) if entered)


def steps(root: tree_sitter.Node) -> Iterator[tuple[tree_sitter.Node, bool]]:
    """Every node twice: as it is entered (``True``) and as it is left; ends after ``MAX_NODES``."""
    walk = root.walk()
    for _ in range(MAX_NODES):
        node = walk.node
        if node is None:
            return
        yield node, True
        if walk.goto_first_child():
            continue
        yield node, False
        while not walk.goto_next_sibling():
            if not walk.goto_parent() or walk.node is None:
                return
            yield walk.node, False
            if walk.node.id == root.id:
                return
