"""One incrementally updated syntax tree for each open document, or for the part of it around the cursor."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import tree_sitter

from devstral_ls.languages.grammars import LoadedGrammar, loaded_grammar
from devstral_ls.languages.language import Language
from devstral_ls.languages.scopes.definitions import import_nodes
from devstral_ls.languages.syntax.offsets import Offsets, encode
from devstral_ls.languages.syntax.parsing import parse_bytes
from devstral_ls.languages.syntax.region import head_region, region_around
from devstral_ls.languages.table import language_of
from devstral_ls.text import Snapshot, Span, single_edit

MAX_PARSED_CHARS = 512 * 1024
"""Longer texts get no tree: a fresh parse runs at about 10 MB a second and holds the event loop."""

MAX_TRIED_CHARS = 128 * 1024
"""A longer text is not parsed only to try what could stand in it: 14 ms for 20,000 lines, and more where it is broken."""

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
    """The tree of one snapshot, or of a part of it. Stays valid when the document moves on."""

    snapshot: Snapshot
    language: Language
    tree: tree_sitter.Tree
    """``Node.text`` must not be asked of its nodes, nor a query with predicates run: see ``parsing``. ``data`` has the text."""
    grammar: LoadedGrammar
    data: bytes
    """The text as the tree has it; byte offsets do not leave this package."""
    part: Span | None = None
    """What of the snapshot was parsed; ``None``: all of it."""
    head: Syntax | None = None
    """The tree of its beginning, where that is not in the part."""

    @property
    def start(self) -> int:
        """Where in the snapshot the tree begins, in code points."""
        return 0 if self.part is None else self.part.start

    @cached_property
    def text(self) -> str:
        """What was parsed."""
        return self.snapshot.text if self.part is None else self.snapshot.of(self.part)

    @cached_property
    def offsets(self) -> Offsets:
        """Code points of the snapshot <-> bytes of the tree."""
        return Offsets(self.text, self.data, self.start)

    @cached_property
    def imports(self) -> tuple[Span, ...]:
        """The ``@import`` nodes among the root's first children, in document order."""
        if self.head is not None:
            return self.head.imports
        calls = [name.encode() for name in self.language.import_calls]
        found = import_nodes(self.tree, self.grammar, self.data, calls)
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

    def tree(self, snapshot: Snapshot, offset: int | None = None) -> Syntax | None:
        """The tree of ``snapshot``, made from the document's last tree by one edit where there is one.

        With ``offset``, where somebody types: of a long text only the part around it. ``None``: no usable grammar, a text
        above ``MAX_PARSED_CHARS``, or one that takes too long to parse.
        """
        language = language_of(snapshot.language, snapshot.uri)
        grammar = loaded_grammar(language)
        part = None if offset is None else region_around(snapshot.text, offset, language)
        is_too_long = part is None and len(snapshot.text) > MAX_PARSED_CHARS
        if grammar is None or is_too_long or self._is_too_slow(snapshot):
            self._kept.pop(snapshot.uri, None)
            return None
        last = self._kept.get(snapshot.uri)
        if last is None or last.language is not language:
            last = None
        elif last.part == part and last.snapshot.version == snapshot.version and last.snapshot.text == snapshot.text:
            self._kept.move_to_end(snapshot.uri)
            return last
        syntax = _parse(snapshot, language, grammar, last, self._parse_seconds, part)
        if syntax is None:
            self._kept.pop(snapshot.uri, None)
            _put(self._too_slow, snapshot.uri, snapshot.version, self._max_documents)
        else:
            _put(self._kept, snapshot.uri, syntax, self._max_documents)
        return syntax

    def tried(self, snapshot: Snapshot, offset: int) -> Syntax | None:
        """The tree of a text that is not the document's but could be, around ``offset``: made from the document's tree,
        of the same part, and not kept.

        ``None`` where the document has no tree, or that of the text takes too long.
        """
        last = self._kept.get(snapshot.uri)
        if last is None:
            return None
        if last.snapshot.text == snapshot.text:
            return last
        part = _same_part(last, snapshot.text, offset)
        if part is None and len(snapshot.text) > MAX_TRIED_CHARS:
            return None
        return _parse(snapshot, last.language, last.grammar, last, self._parse_seconds, part)

    def forget(self, uri: str) -> None:
        """The document was closed."""
        self._kept.pop(uri, None)
        self._too_slow.pop(uri, None)

    def _is_too_slow(self, snapshot: Snapshot) -> bool:
        failed_at = self._too_slow.get(snapshot.uri)
        return failed_at is not None and failed_at <= snapshot.version < failed_at + RETRY_VERSIONS


def n_errors(syntax: Syntax, span: Span) -> int:
    """How many errors and missing tokens of the tree touch ``span``; never looks at more than ``MAX_ERROR_NODES``."""
    start, end = syntax.offsets.to_byte(span.start), syntax.offsets.to_byte(span.end)
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


def _same_part(last: Syntax, text: str, offset: int) -> Span | None:
    """The part of ``text`` that ``last`` has of its own; another around ``offset`` where they differ elsewhere."""
    if last.part is None:
        return region_around(text, offset, last.language) if len(text) > MAX_TRIED_CHARS else None
    known, start = last.snapshot.text, last.part.start
    end = last.part.end + len(text) - len(known)
    if start <= offset <= end and known[:start] == text[:start] and known[last.part.end :] == text[end:]:
        return Span(start, end)
    return region_around(text, offset, last.language)


def _parse(
    snapshot: Snapshot,
    language: Language,
    grammar: LoadedGrammar,
    last: Syntax | None,
    seconds: float,
    part: Span | None,
) -> Syntax | None:
    """The tree of ``part`` of ``snapshot``; ``None`` when it takes longer than ``seconds``."""
    text = snapshot.text if part is None else snapshot.of(part)
    begins_alike = last is not None and last.start == (0 if part is None else part.start)
    data = encode(text)
    tree = parse_bytes(grammar.language, data, _edited(last, text, data) if last and begins_alike else None, seconds)
    if tree is None:
        return None
    head = _head(snapshot, language, grammar, last, seconds) if part is not None and part.start else None
    return Syntax(snapshot, language, tree, grammar, data, part, head)


def _head(
    snapshot: Snapshot, language: Language, grammar: LoadedGrammar, last: Syntax | None, seconds: float
) -> Syntax | None:
    """The tree of the beginning: the last one as long as that stays as it is."""
    known = None if last is None else last.head
    if known is not None and snapshot.text.startswith(known.text):
        return known
    part = head_region(snapshot.text, language)
    data = encode(snapshot.of(part))
    tree = parse_bytes(grammar.language, data, _edited(known, snapshot.of(part), data) if known else None, seconds)
    return None if tree is None else Syntax(snapshot, language, tree, grammar, data, part)


def _edited(last: Syntax, text: str, data: bytes) -> tree_sitter.Tree:
    """A copy of the last tree, told what changed; the last one stays as it is for those who still hold it."""
    edit = single_edit(last.text, text)
    start = last.offsets.to_byte(last.start + edit.span.start)
    old_end = last.offsets.to_byte(last.start + edit.span.end)
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
