"""A streamed edit as a value: what is shown while it is written, and what becomes of it when others type."""

from __future__ import annotations

import pytest

from devstral_ls.actions.answer import code_in, fence_prefix, loops
from devstral_ls.actions.outputs.streamed_edit import StreamedEdit, merged
from devstral_ls.actions.target.line_style import dedent, line_style_of, reindent
from devstral_ls.errors import EditConflict
from devstral_ls.text import Span, apply

TEXT = "head\none\ntwo\ntail\n"
SPAN = Span(5, 12)


def test_each_state_is_one_small_edit_from_the_last() -> None:
    begun = StreamedEdit.begin(TEXT, SPAN)
    assert begun.text == TEXT
    first = begun.saying("ONE\ntwo")
    edit = begun.edit_to(first)
    assert edit is not None
    assert (edit.span, edit.text) == (Span(5, 8), "ONE")
    assert apply(begun.text, edit) == first.text == "head\nONE\ntwo\ntail\n"
    assert first.edit_to(first) is None
    assert first.undone() == begun


@pytest.mark.parametrize(
    ("theirs", "mine"),
    [
        ("head\nONE\ntwo\ntail\n", "head\nX\ntail\n"),  # nothing was typed
        ("new\nhead\nONE\ntwo\ntail\n", "new\nhead\nX\ntail\n"),  # above
        ("hd\nONE\ntwo\ntail\n", "hd\nX\ntail\n"),  # less above
        ("head\nONE\ntwo\ntail\nmore\n", "head\nX\ntail\nmore\n"),  # below
    ],
)
def test_what_others_type_elsewhere_is_kept(theirs: str, mine: str) -> None:
    shown = StreamedEdit.begin(TEXT, SPAN).saying("ONE\ntwo")
    assert shown.rebased(theirs).saying("X").text == mine


@pytest.mark.parametrize(
    "theirs", ["head\nONE!\ntwo\ntail\n", "head\n\nONE\ntwo\ntail\n", "head\nONE\ntwo;\ntail\n", "", "head\ntail\n"]
)
def test_typing_into_the_piece_is_a_conflict(theirs: str) -> None:
    with pytest.raises(EditConflict):
        StreamedEdit.begin(TEXT, SPAN).saying("ONE\ntwo").rebased(theirs)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ([], "a\nb\nc"),
        (["a"], "a\nb\nc"),
        (["a", "new"], "a\nnew\nb\nc"),
        (["a", "new", "c"], "a\nnew\nc"),
        (["x", "y"], "x\ny\na\nb\nc"),
    ],
)
def test_the_old_lines_follow_those_that_are_written(written: list[str], shown: str) -> None:
    assert merged("a\nb\nc", written) == shown


# --- what a model wrote ---


@pytest.mark.parametrize(
    ("opened", "answer", "code", "closed"),
    [
        ("f()\n", "g()\n```\nThat is it.", "f()\ng()", True),
        ("f()\n", "g()", "f()\ng()", False),
        ("f()\n", "f()\ng()\n```", "f()\ng()", True),
        ("f()\n", "```py\nh()\n```", "h()", True),
        ("f()\n", "Sure:\n```py\nh()\n```", "h()", True),
        ("f()\n", "```", "", False),
        (None, "Here:\n\n```py\nh()\n```\nDone.", "h()", True),
        (None, "Here:\n```\nh()\n", "h()\n", False),
        (None, "just words", "just words", False),
    ],
)
def test_code_is_found_between_fences(opened: str | None, answer: str, code: str, closed: bool) -> None:
    found = code_in("" if opened is None else fence_prefix("py", opened), answer)
    assert (found.text, found.closed) == (code, closed)


@pytest.mark.parametrize(
    ("text", "is_loop"),
    [
        ("line one\n" * 7, True),
        ("line one\n" * 6, False),
        ("}\n" * 50, False),  # closers come again by right
        ("first\nsecond\n" * 7, True),
        ("".join(f"line {n}\n" for n in range(50)), False),
    ],
)
def test_a_loop_is_seen(text: str, is_loop: bool) -> None:
    assert loops(text, 6) is is_loop


@pytest.mark.parametrize(
    "text", ["    a\n\n      b\n    c", "a\n  b", "\ta\r\n\t\tb", "    a = '''\n    x\n    '''", "  a\n b"]
)
def test_code_goes_back_as_it_was_taken_out(text: str) -> None:
    style = line_style_of(text, text)
    shown = dedent(text, style)
    assert reindent(shown, style, shown) == text


def test_code_that_came_with_another_indentation_is_put_right() -> None:
    text = "    def f():\n        pass"
    style = line_style_of(text, text)
    assert reindent("  def f():\n      pass", style, dedent(text, style)) == text
