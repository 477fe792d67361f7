"""Code of other files in a prompt: which, how much, in which order, and written how."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devstral_ls.code_context import Excerpt
from devstral_ls.generation import Special
from devstral_ls.prompt import excerpts
from devstral_ls.prompt.layouts import build
from devstral_ls.prompt.window import CHARACTERS_PER_TOKEN, Window
from devstral_ls.testing.scripted_engine import QWEN

ADD = Excerpt("imports", "src/m.py", "def add(a, b): ...", 2)
SUB = Excerpt("imports", "src/m.py", "def sub(a, b): ...", 1)
SEEN = Excerpt("viewed", "n.py", "x = 1\ny = 2", 9)


def prompt(family: str, layout: str, *shown: Excerpt, uri: str = "file:///a.py") -> str:
    parts, _ = build(replace(QWEN, family=family, layouts=(layout,)), Window("p", "s"), uri, shown)
    return "".join(f"«{part.token}»" if isinstance(part, Special) else part.text for part in parts)


@pytest.mark.parametrize(
    ("family", "layout", "begins"),
    [
        (
            "qwen-fim",
            "fim-spm-in-psm",
            "«<|repo_name|>»project\n«<|file_sep|>»src/m.py\ndef add(a, b): ...\ndef sub(a, b): ...\n«<|file_sep|>»n.py\n"
            "x = 1\ny = 2\n«<|file_sep|>»a.py\n«<|fim_prefix|>»«<|fim_suffix|>»s«<|fim_middle|>»p",
        ),
        (
            "codestral",
            "fim-spm",
            "«[SUFFIX]»s«[PREFIX]»+++++ src/m.py\ndef add(a, b): ...\ndef sub(a, b): ...\n\n+++++ n.py\nx = 1\ny = 2\n\n"
            "+++++ a.py\np",
        ),
        (
            "plain",
            "left-to-right",
            "# From src/m.py:\n# def add(a, b): ...\n# def sub(a, b): ...\n# From n.py:\n# x = 1\n# y = 2\n\np",
        ),
        ("codellama", "fim-psm", "«▁<PRE>»# From src/m.py:\n# def add(a, b): ...\n"),
        ("mellum", "fim-spm", "«<filename>»src/m.py\ndef add(a, b): ...\ndef sub(a, b): ...\n«<filename>»n.py\n"),
    ],
)
def test_excerpts_come_first(family: str, layout: str, begins: str) -> None:
    assert prompt(family, layout, ADD, SUB, SEEN).startswith(begins)


@pytest.mark.parametrize(
    ("layout", "begins", "ends"),
    [
        ("chat-prefill", "Write the file a.py. It ends with exactly these lines:\ns", "«[/INST]»p"),
        ("chat-overlap", "A piece of a.py is missing. It begins with:\n```\np", "line right after it:\ns\n«[/INST]»"),
    ],
)
def test_a_question_begins_with_them_and_the_answer_does_not_hold_them(layout: str, begins: str, ends: str) -> None:
    shown = prompt("mistral-tekken", layout, ADD, SEEN)
    quoted = (
        "Other files of this project, in part:\n\nFile src/m.py:\ndef add(a, b): ...\n\nFile n.py:\nx = 1\ny = 2\n\n"
    )
    assert f"«[INST]»{quoted}{begins}" in shown
    assert shown.endswith(ends)
    assert prompt("mistral-tekken", layout) == shown.replace(quoted, "")


@pytest.mark.parametrize(("family", "layout"), [("mistral-tekken", "chat-prefill"), ("qwen-fim", "chat-prefill"),
                                                ("qwen-fim", "fim-spm-in-psm"), ("codestral", "fim-spm")])  # fmt: skip
def test_typing_changes_nothing_before_the_end_of_the_prompt(family: str, layout: str) -> None:
    """Codestral's excerpts are text in front of the prefix, so its suffix comes before them: it stays, too."""
    parts = [
        build(replace(QWEN, family=family, layouts=(layout,)), Window(prefix, "s"), "file:///a.py", (ADD, SEEN))[0]
        for prefix in ("x = 1\ny", "x = 1\nyz")
    ]
    assert len(parts[0]) == len(parts[1])
    (changed,) = [n for n, (one, other) in enumerate(zip(*parts, strict=True)) if one != other]
    one, other = parts[0][changed], parts[1][changed]
    assert not isinstance(one, Special)
    assert not isinstance(other, Special)
    assert other.text == one.text + "z"
    assert all(isinstance(part, Special) for part in parts[0][changed + 1 :])


@pytest.mark.parametrize(
    ("uri", "begins"),
    [
        ("file:///a.ts", "// From src/m.py:\n// def add(a, b): ...\n\np"),
        ("file:///a.css", "/*\nFrom src/m.py:\ndef add(a, b): ...\n*/\n\np"),
        ("file:///a.json", "p"),  # no comments there
        ("untitled:a", "p"),
    ],
)
def test_comments_are_those_of_the_language(uri: str, begins: str) -> None:
    assert prompt("plain", "left-to-right", ADD, uri=uri) == begins


def test_an_excerpt_does_not_end_the_comment_it_stands_in() -> None:
    evil = Excerpt("imports", "m.css", "a */ body { }", 1)
    assert prompt("plain", "left-to-right", evil, uri="file:///a.css").count("*/") == 1


def test_the_order_is_that_of_the_sources_and_not_of_the_usefulness() -> None:
    one = excerpts.select_excerpts([SEEN, SUB, ADD], 1000, "")
    other = excerpts.select_excerpts([replace(ADD, rank=0), replace(SUB, rank=5), SEEN], 1000, "")
    assert [e.text for e in one] == [e.text for e in other] == [ADD.text, SUB.text, SEEN.text]


def test_what_is_shown_anyway_is_left_out() -> None:
    assert excerpts.select_excerpts([ADD, SUB], 1000, f"x\n{ADD.text}\n") == (SUB,)
    assert excerpts.select_excerpts([ADD, replace(ADD, rank=1)], 1000, "") == (ADD,)


@pytest.mark.parametrize("budget", [0, 192, 239, 240, 280, 512, 2048])
def test_excerpts_keep_to_their_share(budget: int) -> None:
    many = [Excerpt("imports", f"m{n:02}.py", f"def f{n:02}(a, b, c): ...", n) for n in range(100)]
    chosen = excerpts.select_excerpts(many, excerpts.room_for_excerpts(budget), "")
    assert excerpts.excerpt_tokens(chosen) <= budget * excerpts.SHARE
    assert bool(chosen) is (budget >= excerpts.MIN_BUDGET)
    assert excerpts.room_for_excerpts(budget) <= budget * CHARACTERS_PER_TOKEN * excerpts.SHARE
    assert {e.rank for e in chosen} == set(range(100 - len(chosen), 100))
