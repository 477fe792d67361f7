"""The slips a line could have."""

from __future__ import annotations

import pytest

from devstral_ls.languages.slips import MAX_NAMES, slips
from devstral_ls.languages.syntax import SyntaxTrees
from devstral_ls.text import Edit, Snapshot, Span, apply

MENDED = [
    ("python", "def f(low, high):\n    return low < high\n", "return low < high", "return low <= high"),
    ("python", "def f(low, high):\n    return low < high\n", "return low < high", "return high < low"),
    ("python", "def f(low, high):\n    return low < high\n", "return low < high", "return low < low"),
    ("python", "def f(v, n):\n    return v[n]\n", "return v[n]", "return v[n - 1]"),
    ("python", "def f(v, n):\n    return v[n - 1]\n", "return v[n - 1]", "return v[n]"),
    ("python", "def f(v):\n    return v[0]\n", "return v[0]", "return v[1]"),
    ("python", "def f(a):\n    return not a\n", "return not a", "return a"),
    ("python", "def f(a, b):\n    return a and b\n", "return a and b", "return a or b"),
    ("python", "def f(a):\n    a += 1\n", "a += 1", "a -= 1"),
    ("typescript", "function f(q?: number) {\n  return q || 1;\n}\n", "return q || 1;", "return q ?? 1;"),
    ("typescript", "function f(a: A, b: A) {\n  return a.x - b.x;\n}\n", "return a.x - b.x;", "return b.x - a.x;"),
    ("typescript", "function f(a: boolean) {\n  return !a;\n}\n", "return !a;", "return a;"),
    ("go", "package p\n\nfunc f() (err error) {\n\terr := g()\n\treturn\n}\n", "err := g()", "err = g()"),
    ("go", "package p\n\nfunc f(a, b int) bool {\n\treturn a >= b\n}\n", "return a >= b", "return a > b"),
]

LEFT_ALONE = [
    ("python", "def f():\n    return 'a < b'\n"),  # a text
    ("python", "def f():\n    pass  # a < 1\n"),  # a comment
    ("python", "def f():\n    return f'{1!r:<20}'[:]\n"),
    ("go", "package p\n\nfunc f() string {\n\treturn `a - 1`\n}\n"),
    ("typescript", "function f() {\n  return /a < 1/;\n}\n"),
]


def made(language: str, code: str) -> list[str]:
    """The code with each of its slips."""
    syntax = SyntaxTrees().tree(Snapshot(f"file:///w/x.{language}", 1, language, code))
    assert syntax is not None
    return [apply(code, Edit(one.span, one.text)) for one in slips(syntax, Span(0, len(code)))]


@pytest.mark.parametrize(("language", "code", "line", "becomes"), MENDED)
def test_a_slip_is_one_word_or_operator_for_another(language: str, code: str, line: str, becomes: str) -> None:
    found = made(language, code)
    assert code.replace(line, becomes) in found
    assert len(found) == len(set(found))
    assert code not in found


@pytest.mark.parametrize(("language", "code"), LEFT_ALONE)
def test_texts_and_comments_have_none(language: str, code: str) -> None:
    for text in ("a <= b", "a > b", "a <= 1", "a + 1", "!r:<21", "a < 2", "a - 2"):
        assert not any(text in one for one in made(language, code))


def test_only_what_lies_in_the_span_is_told_and_names_of_outside_are_not_tried() -> None:
    code = "def f(outer):\n    return outer\n\n\ndef g(inner, other):\n    return inner\n"
    syntax = SyntaxTrees().tree(Snapshot("file:///w/x.py", 1, "python", code))
    assert syntax is not None
    start = code.index("def g")
    found = slips(syntax, Span(start, len(code)))
    assert found
    assert all(one.span.start >= start for one in found)
    assert all(one.text != "outer" for one in found)


def test_places_are_in_code_points() -> None:
    code = "def f(a, b):\n    s = '\U0001f600é'; return a < b\n"
    assert code.replace("a < b", "a >= b") in made("python", code)


def test_a_function_of_many_names_does_not_grow_without_bound() -> None:
    names = [f"n{number}" for number in range(200)]
    code = f"def f({', '.join(names)}):\n    return n0\n"
    ends = [one for one in made("python", code) if "return n0\n" not in one]
    assert len(ends) <= MAX_NAMES + 2
