"""Checks of an edit before it is offered: it parses as well as before and changes no code that it must not change."""

from __future__ import annotations

from cachetools import LRUCache

from devstral_ls.languages.code_equality import code_tokens
from devstral_ls.languages.symbols import Symbol, document_symbols, identifiers_in
from devstral_ls.languages.syntax.document_tree import parse_once
from devstral_ls.languages.syntax.parse_errors import parse_errors
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.text import Edit, Snapshot, Span, apply

_BUILTIN_TYPES = frozenset({
    "int", "str", "float", "bool", "bytes", "bytearray", "complex", "object", "list", "dict", "set", "frozenset", "tuple",
    "type", "range", "slice", "memoryview",
})  # fmt: skip

_MAX_PARSED = 4
"""Trees kept: one edit is looked at by several checks."""

_ANNOTATIONS_RUN = frozenset({"python"})
"""Queries folders of languages that evaluate annotations."""


class Checks:
    """Checks of edits of one document. Changed texts are parsed in trees of their own."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._parsed: LRUCache[str, Syntax | None] = LRUCache(_MAX_PARSED)
        self.syntax = self.parsed(snapshot.text)
        """The document's tree; None without a grammar."""

    def parsed(self, text: str) -> Syntax | None:
        """The tree of ``text`` in the document's language; None without a grammar."""
        if text not in self._parsed:
            before = self.snapshot
            self._parsed[text] = parse_once(Snapshot(before.uri, before.version, before.language, text))
        return self._parsed[text]

    def after(self, edit: Edit) -> Syntax | None:
        """The tree of the document with ``edit`` applied; None without a grammar."""
        return self.parsed(apply(self.snapshot.text, edit))

    def worse(self, edit: Edit) -> str:
        """The first new parse error after ``edit``; empty if there is none, or no grammar."""
        after = self.after(edit)
        if self.syntax is None or after is None:
            return ""
        errors = parse_errors(after)
        if errors.n_errors <= parse_errors(self.syntax).n_errors:
            return ""
        lines = after.snapshot.text.split("\n")
        shown = lines[errors.line].strip()[:120] if errors.line < len(lines) else ""
        return f"{errors.first}: `{shown}`" if shown else errors.first

    def changes_code(self, edit: Edit, *, types: bool) -> bool:
        """True when ``edit`` changes more than comments and docstrings, or there is no grammar.

        With ``types`` false, changed annotations do not count either.
        """
        after = self.after(edit)
        if self.syntax is None or after is None:
            return True
        return code_tokens(self.syntax, types=types) != code_tokens(after, types=types)

    def unknown_types(self, header: str) -> frozenset[str]:
        """Names in a new header that are evaluated and that the file does not mention otherwise."""
        if self.syntax is None or self.syntax.language.queries not in _ANNOTATIONS_RUN:
            return frozenset()
        tree = self.parsed(f"{header}\n    pass\n")
        if tree is None:
            return frozenset()
        used = identifiers_in(tree, _all(tree.snapshot.text))
        return used - identifiers_in(self.syntax, _all(self.snapshot.text)) - _BUILTIN_TYPES

    def dropped(self, edit: Edit) -> tuple[str, ...]:
        """Names of public definitions that ``edit`` removes from the document."""
        after = self.after(edit)
        if self.syntax is None or after is None:
            return ()
        names = {definition.name for definition in document_symbols(after)}
        gone = [item.name for item in document_symbols(self.syntax) if is_public(item) and item.name not in names]
        return tuple(dict.fromkeys(gone))


def is_public(definition: Symbol) -> bool:
    """True when other code may use the definition by its name."""
    return bool(definition.name) and not definition.name.startswith("_")


def _all(text: str) -> Span:
    return Span(0, len(text))
