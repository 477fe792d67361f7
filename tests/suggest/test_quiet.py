"""When nothing is shown, or less than the model wrote, and what reason is given."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devstral_ls.generation import FinishReason
from devstral_ls.settings.tree import InlineSettings, Settings
from devstral_ls.suggest.confidence import Confidence
from devstral_ls.suggest.feedback import MIN_HISTORY
from devstral_ls.suggest.policy import min_confidence
from devstral_ls.suggest.recent_deletions import RecentDeletions
from devstral_ls.suggest.trace import Reason
from devstral_ls.testing.scripted_engine import QWEN, ScriptedEngine
from devstral_ls.text import DocumentChange, Snapshot, single_edit
from tests.suggest.test_inline import Desk, shown

# --- how sure the model is ---


def unsure_of(*words: str, says: str) -> ScriptedEngine:
    engine = ScriptedEngine(says)
    engine.sure = lambda piece: 0.01 if any(word in piece for word in words) else 0.99
    return engine


async def test_a_line_is_cut_where_the_model_stops_being_sure() -> None:
    desk = Desk(unsure_of("qux", says="foo(bar) + qux"))
    outcome = await desk.ask("x = ▮\n")
    assert shown(outcome) == "foo(bar)"
    assert outcome.trace.decisions[0] == "cut-where-unsure"
    assert outcome.trace.confidence is not None
    assert outcome.trace.min_confidence == 0.1


async def test_lines_are_cut_before_the_first_one_that_the_model_is_not_sure_of() -> None:
    desk = Desk(unsure_of("qu", says="a = 1\n    b = a\n    qux()\n    return b\n"))
    assert shown(await desk.ask("def f():\n    ▮\n")) == "a = 1\n    b = a"


async def test_what_the_model_is_not_sure_of_from_the_first_word_on_is_not_shown_unless_asked_for() -> None:
    desk = Desk(unsure_of("fo", says="foo(bar)"))
    assert (await desk.ask("x = ▮\n")).trace.reason is Reason.UNSURE
    assert (await desk.ask("x = ▮\n")).trace.reason is Reason.UNSURE  # from memory
    assert len(desk.engine.requests) == 1
    assert shown(await desk.ask("x = ▮\n", invoked=True)) == "foo(bar)"


async def test_who_asks_by_key_is_given_what_was_cut_off_because_nobody_was_sure() -> None:
    desk = Desk(unsure_of("qux", says="foo(bar) + qux"))
    assert shown(await desk.ask("x = ▮\n")) == "foo(bar)"
    assert shown(await desk.ask("x = ▮\n", invoked=True)) == "foo(bar) + qux"
    assert shown(await desk.ask("x = ▮\n")) == "foo(bar) + qux"
    assert shown(await desk.ask("x = ▮\n", invoked=True)) == "foo(bar) + qux"
    assert len(desk.engine.requests) == 2


async def test_reading_stops_at_the_first_character_of_a_line_that_leaves_the_block() -> None:
    desk = Desk(ScriptedEngine("return 1\n\ndef g(" + "a, " * 50 + "):\n"))
    heard: list[str] = []
    desk.engine.sure = lambda piece: heard.append(piece) or 1.0  # type: ignore[func-returns-value]
    assert shown(await desk.ask("def f():\n    ▮\n")) == "return 1"
    assert "a" not in "".join(heard)


@pytest.mark.parametrize(
    ("code", "says", "language"),
    [
        ("x = f(y)▮\nz = 1\n", "  # the result", "python"),
        ("  expiresAt: number;▮\n}\n", " // Unix timestamp", "typescript"),
        ("@dataclass(frozen=True)▮\nclass A:\n    x: int\n", "  # frozen", "python"),
    ],
)
async def test_a_finished_statement_is_not_remarked_on_unless_asked_for(code: str, says: str, language: str) -> None:
    desk = Desk(ScriptedEngine(says), language=language)
    assert (await desk.ask(code)).trace.reason is Reason.COMMENT
    assert shown(await desk.ask(code, invoked=True)) == says


@pytest.mark.parametrize(
    ("code", "says", "expected"),
    [
        ("▮\nx = 1\n", "# what x is", "# what x is"),  # a line of its own
        ("x = 1  # wh▮\n", "at x is", "at x is"),  # begun by the user
        ('x = "a▮"\n', "# b", "# b"),
        ("def f():▮\n", "\n    # add them\n    return 1\n", "\n    # add them\n    return 1"),  # in the body
    ],
)
async def test_comments_that_are_wanted_are_shown(code: str, says: str, expected: str) -> None:
    assert shown(await Desk(ScriptedEngine(says)).ask(code)) == expected


@pytest.mark.parametrize(
    ("code", "says", "language"),
    [
        ("if [ $▮\n", "# -lt 2 ]; then", "shellscript"),
        ("echo ${path▮\n", "#*/}", "shellscript"),
        ("my $last = $▮\n", "#names;", "perl"),
        ("see: http://host/page▮\n", "#part", "yaml"),
    ],
)
async def test_what_only_looks_like_a_comment_behind_code_is_shown(code: str, says: str, language: str) -> None:
    uri = f"file:///a.{language}"
    assert shown(await Desk(ScriptedEngine(says), language=language).ask(code, uri=uri)) == says


async def test_lines_begun_further_left_than_an_editor_indented_are_read_to_their_end() -> None:
    desk = Desk(ScriptedEngine("\n    y = 2\n    z = 3\n"))
    assert shown(await desk.ask("def f():\n    x = 1\n        ▮\n")) == "\n    y = 2\n    z = 3"


@pytest.mark.parametrize("code", ["# Half an hour.▮\nx = 1\n", "x = a▮\n"])
async def test_the_rest_of_an_unsure_answer_that_says_nothing_is_not_shown(code: str) -> None:
    desk = Desk(unsure_of("ux", says=" This qux" if code.startswith("#") else ".qux"))
    assert (await desk.ask(code)).trace.reason is Reason.UNSURE


@pytest.mark.parametrize(
    ("language", "code", "says", "expected"),
    [
        ("python", "x = 1\n▮\ny = 2\n", "mean = foo(self, qux)", "mean = foo"),
        ("python", "x = 1\n▮\ny = 2\n", 'total = "a qux"', "total"),
        ("python", "x = 1\n▮\ny = 2\n", "total = [1, 2].index(a[qux])", "total = [1, 2].index"),
        ("python", "def f():\n    ▮\n", "a = 1\n    b = foo(\n        qux)\n", "a = 1"),
        ("go", "func f() {\n\t▮\n}\n", "a := 1\n\tif a {\n\t\tb := qux\n\t}\n}", "a := 1"),
        ("go", "func f() {\n\t▮\n}\n", "if a {\n\t\tb := qux\n\t}\n}", "if a {"),
    ],
)
async def test_what_is_left_does_not_end_inside_brackets_or_quotes(
    language: str, code: str, says: str, expected: str
) -> None:
    assert shown(await Desk(unsure_of("qu", "ux", says=says), language=language).ask(code)) == expected


async def test_what_is_left_of_an_unsure_answer_is_no_statement_without_its_value() -> None:
    """A semicolon is not all that is missing there, as it is behind what is whole otherwise."""
    code = "fn f() {\n    let b = 1;\n    ▮\n    let c = b;\n}\n"
    assert shown(await Desk(unsure_of("qux", says="let mean = qux(b)"), language="rust").ask(code)) == ""
    assert shown(await Desk(unsure_of("qux", says="b.clone()"), language="rust").ask(code)) == "b.clone()"


async def test_reading_stops_where_the_model_stops_being_sure() -> None:
    desk = Desk(unsure_of("qux", says="foo(bar) + qux" + " + foo" * 50))
    await desk.ask("x = ▮\n")
    assert desk.engine.n_cancelled == 1


async def test_with_no_threshold_nothing_is_cut_and_the_engine_is_not_asked_how_sure_it_is() -> None:
    desk = Desk(unsure_of("foo", says="foo(bar)"), Settings(inline=InlineSettings(min_confidence=0, prefetch=False)))
    assert shown(await desk.ask("x = ▮\n")) == "foo(bar)"
    assert not desk.engine.requests[0].logprobs


async def test_an_engine_that_does_not_say_how_sure_it_is_is_believed() -> None:
    desk = Desk(ScriptedEngine("foo(bar)"))
    desk.engine.sure = lambda piece: 1.0
    outcome = await desk.ask("x = ▮\n")
    assert shown(outcome) == "foo(bar)"
    assert Confidence("", 0.5).cut("", "foo", ()) is None
    assert Confidence("", 0.5).first_line is None


def test_tokens_that_were_forced_say_nothing() -> None:
    confidence = Confidence("ret", 0.5)
    assert confidence.cut("", "ret", (-10.0,)) is None
    assert confidence.cut("ret", "urn", (-0.1,)) is None
    assert confidence.cut("return", " x", (-2.0,)) == "ret"
    # A space in front of a word is part of its token.
    assert Confidence(" ", 0.5).cut("", " foo", (-2.0,)) == ""


async def test_who_dismisses_what_is_suggested_is_shown_less_and_who_takes_it_more() -> None:
    desk = Desk(ScriptedEngine("foo"))
    for n in range(MIN_HISTORY):
        outcome = await desk.ask(f"x{n} = ▮\n")
        desk.suggester.rejected(outcome.suggestions[0].id)
    assert (await desk.ask("y = ▮\n")).trace.min_confidence == 0.2
    for n in range(3 * MIN_HISTORY):
        outcome = await desk.ask(f"y{n} = ▮\n")
        desk.suggester.accepted(outcome.suggestions[0].id)
    assert (await desk.ask("z = ▮\n")).trace.min_confidence < 0.1


async def test_another_language_has_a_history_of_its_own() -> None:
    desk = Desk(ScriptedEngine("foo"))
    for n in range(MIN_HISTORY):
        outcome = await desk.ask(f"x{n} = ▮\n")
        desk.suggester.rejected(outcome.suggestions[0].id)
    assert (desk.suggester.feedback.strictness("python"), desk.suggester.feedback.strictness("go")) == (2, 1)


@pytest.mark.parametrize(
    ("asked", "strictness", "least"), [(0, 2, 0), (0.1, 2, 0.2), (0.4, 2, 0.5), (0.8, 2, 0.8), (0.8, 0.5, 0.4)]
)
def test_dismissing_everything_never_silences_the_model(asked: float, strictness: float, least: float) -> None:
    assert min_confidence(InlineSettings(min_confidence=asked), strictness) == least


# --- what was just done ---


async def test_nothing_comes_right_after_a_key_that_took_something_away() -> None:
    desk = Desk(ScriptedEngine("1"))
    await desk.ask("value = comp▮\n")
    assert (await desk.ask("value = com▮\n")).trace.reason is Reason.JUST_DELETED
    assert shown(await desk.ask("value = com▮\n", invoked=True)) == "1"


async def test_the_next_key_ends_the_quiet() -> None:
    desk = Desk(ScriptedEngine("1"))
    for code in ("value = comp▮\n", "value = com▮\n"):
        await desk.ask(code)
    assert shown(await desk.ask("value = coma▮\n")) == "1"


@pytest.mark.parametrize("says", ["print(a)", "print(a)\n    return a\n", "print("])
async def test_what_was_taken_out_is_not_put_in_again(says: str) -> None:
    desk = Desk(ScriptedEngine("b"))
    await desk.ask("def f(a):\n    print(a)\n    ▮\n")
    desk.engine.says = says
    outcome = await desk.ask("def f(a):\n    ▮\n")  # the line went, and its line end
    assert (shown(outcome), outcome.trace.reason) == ("", Reason.UNDOES_EDIT)


def test_keys_that_take_away_one_after_the_other_count_as_one() -> None:
    deletions = RecentDeletions()
    document = Snapshot("file:///a.py", 1, "python", "foo;")

    def at(code: str) -> str:
        nonlocal document
        before, edit = document, single_edit(document.text, code.replace("▮", ""))
        document = before.edited(edit, 1)
        deletions.changed(DocumentChange(before, document, (edit,)))
        return deletions.removed_at(code.index("▮"))

    assert [at(code) for code in ("foo▮;", "fo▮;", "f▮;", "fa▮;", "fab▮;", "▮fab;", "fab;▮")] == [
        "", "o", "oo", "", "", "", ""
    ]  # fmt: skip


# --- where the cursor is ---


async def test_strings_can_be_switched_off() -> None:
    desk = Desk(ScriptedEngine("that"), Settings(inline=InlineSettings(in_strings=False)))
    assert (await desk.ask('x = "say ▮"\n')).trace.reason is Reason.IN_STRING
    assert shown(await Desk(ScriptedEngine("that")).ask('x = "say ▮"\n')) == "that"


@pytest.mark.parametrize(
    "code",
    [
        "TABLE = [\n" + "    0x1f, 0x2a, 0x00, 0xff, 0x10, 0x33, 0x91, 0x02,\n" * 20 + "    ▮\n]\n",
        "POINTS = [" + ", ".join(f"{n * 7919 % 1000}.5" for n in range(100)) + ", ▮]\n",
        "BLOB = '" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo" * 6 + "▮'\n",
    ],
)
async def test_rows_of_data_are_not_continued(code: str) -> None:
    desk = Desk(ScriptedEngine("0x00"))
    assert (await desk.ask(code)).trace.reason is Reason.IN_DATA
    assert shown(await desk.ask(code, invoked=True))


async def test_code_with_numbers_in_it_is_no_data() -> None:
    code = "def area(w, h):\n    return w * h / 2\n\n" + "".join(
        f"total_{n} = area({n}, {n + 1}) + {n * 3.5}\n" for n in range(20)
    )
    assert shown(await Desk(ScriptedEngine("1")).ask(code + "total = ▮\n")) == "1"


# --- what the model says that is no code ---


@pytest.mark.parametrize(
    ("language", "code", "says", "expected"),
    [
        ("python", "def f(a):\n    ▮\n", "```python\n    return a\n```\n", "    return a"),
        ("python", "def f(a):\n    ▮\n", "return a\n```\nThis code returns its argument.", "return a"),
        ("python", "▮\n", "Here is the code that you asked for.", ""),
        ("python", "def f(a):\n    ▮\n", "return a\n\nThis function returns its argument.\n", "return a"),
        ("python", "▮\n", "This = 1", "This = 1"),
        ("python", "# ▮\n", "The code below is old.", "The code below is old."),
        ("markdown", "▮\n", "Here is how it works.", "Here is how it works."),
        ("markdown", "```▮\n", "python", "python"),
    ],
)
async def test_only_code_is_shown(language: str, code: str, says: str, expected: str) -> None:
    assert shown(await Desk(ScriptedEngine(says), language=language).ask(code)).strip() == expected.strip()


async def test_an_answer_in_words_has_a_reason_of_its_own() -> None:
    assert (await Desk(ScriptedEngine("Here is the code that you asked for.")).ask("▮\n")).trace.reason is Reason.PROSE


# --- one line or many ---


async def test_a_model_that_is_too_slow_for_a_block_writes_its_first_line() -> None:
    model = replace(QWEN, lines_tokens=20)
    for code, expected in [("def f(a):▮\n", "\n    b = a"), ("def f(a):\n    ▮\n", "b = a")]:
        says = "\n    b = a\n    return b\n" if expected.startswith("\n") else "b = a\n    return b\n"
        outcome = await Desk(ScriptedEngine(says, model=model)).ask(code)
        assert (shown(outcome), outcome.trace.multiline) == (expected, False)


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("aa()\n    bb()\n    " * 5, "aa()\n    bb()"),
        ("first()\n    a = 1\n    b = 2\n    c = 3\n    " + "a = 1\n    b = 2\n    c = 3\n    " * 4,
         "first()\n    a = 1\n    b = 2\n    c = 3"),
    ],
)  # fmt: skip
async def test_lines_that_come_again_and_again_are_read_once(says: str, expected: str) -> None:
    assert shown(await Desk(ScriptedEngine(says)).ask("def f():\n    ▮\n")) == expected


async def test_half_a_word_at_the_token_limit_is_not_shown() -> None:
    engine = ScriptedEngine("foo(bar) + ba")
    engine.finish = FinishReason.LENGTH
    outcome = await Desk(engine).ask("x = ▮\n")
    assert (shown(outcome), outcome.trace.decisions[0]) == ("foo(bar)", "tokens-or-time-over")
