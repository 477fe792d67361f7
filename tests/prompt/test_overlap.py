"""Conversations about a gap: what the model is asked to repeat."""

from __future__ import annotations

import pytest

from devstral_ls.generation import GenerationRequest
from devstral_ls.models.families.formats import MESSAGES_CHAT
from devstral_ls.prompt.overlap import MAX_REPEATED, chat_overlap, last_line
from devstral_ls.prompt.window import Window
from devstral_ls.testing.scripted_engine import plain


@pytest.mark.parametrize(
    ("before", "repeated"),
    [
        ("a = 1\nb = ", "b = "),
        ("def f():\n    ", "def f():\n    "),
        ("def f():\n\n", "def f():\n\n"),
        ("x", "x"),
        ("", ""),
        ("\n\n", "\n\n"),
        ("y\n" + "x" * 1000, "x" * MAX_REPEATED),
    ],
)
def test_the_answer_begins_with_the_last_line_that_says_something(before: str, repeated: str) -> None:
    assert last_line(before) == (before, repeated)


def test_both_sides_of_the_gap_are_shown() -> None:
    prompt = chat_overlap(MESSAGES_CHAT, Window("a = 1\nb = ", "\n\nc = 3\nd = 4\n"), "/src/m.py")
    asked = plain(GenerationRequest(prompt, 1))
    assert "m.py" in asked
    assert "right before it:\nb =\n" in asked
    assert "right after it:\nc = 3\n" in asked
    assert asked.endswith("role:assistant")
    assert "right" not in plain(GenerationRequest(chat_overlap(MESSAGES_CHAT, Window("", ""), ""), 1))
