"""How answers are compared and layouts ranked."""

from __future__ import annotations

import pytest

from devstral_ls.calibration.record import HoleAnswer
from devstral_ls.calibration.score import Score, compare, overhead_tokens, ranked, scores, usual_tokens


@pytest.mark.parametrize(
    ("expected", "answer", "exact"),
    [
        ("return 1", "return 1", True),
        ("return 1", "return 1  \nelse", True),  # only the first line counts
        ("\n    return 1", "\n\n    return 1", True),  # it is the first that is not blank
        ("    return 1", "return 1", False),  # indentation counts
        ("return 1", "", False),
    ],
)
def test_the_first_line_is_compared(expected: str, answer: str, exact: bool) -> None:
    assert compare(expected, answer).exact is exact


def test_similarity_is_between_nothing_and_all() -> None:
    assert compare("return a + b", "return a + b").similarity == 1
    assert 0.5 < compare("return a + b", "return a - b").similarity < 1
    assert compare("return a + b", "").similarity == 0


def score(layout: str, n_exact: int, similarity: float) -> Score:
    return Score(layout, 30, n_exact, similarity)


@pytest.mark.parametrize(
    ("found", "best_first"),
    [
        ([score("a", 10, 0.5), score("b", 20, 0.8)], ["b", "a"]),
        ([score("a", 10, 0.5), score("b", 10, 0.5)], ["a", "b"]),  # the family's order
        ([score("a", 10, 0.5), score("b", 11, 0.52)], ["a", "b"]),  # one hole more is chance
        ([score("a", 1, 0.2), score("b", 10, 0.5), score("c", 20, 0.8)], ["c", "b", "a"]),
        ([score("only", 0, 0.0)], ["only"]),
    ],
)
def test_the_best_goes_first_and_ties_stay_in_order(found: list[Score], best_first: list[str]) -> None:
    assert ranked(found) == best_first


def test_a_layout_that_answered_nothing_has_a_score_of_nothing() -> None:
    answers = {"a": {"h": HoleAnswer(True, 1.0, 5)}}
    assert [found.total for found in scores(answers, ["a", "b"])] == [1.0, 0.0]


def test_a_usual_line_is_the_median_of_what_was_counted() -> None:
    answers = {str(n): HoleAnswer(False, 0.0, n_tokens) for n, n_tokens in enumerate((0, 4, 6, 40))}
    assert usual_tokens(answers) == 6
    assert usual_tokens({"h": HoleAnswer(False, 0.0, 0)}) is None


def test_what_is_around_the_code_is_the_usual_surplus() -> None:
    answers = {str(n): HoleAnswer(False, 0.0, 1, 100 + surplus, 100) for n, surplus in enumerate((50, 60, 300))}
    assert overhead_tokens(answers) == 60
    assert overhead_tokens({"h": HoleAnswer(False, 0.0, 1, 90, 100)}) == 0
    assert overhead_tokens({"h": HoleAnswer(False, 0.0, 1)}) == 0
