"""Is an edit one to offer? It parses as well as before, keeps the names others use, and changes no code it may not."""

from __future__ import annotations

from devstral_ls.languages.code_equality import code_of
from devstral_ls.languages.defined import Defined, outline, words
from devstral_ls.languages.syntax.errors import parse_errors
from devstral_ls.languages.syntax.tree import Syntax, SyntaxTrees
from devstral_ls.text import Edit, Snapshot, Span, apply

_BUILTIN_TYPES = frozenset(
    [
        "int",
        "str",
        "float",
        "bool",
        "bytes",
        "bytearray",
        "complex",
        "object",
        "list",
        "dict",
        "set",
        "frozenset",
        "tuple",
        "type",
        "range",
        "slice",
        "memoryview",
    ]
)

_ANNOTATIONS_RUN = frozenset({"python"})
"""Queries folders of languages that evaluate annotations."""


class Checks:
    """Checks of edits of one document. Texts that are looked at get trees of their own."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._trees = SyntaxTrees(max_documents=4)
        self.syntax = self.parsed(snapshot.text)
        """The document as it is; ``None`` without a grammar."""

    def parsed(self, text: str) -> Syntax | None:
        """The tree of ``text`` in the document's language."""
        before = self.snapshot
        return self._trees.tree(Snapshot(before.uri, before.version, before.language, text))

    def worse(self, edit: Edit) -> str:
        """How ``edit`` makes the document parse worse; empty if it does not, or if nobody can tell."""
        after = self.parsed(apply(self.snapshot.text, edit))
        if self.syntax is None or after is None:
            return ""
        found, was = parse_errors(after), parse_errors(self.syntax)
        if found.n_errors <= was.n_errors:
            return ""
        lines = after.snapshot.text.split("\n")
        shown = lines[found.line].strip()[:120] if found.line < len(lines) else ""
        return f"{found.first}: `{shown}`" if shown else found.first

    def changes_code(self, edit: Edit, *, types: bool) -> bool:
        """Does ``edit`` change more than comments and docstrings (and annotations, with ``types`` false)?

        Where nobody can tell, it does.
        """
        after = self.parsed(apply(self.snapshot.text, edit))
        if self.syntax is None or after is None:
            return True
        return code_of(self.syntax, types=types) != code_of(after, types=types)

    def unknown_types(self, header: str) -> frozenset[str]:
        """Names in a new header that are evaluated and that nothing in the file makes known."""
        if self.syntax is None or self.syntax.language.queries not in _ANNOTATIONS_RUN:
            return frozenset()
        tree = self.parsed(f"{header}\n    pass\n")
        if tree is None:
            return frozenset()
        used = words(tree, _all(tree.snapshot.text))
        return used - words(self.syntax, _all(self.snapshot.text)) - _BUILTIN_TYPES

    def dropped(self, edit: Edit) -> tuple[str, ...]:
        """Public definitions that ``edit`` takes out of the document."""
        after = self.parsed(apply(self.snapshot.text, edit))
        if self.syntax is None or after is None:
            return ()
        kept = {one.name for one in outline(after)}
        gone = [one.name for one in outline(self.syntax) if is_public(one) and one.name not in kept]
        return tuple(dict.fromkeys(gone))


def is_public(one: Defined) -> bool:
    """May others use it by its name?"""
    return bool(one.name) and not one.name.startswith("_")


def _all(text: str) -> Span:
    return Span(0, len(text))
