"""The usual slips and what would mend them: one operator, number or name for another of its kind.

These are the operators of mutation testing, taken backwards: conditional boundary, negated conditional, arithmetic,
increment, inlined constant, wrong name and swapped operands. Which of them is a bug, the code alone does not say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import tree_sitter

from devstral_ls.languages.syntax import Syntax
from devstral_ls.languages.walking import nodes
from devstral_ls.text import Span

MAX_SLIPS = 1_500
"""Of one piece of code."""

MAX_NAMES = 24
"""Names of one kind that are tried for each other; a longer function has more than anybody mixes up."""

_GROUPS = (
    ("<", "<=", ">", ">="), ("==", "!="), ("===", "!=="), ("and", "or"), ("&&", "||"), ("||", "??"),
    ("+", "-"), ("*", "/"), ("/", "//", "%"), ("+=", "-="), ("++", "--"), ("<<", ">>"), ("&", "|"),
    ("True", "False"), ("true", "false"), ("min", "max"), ("any", "all"), ("break", "continue"), (":=", "="),
)  # fmt: skip

_OTHERS: Mapping[str, tuple[str, ...]] = {
    word: tuple(dict.fromkeys(other for group in _GROUPS if word in group for other in group if other != word))
    for word in dict.fromkeys(word for group in _GROUPS for word in group)
}

_BINARY = frozenset({"binary_operator", "comparison_operator", "binary_expression"})
_NO_ORDER = frozenset({"+", "*", "==", "!=", "===", "!==", "&", "|", "^", "in", "is"})
"""Operators whose operands may as well be swapped, or never are."""

_TEXTUAL = re.compile(r"string|comment|char|template|regex|rune")
_ENDS = frozenset({")", "]", ",", ";", ":", "}", "{"})
_MAX_SIDE = 60
"""Characters of an operand that is swapped."""


@dataclass(frozen=True, slots=True)
class Slip:
    """One edit that would mend a slip, if it is one."""

    span: Span
    text: str


def slips(syntax: Syntax, span: Span) -> tuple[Slip, ...]:
    """The slips there could be in ``span``, in no order; those over several lines are left out."""
    start, end = syntax.offsets.to_byte(span.start), syntax.offsets.to_byte(span.end)
    inside = [node for node in nodes(syntax.tree.root_node) if start <= node.start_byte and node.end_byte <= end]
    leaves = [node for node in inside if node.child_count == 0 and node.end_byte > node.start_byte]
    names = _names(syntax, leaves)
    found: list[Slip] = []
    for number, leaf in enumerate(leaves):
        after = leaves[number + 1] if number + 1 < len(leaves) else None
        made = (*_of_leaf(syntax, leaf, names), *_off_by_one(syntax, leaves, number, after))
        found += [Slip(syntax.span(low, high), text) for low, high, text in made]
    for node in inside:
        found += [Slip(syntax.span(low, high), text) for low, high, text in _swapped(syntax, node)]
    return tuple(dict.fromkeys(found))[:MAX_SLIPS]


_Made = Iterator[tuple[int, int, str]]


def _of_leaf(syntax: Syntax, leaf: tree_sitter.Node, names: Mapping[str, tuple[str, ...]]) -> _Made:
    low, high, word = leaf.start_byte, leaf.end_byte, _text(syntax, leaf)
    if _is_text(leaf):
        return
    for other in _OTHERS.get(word, ()):
        yield low, high, other
    if word.isdecimal() and len(word) < 6:
        yield low, high, str(int(word) + 1)
        if int(word):
            yield low, high, str(int(word) - 1)
    elif "identifier" in leaf.type:
        for other in names.get(leaf.type, ()):
            if other != word:
                yield low, high, other
    elif word in ("not", "!"):
        yield low, high + (syntax.data[high : high + 1] == b" "), ""


def _off_by_one(syntax: Syntax, leaves: list[tree_sitter.Node], number: int, after: tree_sitter.Node | None) -> _Made:
    """``x`` for ``x - 1`` and the other way round, where an expression ends."""
    leaf, word = leaves[number], _text(syntax, leaves[number])
    ends = after is None or after.start_point[0] > leaf.end_point[0] or _text(syntax, after) in _ENDS
    if not ends or _is_text(leaf):
        return
    parent = leaf.parent
    is_call = word == ")" and parent is not None and "argument" in parent.type
    if is_call or ("identifier" in leaf.type and "type" not in leaf.type):
        yield leaf.end_byte, leaf.end_byte, " - 1"
        yield leaf.end_byte, leaf.end_byte, " + 1"
    elif word == "1" and number >= 2 and _text(syntax, leaves[number - 1]) in ("+", "-"):
        before = leaves[number - 2]
        if before.end_point[0] == leaf.end_point[0] and "operator" not in before.type:
            yield before.end_byte, leaf.end_byte, ""


def _swapped(syntax: Syntax, node: tree_sitter.Node) -> _Made:
    """``b - a`` for ``a - b``."""
    if node.type not in _BINARY or node.child_count != 3 or node.start_point[0] != node.end_point[0]:
        return
    left, sign, right = (_text(syntax, child) for child in node.children)
    if sign in _NO_ORDER or left == right or max(len(left), len(right)) > _MAX_SIDE:
        return
    if any(_is_text(child) for child in node.children):
        return
    yield node.start_byte, node.end_byte, f"{right} {sign} {left}"


def _names(syntax: Syntax, leaves: list[tree_sitter.Node]) -> dict[str, tuple[str, ...]]:
    """The names there are, by the grammar's kind of name."""
    found: dict[str, dict[str, None]] = {}
    for leaf in leaves:
        if "identifier" in leaf.type:
            found.setdefault(leaf.type, {})[_text(syntax, leaf)] = None
    return {kind: tuple(known)[:MAX_NAMES] for kind, known in found.items()}


def _is_text(node: tree_sitter.Node) -> bool:
    return _TEXTUAL.search(node.type) is not None


def _text(syntax: Syntax, node: tree_sitter.Node) -> str:
    return syntax.data[node.start_byte : node.end_byte].decode("utf-8", "replace")
