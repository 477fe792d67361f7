"""The person who types, and what they take."""

from __future__ import annotations

import pytest

from benchmarks.keystrokes import accepted, key_at, keys_at, n_keys, stretch

CODE = "import os\n\n\ndef f(a):\n    if a:\n        return 1\n    return 2\n"


@pytest.mark.parametrize(
    ("suggestion", "truth", "taken", "keys"),
    [
        ("return value", "return value\n", 12, 1),
        ("return value + 1", "return value\n", 12, 2),
        ("return values", "return value\n", 6, 1),  # a word is right as a whole or not at all
        ("return val", "return value\n", 10, 1),  # all of it is right: taken, and typing goes on
        ("return val + 1", "return value\n", 6, 1),
        ("x", "y", 0, 0),
        ("x + 1", "x - 1", 0, 0),  # one word of one letter saves no key
        ("", "abc", 0, 0),
        ("   ", "   a", 0, 0),
        ("a(b)", "a(b)", 4, 1),
    ],
)
def test_all_of_it_or_word_by_word(suggestion: str, truth: str, taken: int, keys: int) -> None:
    assert accepted(suggestion, truth) == (taken, keys)


def test_an_editor_indents_for_nothing() -> None:
    assert key_at("a\n    b", 1) == "\n    "
    assert n_keys("a:\n    b\n") == 5


def test_the_same_keys_for_everybody_and_slips_are_taken_back() -> None:
    def all_keys(seed: int) -> list[object]:
        return [key for at in range(len(CODE)) for key in keys_at(CODE, at, seed)]

    assert all_keys(1) == all_keys(1)
    assert all_keys(1) != all_keys(2)
    slips = [list(keys_at("x" * 4000, at, 1)) for at in range(4000)]
    with_slip = [keys for keys in slips if len(keys) > 1]
    assert 20 < len(with_slip) < 120
    for wrong, back, right in with_slip:
        assert (back.text, back.takes_back, right.text) == ("", wrong.text, "x")


def test_a_stretch_is_whole_lines_and_the_file_stays_whole() -> None:
    part = stretch(CODE, 20, with_rest=True)
    assert part.above + part.typed + part.below == CODE
    assert part.above.endswith("\n")
    assert part.below.startswith("\n")
    whole = stretch(CODE, None, with_rest=True)
    assert (whole.above, whole.typed + whole.below) == ("", CODE)
    assert stretch(CODE, 20, with_rest=False).below == "\n"
