"""The built-in holes: enough of them, of every kind, and each can be known."""

from __future__ import annotations

from collections import Counter

from devstral_ls.calibration.cases import Hole, holes, scope_and_cursor
from devstral_ls.calibration.score import first_line
from devstral_ls.suggest.postprocess.draft import Draft
from devstral_ls.suggest.postprocess.steps import postprocess


def line_before(hole: Hole) -> str:
    line = hole.snapshot.line_span(hole.snapshot.line_at(hole.offset))
    return hole.snapshot.text[line.start : hole.offset]


def test_there_are_enough_in_four_languages() -> None:
    counts = Counter(hole.snapshot.language for hole in holes())
    assert set(counts) == {"python", "typescript", "go", "rust"}
    assert min(counts.values()) >= 6
    assert len({hole.id for hole in holes()}) == len(holes()) >= 24


def test_any_first_few_are_of_all_languages() -> None:
    assert len({hole.snapshot.language for hole in holes()[:4]}) == 4


def test_some_are_in_the_middle_of_a_word_and_some_want_several_lines() -> None:
    places = [scope_and_cursor(hole)[1] for hole in holes()]
    assert sum(place.multiline for place in places) >= 4
    assert sum(not place.multiline for place in places) >= 4
    for language in ("python", "typescript", "go", "rust"):
        words = [line_before(hole)[-1:].isalpha() for hole in holes() if hole.snapshot.language == language]
        assert any(words), language


def test_the_expected_answer_survives_the_post_processing() -> None:
    for hole in holes():
        shown = postprocess(Draft(hole.expected, scope_and_cursor(hole)[1])).text
        assert first_line(shown) == first_line(hole.expected), hole.id


def test_the_marks_are_not_in_the_code() -> None:
    for hole in holes():
        assert not set("⟦⟧▮") & set(hole.snapshot.text + hole.expected), hole.id
        assert hole.snapshot.text.endswith("\n")
