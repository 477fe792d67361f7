"""Documents as values."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstral_ls.text import Edit, Snapshot, Span, apply, line_starts, single_edit

ANY_TEXT = st.text(st.sampled_from("ab \n\r\t\f\u2028é漢🎉\ud800"), max_size=40)


@given(ANY_TEXT, ANY_TEXT)
def test_one_edit_turns_any_text_into_any_other(before: str, after: str) -> None:
    edit = single_edit(before, after)
    assert apply(before, edit) == after
    assert len(edit.span) <= len(before)


def test_the_edit_is_as_small_as_it_can_be() -> None:
    assert single_edit("a = 1\nb = 2\n", "a = 1\nbc = 2\n") == Edit(Span(7, 7), "c")
    assert single_edit("same", "same") == Edit(Span(4, 4), "")
    assert single_edit("aaa", "aaaa").text == "a"


@given(ANY_TEXT)
def test_lines_end_where_the_protocol_says(text: str) -> None:
    assert line_starts(text) == [0, *(match.end() for match in re.finditer(r"\r\n|\n|\r", text))]


@given(ANY_TEXT, st.data())
def test_every_offset_lies_on_the_line_that_line_at_names(text: str, data: st.DataObject) -> None:
    snapshot = Snapshot("file:///a", 0, "plaintext", text)
    offset = data.draw(st.integers(0, len(text)))
    line = snapshot.line_at(offset)
    assert snapshot.line_starts[line] <= offset
    assert line == snapshot.n_lines - 1 or offset < snapshot.line_starts[line + 1]
    assert "".join(c for c in snapshot.line(line) if c in "\r\n") == ""


@pytest.mark.parametrize(("text", "lines"), [("", [""]), ("a", ["a"]), ("a\r\nb\rc\n", ["a", "b", "c", ""])])
def test_lines(text: str, lines: list[str]) -> None:
    snapshot = Snapshot("file:///a", 0, "plaintext", text)
    assert [snapshot.line(n) for n in range(snapshot.n_lines)] == lines


def test_a_form_feed_and_a_line_separator_end_no_line() -> None:
    assert Snapshot("file:///a", 0, "plaintext", "a\fb\u2028c\x0bd").n_lines == 1
