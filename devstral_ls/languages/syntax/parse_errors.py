"""The syntax errors of a text: how many, and the first one in words."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import tree_sitter

from devstral_ls.languages.syntax.traversal import nodes
from devstral_ls.languages.syntax.tree import Syntax

MAX_ERRORS = 200
"""Counting stops there."""


@dataclass(frozen=True, slots=True)
class ParseErrors:
    """The syntax errors of one text."""

    n_errors: int
    first: str = ""
    """The first error as the user reads it, with its line from 1; empty without errors."""
    line: int = 0
    """The line of the first error, from 0."""


def parse_errors(syntax: Syntax) -> ParseErrors:
    """The errors in the tree; where it has none and the grammar is more lenient than the language, the compiler's own."""
    if syntax.tree.root_node.has_error:
        return _of_tree(syntax)
    strict = _STRICT.get(syntax.language.queries)
    return ParseErrors(0) if strict is None else strict(syntax.snapshot.text)


def nearest_error(syntax: Syntax, line: int) -> ParseErrors:
    """Of the errors that ``parse_errors`` counts the one nearest to ``line`` (from 0); none where there is none."""
    if not syntax.tree.root_node.has_error:
        return parse_errors(syntax)
    found = list(islice(_erroneous(syntax.tree.root_node), MAX_ERRORS))
    if not found:
        return ParseErrors(0)
    node = min(found, key=lambda node: abs(node.start_point[0] - line))
    return ParseErrors(len(found), _in_words(node), node.start_point[0])


def _erroneous(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """The errors below ``root``, in document order; what has none is not looked into."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            yield node
        waiting += [child for child in reversed(node.children) if child.has_error]


def _in_words(node: tree_sitter.Node) -> str:
    what = f"{node.type!r} is missing" if node.is_missing else "syntax error"
    return f"line {node.start_point[0] + 1}: {what}"


def _of_tree(syntax: Syntax) -> ParseErrors:
    n_errors, first, first_line = 0, "", 0
    for node in nodes(syntax.tree.root_node):
        if not node.is_error and not node.is_missing:
            continue
        n_errors += 1
        if not first:
            first, first_line = _in_words(node), node.start_point[0]
        if n_errors >= MAX_ERRORS:
            break
    return ParseErrors(max(n_errors, 1), first or "syntax error", first_line)


def _python(text: str) -> ParseErrors:
    """The error of CPython's compiler, as for a header without a body, which the grammar accepts. Nothing is run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "<document>", "exec", dont_inherit=True, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except SyntaxError as error:
            line = max((error.lineno or 1) - 1, 0)
            return ParseErrors(1, f"line {line + 1}: {error.msg}", line)
        except (ValueError, RecursionError, MemoryError):  # nested too deeply, or text that no file can hold
            return ParseErrors(0)
    return ParseErrors(0)


_STRICT: Mapping[str, Callable[[str], ParseErrors]] = {"python": _python}
"""By queries folder."""
