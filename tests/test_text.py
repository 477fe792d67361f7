"""Documents as values."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstral_ls.text import (
    DocumentChange,
    Edit,
    Replacement,
    Snapshot,
    Span,
    apply,
    line_starts,
    moved,
    moved_with_lines,
    single_edit,
)

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


# --- changes ---

EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), ANY_TEXT), max_size=4)


def changed(text: str, wanted: list[tuple[float, int, str]]) -> DocumentChange:
    """``text`` after edits at places given as shares of its length."""
    snapshot, edits = Snapshot("file:///a", 1, "plaintext", text), []
    before = snapshot
    for place, n_removed, inserted in wanted:
        start = round(place * len(snapshot.text))
        edits.append(Edit(Span(start, min(start + n_removed, len(snapshot.text))), inserted))
        snapshot = snapshot.edited(edits[-1], 2)
    return DocumentChange(before, snapshot, tuple(edits))


@given(ANY_TEXT, EDITS)
def test_the_edit_of_a_change_does_what_all_its_edits_do(text: str, wanted: list[tuple[float, int, str]]) -> None:
    change = changed(text, wanted)
    assert apply(text, change.edit) == change.after.text
    whole = Replacement.of(change.edits)
    if whole is not None:
        assert text[: whole.start] == change.after.text[: whole.start]
        assert text[whole.old_end :] == change.after.text[whole.new_end :]
        assert len(change.after.text) - len(text) == whole.delta


def test_the_edit_of_a_change_is_at_the_place_the_client_named_not_at_one_that_reads_the_same() -> None:
    change = changed("foo", [(1 / 3, 1, "")])
    assert change.edit == Edit(Span(1, 2), "")
    assert single_edit(change.before.text, change.after.text) == Edit(Span(2, 3), "")


def test_a_line_replaced_by_one_that_is_a_character_longer_is_one_character_typed() -> None:
    assert changed("ab = 1\n", [(0, 6, "abc = 1")]).edit == Edit(Span(2, 2), "c")


@given(ANY_TEXT, EDITS)
def test_identity_tells_whether_a_text_has_changed(text: str, wanted: list[tuple[float, int, str]]) -> None:
    change = changed(text, wanted)
    if all(not edit.span and not edit.text for edit in change.edits):
        assert change.after.text is text
    if change.after.text is text:
        assert not change.edit.text
        assert not change.edit.span


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (Edit(Span(0, 1), ""), Span(4, 9)),  # before it
        (Edit(Span(12, 12), "x"), Span(5, 10)),  # behind it
        (Edit(Span(7, 8), "xyz"), Span(5, 12)),  # inside
        (Edit(Span(5, 5), "x"), Span(5, 11)),  # at its start
        (Edit(Span(10, 10), "x"), Span(5, 10)),  # at its end
        (Edit(Span(3, 7), "x"), Span(3, 7)),  # over its start
        (Edit(Span(8, 12), "x"), Span(5, 9)),  # over its end
        (Edit(Span(0, 12), "x"), Span(0, 1)),  # all of it
    ],
)
def test_a_span_moves_with_the_text(edit: Edit, expected: Span) -> None:
    assert moved(Span(5, 10), edit) == expected


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (Edit(Span(0, 0), "x\n"), Span(6, 7)),  # a line above
        (Edit(Span(2, 2), "x\n"), Span(6, 7)),  # a line just above
        (Edit(Span(0, 2), ""), Span(2, 3)),  # the line above goes
        (Edit(Span(7, 7), "\nx"), Span(4, 5)),  # a line just below
        (Edit(Span(9, 9), "x"), Span(4, 5)),
        (Edit(Span(2, 2), "x"), None),  # the same line
        (Edit(Span(7, 7), "x"), None),
        (Edit(Span(3, 4), ""), None),
    ],
)
def test_a_remark_goes_with_its_line_and_moves_with_the_others(edit: Edit, expected: Span | None) -> None:
    before = Snapshot("file:///a", 1, "plaintext", "a\nb = c\nd\n")
    assert moved_with_lines(before, Span(4, 5), edit) == expected
