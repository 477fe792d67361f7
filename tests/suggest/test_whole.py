"""Where a suggestion is cut so that the file parses: code with a cursor, what the model says, what is left of it."""

from __future__ import annotations

import pytest

from devstral_ls.calibration.cases import holes, scope_and_cursor
from devstral_ls.languages.syntax.document_tree import parse_once
from devstral_ls.settings.tree import InlineSettings, Settings
from devstral_ls.suggest.postprocess.draft import Draft
from devstral_ls.suggest.postprocess.syntax_trim import SyntaxTrim
from devstral_ls.suggest.trace import InlineQuery, Reason, Trace
from devstral_ls.testing.scripted_engine import ScriptedEngine
from tests.suggest.test_inline import Desk, shown


@pytest.mark.parametrize(
    ("language", "code", "says", "expected"),
    [
        ("python", "x = ▮\n", "foo(1) else 2", "foo(1)"),
        ("python", "def f(a):\n    return ▮\n", "a + b = c", "a + b"),
        ("javascript", "const x = ▮;\n", "a + b ? c", "a + b"),
        # Headers may be left open: their bodies come next.
        ("javascript", "▮\n", "for (const a of b) {", "for (const a of b) {"),
        ("python", "▮\n", "for a in b:", "for a in b:"),
        ("python", "▮\n", "def f(a,", "def f(a,"),
        ("go", "func f() {\n\t▮\n}\n", "if err != nil {", "if err != nil {"),
        # What is open above and closed nowhere yet is no error of the suggestion.
        ("java", "class A {\n    void f() {\n        Member m = new Member(id++▮\n", ", name);", ", name);"),
        ("go", "func f() {\n\tgo func() {\n\t\t▮\n\tb()\n}\n", "work(ctx, jobs)", "work(ctx, jobs)"),
        ("typescript", "class A {\n  f() {\n    if (a) {\n      b();\n    ▮\n  private c: number;\n}\n", "}", "}"),
        ("rust", "fn f() {\n    ▮\n", "let a = B::new", "let a = B::new"),
        ("rust", "fn f() {\n    let b = 1;\n    ▮\n}\n", "let a = = B", "let a"),
        # What marks the next line is no statement, and nothing is cut inside brackets.
        ("python", "x = 1\n\n\n▮\n", "@dataclass(frozen=True)", "@dataclass(frozen=True)"),
        ("python", "x = ▮\n", "foo(1, 2) else 2", "foo(1, 2)"),
        # In a file that does not parse anyway, what makes it no worse stays.
        ("python", "def g(:\n    pass\n\nx = ▮\n", "foo(1)", "foo(1)"),
    ],
)
async def test_one_line_is_cut_where_the_file_parses(language: str, code: str, says: str, expected: str) -> None:
    settings = Settings(inline=InlineSettings(multiline="never", prefetch=False))
    assert shown(await Desk(ScriptedEngine(says), settings, language).ask(code)) == expected


async def test_lines_that_do_not_parse_are_left_out() -> None:
    says = "b = a\n    c = b\n    return = 1\n"
    outcome = await Desk(ScriptedEngine(says)).ask("def f(a):\n    ▮\n")
    assert shown(outcome) == "b = a\n    c = b"
    assert "cut-where-it-parses" in outcome.trace.decisions


async def test_a_suggestion_that_is_cut_does_not_end_in_a_blank_line() -> None:
    says = "b = a\n\n    c = b\n\n    \n    return = 1\n"
    assert shown(await Desk(ScriptedEngine(says)).ask("def f(a):\n    ▮\n")) == "b = a\n\n    c = b"


async def test_what_breaks_the_file_from_its_first_word_on_is_not_shown_unless_asked_for() -> None:
    desk = Desk(ScriptedEngine(" = = 2"))
    assert (await desk.ask("x = 1▮\ny = 2\n")).trace.reason is Reason.BREAKS_SYNTAX
    assert shown(await desk.ask("x = 1▮\ny = 2\n", invoked=True)) == " = = 2"


@pytest.mark.parametrize("hole", holes(), ids=lambda hole: hole.id)
def test_what_a_person_would_write_is_never_cut(hole) -> None:  # type: ignore[no-untyped-def]
    place = scope_and_cursor(hole)[1]
    query = InlineQuery(hole.snapshot, hole.offset)
    draft = Draft(hole.expected, place)
    assert SyntaxTrim(lambda: 0.0).cut(draft, query, parse_once(hole.snapshot), Trace()).text == hole.expected
