"""What other tools say, as comments in the text before the cursor."""

from __future__ import annotations

import pytest

from devstral_ls.code_context import Diagnostic
from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.languages.table import language_of
from devstral_ls.prompt.diagnostic_comments import comments_on
from devstral_ls.retrieval.diagnostics import DocumentDiagnostics
from devstral_ls.text import DocumentChange, Edit, Snapshot, Span


@pytest.mark.parametrize(
    "message", ["a */ b", "**// b", "***///", "a\x85b\u2028c", "first\nsecond\r\nthird", "x" * 1_000_000]
)
def test_whatever_a_tool_says_stays_one_closed_comment(message: str) -> None:
    snapshot = Snapshot("file:///a.css", 1, "css", "a { b: c }\n")
    (note,) = comments_on([Diagnostic(Span(4, 5), "error", message)], snapshot, 4, language_of("css"))
    assert note.text.startswith("/* error: ")
    assert note.text.index("*/") == len(note.text) - 2
    assert len(note.text.splitlines()) == 1
    assert len(note.text) < 300


def test_what_is_reported_moves_along_with_what_is_typed_above() -> None:
    before = Snapshot("file:///a.py", 1, "python", "a = 1\nb = c\n")
    diagnostics = DocumentDiagnostics()
    diagnostics.put([Diagnostic(Span(10, 11), "error", "c is unknown")])
    edits = (Edit(Span(0, 0), "x = 0\n"), Edit(Span(6, 6), "y = 0\n"))
    now = before.edited(edits[0], 2).edited(edits[1], 2)
    diagnostics.changed(DocumentChange(before, now, edits))
    (one,) = diagnostics.near(now, 0, CursorScope(), 3)
    assert now.of(one.span) == "c"
