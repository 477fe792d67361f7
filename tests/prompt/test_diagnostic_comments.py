"""What other tools say, as comments in the text before the cursor."""

from __future__ import annotations

import pytest

from devstral_ls.code_context import Diagnostic
from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.languages.table import language_of
from devstral_ls.prompt.diagnostic_comments import comments_on
from devstral_ls.suggest.client_diagnostics import ClientDiagnostics
from devstral_ls.text import Snapshot, Span


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


def test_what_was_said_of_an_older_text_moves_along_with_all_that_was_typed_since() -> None:
    def text(version: int, code: str) -> Snapshot:
        return Snapshot("file:///a.py", version, "python", code)

    diagnosed = ClientDiagnostics()
    diagnosed.put(text(1, "a = 1\nb = c\n"), [Diagnostic(Span(10, 11), "error", "c is unknown")])
    now = text(3, "x = 0\ny = 0\na = 1\nb = c\n")  # of version 2 nobody was told
    diagnosed.edited(now)
    (one,) = diagnosed.near(now, 0, CursorScope())
    assert now.of(one.span) == "c"
