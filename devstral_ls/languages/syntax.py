"""One incrementally updated syntax tree for each open document."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import tree_sitter

from devstral_ls.languages.definitions import imports
from devstral_ls.languages.grammars import Loaded, loaded
from devstral_ls.languages.language import Language
from devstral_ls.languages.offsets import Offsets, encode
from devstral_ls.languages.parsing import parse
from devstral_ls.languages.table import language_of
from devstral_ls.text import Snapshot, Span, single_edit

MAX_PARSED_CHARS = 512 * 1024
"""Longer texts get no tree: a fresh parse runs at about 10 MB a second and holds the event loop."""

MAX_DOCUMENTS = 64
"""How many documents keep a tree; the one not asked for longest goes first."""


PARSE_SECONDS = 0.3
"""The longest a parse may hold the event loop. Ordinary text of ``MAX_PARSED_CHARS`` takes a third of it; some grammars
need minutes for half a megabyte of unclosed tags."""

MAX_ERROR_NODES = 2_000
"""A file with more of them around the cursor is no code."""

RETRY_VERSIONS = 100
"""So many versions after a parse that took too long the document is tried again."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Syntax:
    """The tree of one snapshot. Stays valid when the document moves on."""

    snapshot: Snapshot
    language: Language
    tree: tree_sitter.Tree
    """``Node.text`` must not be asked of its nodes, nor a query with predicates run: see ``parsing``. ``data`` has the text."""
    grammar: Loaded
    data: bytes
    """The text as the tree has it; byte offsets do not leave this package."""

    @cached_property
    def offsets(self) -> Offsets:
        """Code points <-> bytes of this text."""
        return Offsets(self.snapshot.text, self.data)

    @cached_property
    def imports(self) -> tuple[Span, ...]:
        """The ``@import`` nodes among the root's first children, in document order."""
        calls = [name.encode() for name in self.language.import_calls]
        found = imports(self.tree, self.grammar, self.data, calls)
        spans = {self._trimmed(*node.byte_range) for node in found}
        return tuple(sorted(spans))

    def span(self, start_byte: int, end_byte: int) -> Span:
        """Two byte offsets as a span in code points."""
        return Span(self.offsets.to_char(start_byte), self.offsets.to_char(end_byte))

    def _trimmed(self, start: int, end: int) -> Span:
        """Without the line end that some grammars make part of a statement."""
        return self.span(start, start + len(self.data[start:end].rstrip()))


class SyntaxTrees:
    """The trees of the documents that were asked for last."""

    def __init__(self, max_documents: int = MAX_DOCUMENTS, parse_seconds: float = PARSE_SECONDS) -> None:
        self._max_documents = max_documents
        self._parse_seconds = parse_seconds
        self._too_slow: OrderedDict[str, int] = OrderedDict()
        """The version at which parsing a document took too long."""
        self._kept: OrderedDict[str, Syntax] = OrderedDict()

    def tree(self, snapshot: Snapshot) -> Syntax | None:
        """The tree of ``snapshot``, made from the document's last tree by one edit where there is one.

        ``None``: no usable grammar, a text above ``MAX_PARSED_CHARS``, or one that takes too long to parse.
        """
        language = language_of(snapshot.language, snapshot.uri)
        grammar = loaded(language)
        if grammar is None or len(snapshot.text) > MAX_PARSED_CHARS or self._is_too_slow(snapshot):
            self._kept.pop(snapshot.uri, None)
            return None
        last = self._kept.get(snapshot.uri)
        if last is None or last.language is not language:
            last = None
        elif last.snapshot.version == snapshot.version and last.snapshot.text == snapshot.text:
            self._kept.move_to_end(snapshot.uri)
            return last
        syntax = _parse(snapshot, language, grammar, last, self._parse_seconds)
        if syntax is None:
            self._kept.pop(snapshot.uri, None)
            _put(self._too_slow, snapshot.uri, snapshot.version, self._max_documents)
        else:
            _put(self._kept, snapshot.uri, syntax, self._max_documents)
        return syntax

    def tried(self, snapshot: Snapshot) -> Syntax | None:
        """The tree of a text that is not the document's but could be: made from the document's, and not kept.

        ``None`` where the document has no tree, or that of the text takes too long.
        """
        last = self._kept.get(snapshot.uri)
        if last is None:
            return None
        if last.snapshot.text == snapshot.text:
            return last
        return _parse(snapshot, last.language, last.grammar, last, self._parse_seconds)

    def forget(self, uri: str) -> None:
        """The document was closed."""
        self._kept.pop(uri, None)
        self._too_slow.pop(uri, None)

    def _is_too_slow(self, snapshot: Snapshot) -> bool:
        failed_at = self._too_slow.get(snapshot.uri)
        return failed_at is not None and failed_at <= snapshot.version < failed_at + RETRY_VERSIONS


def n_errors(syntax: Syntax, span: Span) -> int:
    """How many errors and missing tokens of the tree touch ``span``; never looks at more than ``MAX_ERROR_NODES``."""
    start, end = syntax.offsets.to_byte(span.start), syntax.offsets.to_byte(min(span.end, len(syntax.snapshot.text)))
    cursor = syntax.tree.walk()
    found = 0
    for _ in range(MAX_ERROR_NODES):
        node = cursor.node
        behind = node is None or node.start_byte > end
        if node is not None and not behind:
            found += node.is_error or node.is_missing
            if node.has_error and not node.is_missing and cursor.goto_first_child_for_byte(start) is not None:
                continue
        while behind or not cursor.goto_next_sibling():
            behind = False
            if not cursor.goto_parent():
                return found
    return found


def _put(kept: OrderedDict[str, _T], uri: str, value: _T, limit: int) -> None:
    kept[uri] = value
    kept.move_to_end(uri)
    while len(kept) > limit:
        kept.popitem(last=False)


def _parse(
    snapshot: Snapshot, language: Language, grammar: Loaded, last: Syntax | None, seconds: float
) -> Syntax | None:
    """The tree of ``snapshot``; ``None`` when it takes longer than ``seconds``."""
    data = encode(snapshot.text)
    tree = parse(grammar.language, data, _edited(last, snapshot.text, data) if last else None, seconds)
    if tree is None:
        return None
    return Syntax(snapshot, language, tree, grammar, data)


def _edited(last: Syntax, text: str, data: bytes) -> tree_sitter.Tree:
    """A copy of the last tree, told what changed; the last one stays as it is for those who still hold it."""
    edit = single_edit(last.snapshot.text, text)
    start = last.offsets.to_byte(edit.span.start)
    old_end = last.offsets.to_byte(edit.span.end)
    new_end = start + len(encode(edit.text))
    tree = last.tree.copy()
    point = _point(data, start)
    tree.edit(
        start, old_end, new_end, point, _point(last.data, old_end, start, point), _point(data, new_end, start, point)
    )
    return tree


def _point(data: bytes, at: int, known: int = 0, known_point: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    """Row and column, both from 0 and in bytes, of a byte offset; counted from one already known before it."""
    rows = data.count(b"\n", known, at)
    if not rows:
        return known_point[0], known_point[1] + at - known
    return known_point[0] + rows, at - data.rfind(b"\n", known, at) - 1
