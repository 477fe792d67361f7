"""``Syntax``: the tree of a text, or of the region of it around a cursor, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import tree_sitter

from devstral_ls.languages.grammars import LoadedGrammar
from devstral_ls.languages.language import Language
from devstral_ls.languages.scopes.definitions import import_nodes
from devstral_ls.languages.syntax.offsets import Offsets
from devstral_ls.text import Snapshot, Span

MAX_ERROR_NODES = 2_000
"""A file with more of them around the cursor is no code."""


@dataclass(frozen=True)
class Syntax:
    """The tree of one snapshot, or of a region of it. Stays valid when the document moves on."""

    snapshot: Snapshot
    language: Language
    tree: tree_sitter.Tree
    """``Node.text`` must not be asked of its nodes, nor a query with predicates run: see ``parsing``. ``data`` has the text."""
    grammar: LoadedGrammar
    data: bytes
    """The text as the tree has it; byte offsets do not leave this package."""
    region: Span | None = None
    """What of the snapshot was parsed; ``None``: all of it."""
    head: Syntax | None = None
    """The tree of its beginning, where that is not in the region."""

    @property
    def start(self) -> int:
        """Where in the snapshot the tree begins, in code points."""
        return 0 if self.region is None else self.region.start

    @cached_property
    def text(self) -> str:
        """What was parsed."""
        return self.snapshot.text if self.region is None else self.snapshot.of(self.region)

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
        nodes = import_nodes(self.tree, self.grammar, self.data, calls)
        return tuple(sorted({self._trimmed(*node.byte_range) for node in nodes}))

    def span(self, start_byte: int, end_byte: int) -> Span:
        """Two byte offsets as a span in code points."""
        return Span(self.offsets.to_char(start_byte), self.offsets.to_char(end_byte))

    def _trimmed(self, start: int, end: int) -> Span:
        """Without the line end that some grammars make part of a statement."""
        return self.span(start, start + len(self.data[start:end].rstrip()))


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
