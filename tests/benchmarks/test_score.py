"""Answers as they come from models, and what is to be said of each."""

from __future__ import annotations

import pytest

from benchmarks import score
from benchmarks.score import Answer

BEFORE, MIDDLE, AFTER = "def f(a):\n    ", "return a + 1", "\n\n\ndef g():\n    pass\n"


@pytest.mark.parametrize(
    ("one", "other", "distance"), [("", "", 0), ("kitten", "sitting", 3), ("abc", "", 3), ("flaw", "lawn", 2)]
)
def test_edit_similarity_is_of_the_levenshtein_distance(one: str, other: str, distance: int) -> None:
    share = distance / max(len(one), len(other), 1)
    assert score.edit_similarity(one, other) == score.edit_similarity(other, one) == pytest.approx(100 * (1 - share))


def test_edit_similarity_forgives_what_trails_and_not_what_leads() -> None:
    assert score.edit_similarity("a = 1  \n", "a = 1") == 100
    assert score.edit_similarity("", "") == 100
    assert score.edit_similarity("  a", "a") == pytest.approx(100 / 3)


@pytest.mark.parametrize(
    ("text", "n_replaced", "after", "exact"),
    [
        ("return a + 1", 0, AFTER, True),
        ("return a + 1  ", 0, AFTER, True),
        (" return a + 1", 0, AFTER, False),
        ("return a + 1\n    x = 1", 0, AFTER, False),
        ("return a + 1", 2, "()" + AFTER, False),
    ],
)
def test_exact(text: str, n_replaced: int, after: str, exact: bool) -> None:
    assert score.is_exact(BEFORE, MIDDLE, after, Answer(text, n_replaced)) is exact


def test_what_replaces_the_same_behind_the_cursor_does_not_count() -> None:
    assert score.is_exact("print(", "x, y", ")\n", Answer("x, y)", 1))
    assert score.effective(Answer("x, y)", 1), ")\n") == "x, y"


REPEATS = [
    (BEFORE, "x = 1\n\n\ndef g():", AFTER, True),
    (BEFORE, "x = 1", AFTER, False),
    (BEFORE, "def g():", AFTER, False),  # indented, it is another
    ("    ", "total = 2", "\n    total = 2\n", True),
    ("", "}", "\n}\n", False),
    ("if a:\n    ", "if b:\n        c()\n    else:\n        d()", "\nelse:\n    e()\n", False),
    ("", "a + total", " total\n", True),
    ("f(", "a, other)", "other)\n", True),
    ("f((", "a, ))", "))\n", False),
    (BEFORE, "", AFTER, False),
]


@pytest.mark.parametrize(("before", "answer", "after", "repeats"), REPEATS)
def test_repeats_of_what_follows(before: str, answer: str, after: str, repeats: bool) -> None:
    assert score.repeats_suffix(before, answer, after) is repeats


@pytest.mark.parametrize(
    ("language", "before", "answer", "after", "valid"),
    [
        ("python", BEFORE, "return a", AFTER, True),
        ("python", BEFORE, "return (a", AFTER, False),
        ("python", "x = (1,\n", "2", "\n", True),  # it was broken before
        ("go", "package a\n\nfunc f() int {\n\t", "return 1", "\n}\n", True),
        ("go", "package a\n\nfunc f() int {\n\t", "return 1\n}", "\n}\n", False),
        ("nothing we know", "a", "(", "b", True),
    ],
)
def test_valid_is_no_worse_than_before(language: str, before: str, answer: str, after: str, valid: bool) -> None:
    assert score.is_valid(before, after, Answer(answer), language) is valid


def test_over_generation_and_undoing() -> None:
    assert score.over_generation("abcdef", "abc") == 2
    assert score.undoes("xyz", "xy")
    assert not score.undoes("xyz", "")
    assert not score.undoes(" ", " ")


def test_the_least_trim_cuts_at_the_next_line_of_the_document() -> None:
    after = "\n    return b\n"
    assert score.cut_at_repeat("b = 1\n    c = 2\n    return b\nmore", after) == "b = 1\n    c = 2"
    assert score.cut_at_repeat("b = 1\n}\nmore", "\n}\n") == "b = 1\n}\nmore"  # a closer comes again by right
