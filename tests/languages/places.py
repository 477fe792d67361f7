"""Say a case as text with a cursor ``▮`` and read the answer as text."""

from __future__ import annotations

from devstral_ls.languages.scopes import indentation
from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.languages.scopes.tree import scope_at
from devstral_ls.languages.syntax.document_tree import parse_once
from devstral_ls.languages.table import language_of
from devstral_ls.text import Snapshot


def placed(code: str, language: str) -> tuple[Snapshot, int]:
    """The document without the mark, and where the mark was."""
    offset = code.index("▮")
    return Snapshot("file:///case", 1, language, code.replace("▮", "", 1)), offset


def by_tree(code: str, language: str) -> tuple[Snapshot, CursorScope]:
    snapshot, offset = placed(code, language)
    syntax = parse_once(snapshot)
    assert syntax is not None
    return snapshot, scope_at(syntax, snapshot, offset)


def by_lines(code: str, language: str) -> tuple[Snapshot, CursorScope]:
    snapshot, offset = placed(code, language)
    return snapshot, indentation.scope_by_indentation(snapshot, offset, language_of(language))


def path(found: CursorScope) -> str:
    """``class A > function f``."""
    return " > ".join(f"{scope.kind} {scope.name or '-'}" for scope in found.scopes)


def place(found: CursorScope) -> str:
    """``comment``, ``string`` or ``code``."""
    return "comment" if found.in_comment else "string" if found.in_string else "code"
