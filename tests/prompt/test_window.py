"""The window stays where it is while somebody types, and keeps to its budget."""

from __future__ import annotations

import pytest

from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.languages.scopes.tree import scope_at
from devstral_ls.languages.syntax.document_tree import parse_once
from devstral_ls.prompt.healing import MAX_TAKEN_BACK, take_back
from devstral_ls.prompt.window import CHARACTERS_PER_TOKEN, MAX_LINE, Window, block_lines, cut_window
from devstral_ls.text import Snapshot

LONG = "".join(f"value_{n} = compute({n}, offset={n * 7})\n" for n in range(2000))


def window_at(text: str, offset: int, *, budget: int = 512, share: float = 0.3) -> Window:
    return cut_window(
        Snapshot("file:///a.py", 1, "python", text), offset, CursorScope(), budget=budget, suffix_share=share
    )


def test_a_small_document_is_shown_whole() -> None:
    assert window_at("a = 1\nb = 2\n", 6) == Window("a = 1\n", "b = 2\n")


@pytest.mark.parametrize("budget", [256, 512, 2048])
def test_the_budget_is_kept(budget: int) -> None:
    window = window_at(LONG, len(LONG) // 2, budget=budget)
    assert len(window.prefix) + len(window.suffix) <= budget * CHARACTERS_PER_TOKEN + 100
    assert len(window.prefix) * 2.2 >= budget * 0.7 * CHARACTERS_PER_TOKEN
    assert window.suffix


def test_typing_leaves_both_ends_where_they_are() -> None:
    at = LONG.index("value_900 =")
    typed = "".join(f"result_{n} = f({n})\n" for n in range(8))
    starts, suffixes = set(), set()
    for n in range(len(typed)):
        text = LONG[:at] + typed[:n] + LONG[at:]
        window = window_at(text, at + n)
        starts.add(window.prefix[:40])
        suffixes.add(window.suffix)
    assert len(starts) <= 2  # it moves by a whole block, at most once in eight lines
    assert len(suffixes) == 1


def test_typing_on_a_line_never_moves_the_window() -> None:
    at = LONG.index("value_900 =")
    typed = "something_long = call(with_many, arguments, of_all, kinds, and_more)"
    starts = {window_at(LONG[:at] + typed[:n] + LONG[at:], at + n).prefix[:40] for n in range(len(typed))}
    assert len(starts) == 1


def test_what_a_short_suffix_leaves_over_goes_to_the_prefix() -> None:
    at_the_end, in_the_middle = window_at(LONG, len(LONG)), window_at(LONG, len(LONG) // 2)
    assert len(at_the_end.prefix) > len(in_the_middle.prefix)
    assert at_the_end.suffix == ""


def test_one_endless_line_is_cut_too() -> None:
    text = "x" * 1_000_000
    window = window_at(text, 500_000)
    assert len(window.prefix) + len(window.suffix) <= max(512 * CHARACTERS_PER_TOKEN, MAX_LINE) + 100


def test_a_document_of_one_line_has_a_window_at_both_ends() -> None:
    assert window_at("abc", 0) == Window("", "abc")
    assert window_at("abc", 3) == Window("abc", "")
    assert window_at("", 0) == Window("", "")


def test_imports_and_enclosing_headers_above_the_window_are_kept() -> None:
    body = "".join(f"        self.field_{n} = {n}\n" for n in range(400))
    text = f"import os\nfrom typing import Any\n\n\nclass Store:\n    def fill(self, size: int) -> None:\n{body}        self."
    snapshot = Snapshot("file:///a.py", 1, "python", text)
    scope = scope_at(parse_once(snapshot), snapshot, len(text))
    window = cut_window(snapshot, len(text), scope, budget=256, suffix_share=0.0)
    assert window.prefix.startswith(
        "import os\nfrom typing import Any\nclass Store:\n    def fill(self, size: int) -> None:\n"
    )
    assert window.prefix.endswith("        self.")


def test_blocks_are_powers_of_two() -> None:
    assert [block_lines(n) for n in (0, 90, 180, 360, 1500, 100_000)] == [4, 4, 8, 16, 64, 64]


@pytest.mark.parametrize(
    ("prefix", "taken"),
    [
        ("x = ret", "ret"),
        ("def f():\n    ", "    "),
        ("x = foo.", ""),
        ("x = 12", "12"),
        ("x = naïve", "naïve"),
        ("", ""),
        ("a" * 100, ""),  # no word that anybody types
        ("\n" + " " * MAX_TAKEN_BACK, " " * MAX_TAKEN_BACK),
        ("x = (", ""),
    ],
)
def test_the_last_word_is_taken_back(prefix: str, taken: str) -> None:
    assert take_back(prefix) == (prefix[: len(prefix) - len(taken)], taken)
