"""How well a text parses: how many errors its tree has, and where the first one is in words."""

from __future__ import annotations

from dataclasses import dataclass

from devstral_ls.languages.syntax import Syntax
from devstral_ls.languages.walking import nodes

MAX_ERRORS = 200
"""More are not counted."""


@dataclass(frozen=True, slots=True)
class Soundness:
    """What is wrong with a text."""

    n_errors: int
    first: str = ""
    """The first error for people, with its line from 1; empty where there is none."""
    line: int = 0
    """Its line, from 0."""


def soundness(syntax: Syntax) -> Soundness:
    """Count the errors of a tree."""
    if not syntax.tree.root_node.has_error:
        return Soundness(0)
    n_errors, first, first_line = 0, "", 0
    for node in nodes(syntax.tree.root_node):
        if not node.is_error and not node.is_missing:
            continue
        n_errors += 1
        if not first:
            first_line = node.start_point[0]
            what = f"{node.type!r} is missing" if node.is_missing else "syntax error"
            first = f"line {first_line + 1}: {what}"
        if n_errors >= MAX_ERRORS:
            break
    return Soundness(max(n_errors, 1), first or "syntax error", first_line)
