"""Suggestions as the items of ghost text and of the completion list."""

from __future__ import annotations

import pytest
from lsprotocol import types

from devstral_ls.server.documents.store import Documents
from devstral_ls.server.features import completion_items
from devstral_ls.suggest.trace import Suggestion
from devstral_ls.text import Snapshot, Span

URI = "file:///w/a.py"


def place(code: str) -> tuple[Snapshot, int]:
    """The cursor is at ``▮``."""
    return Snapshot(URI, 1, "python", code.replace("▮", "")), code.index("▮")


@pytest.mark.parametrize(
    ("code", "text", "n_replaced", "filter_text"),
    [
        ("print(▮", "x)", 0, "x)"),
        ("print(▮)", "x, y)", 1, "x, y)"),
        ("print(▮)", "x, y", 1, "x, y)"),  # the tail is dropped, and would hide the suggestion
        ("f([▮])", "1])", 2, "1])"),
        ("f([▮])", "1)", 2, "1)])"),
    ],
)
def test_a_suggestion_shows_where_it_replaces_a_closed_tail(
    code: str, text: str, n_replaced: int, filter_text: str
) -> None:
    snapshot, cursor = place(code)
    suggestion = Suggestion("1", text, Span(cursor, cursor + n_replaced))
    (item,) = completion_items.inline_completion_list(Documents(), snapshot, [suggestion]).items
    assert item.insert_text == text
    assert item.filter_text == filter_text
    assert item.range is not None
    assert (item.range.start.character, item.range.end.character) == (cursor, cursor + n_replaced)


@pytest.mark.parametrize(
    ("code", "text", "label"),
    [
        ("  pri▮", "nt(1)", "print(1)"),
        ("x = ▮", "\n    one\n    two", "one"),
        ("▮", "y" * 80, "y" * 59 + "…"),
        ("été▮", "s", "étés"),
    ],
)
def test_the_label_of_a_completion_is_its_first_line(code: str, text: str, label: str) -> None:
    snapshot, cursor = place(code)
    items = completion_items.completion_list(
        Documents(), snapshot, cursor, [Suggestion("1", text, Span(cursor, cursor))]
    ).items
    assert items[0].label == label
    assert isinstance(items[0].text_edit, types.TextEdit)
    assert items[0].text_edit.new_text.endswith(text)
