"""The pipeline, driven by text with a cursor (▮) and an engine that says what the test tells it to."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from devstral_ls.errors import EngineUnavailable, PromptTooLong
from devstral_ls.generation import FinishReason, Special
from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.languages.table import language_of
from devstral_ls.settings.tree import InlineSettings, PrivacySettings, Settings
from devstral_ls.suggest.pipeline import Suggester
from devstral_ls.suggest.postprocess.draft import cursor_context_at
from devstral_ls.suggest.trace import InlineQuery, Outcome, Reason
from devstral_ls.testing.scripted_engine import QWEN, ScriptedEngine, plain, texts
from devstral_ls.text import DocumentChange, Snapshot, single_edit


async def no_pause(_seconds: float) -> None:
    return


class Desk:
    """One document being edited, and what the pipeline says to it."""

    def __init__(self, engine: ScriptedEngine, settings: Settings | None = None, language: str = "python") -> None:
        self.engine = engine
        # What is done ahead has tests of its own.
        self.settings = settings or Settings(inline=InlineSettings(prefetch=False))
        self.language = language
        self.suggester = Suggester(engine, clock=lambda: 0.0, sleep=no_pause)
        self._documents: dict[str, Snapshot] = {}

    def query(self, code: str, *, invoked: bool = False, uri: str = "file:///a.py") -> InlineQuery:
        """The document now reads as ``code`` does: the pipeline is told of the change, as by an editor."""
        text, before = code.replace("▮", ""), self._documents.get(uri)
        if before is None:
            snapshot = Snapshot(uri, 1, self.language, text)
        else:
            edit = single_edit(before.text, text)
            snapshot = before.edited(edit, before.version + 1)
            self.suggester.changed(DocumentChange(before, snapshot, (edit,)))
        self._documents[uri] = snapshot
        return InlineQuery(snapshot, code.index("▮"), invoked)

    async def ask(self, code: str, *, invoked: bool = False, uri: str = "file:///a.py") -> Outcome:
        return await self.suggester.inline(self.query(code, invoked=invoked, uri=uri), self.settings)


def shown(outcome: Outcome) -> str:
    return outcome.suggestions[0].text if outcome.suggestions else ""


async def ghost_text(code: str, says: str, language: str = "python") -> str:
    return shown(await Desk(ScriptedEngine(says), language=language).ask(code))


@pytest.mark.parametrize(
    ("code", "says", "expected"),
    [
        ("print(▮)", "x, y)", "x, y"),  # what follows the cursor is not repeated
        ("x = ▮\n", "   ", ""),  # white space is not worth showing
        ("x = ▮\n", "", ""),
        ("x = ▮\n", "1\ny = 2\n", "1"),  # one line where one line is asked for
        # A blank line among statements: what follows tells the model how much is missing.
        ("def f():\n    a = 1\n    ▮\n    return c\n", "b = 2\n    c = 3", "b = 2\n    c = 3"),
        ("def f():\n    a = 1\n    ▮\n    return c\n", "c = 3\n    return c\n", "c = 3"),
        ("a = 1\n▮\nb = c\n", "c = 3\nd = 4", "c = 3"),  # not outside of definitions
        ("def f(a):\n    ret▮\n", "urn a\n", "urn a"),  # goes on in the middle of a word
        ("x = foo(▮\n", "a, b)", "a, b)"),  # a closer for what is open before the cursor is kept
        ("foo(a, ▮)\n", "bar(c))", "bar(c)"),  # only the closer that is there already goes
        ("foo(a, ▮)\n", "b))", "b"),  # two too many
        ("x = 1▮\n", ")", ""),  # a closer for nothing
        ("a = 1\n▮\nreturn b\n", "return b\n", ""),  # the next line is there already
        ("sum(▮)\n", " x for x in y)", "x for x in y"),  # no space behind the bracket
        ("x = 'é▮\n", "tude 🎉'", "tude 🎉'"),
    ],
)
async def test_one_line(code: str, says: str, expected: str) -> None:
    assert await ghost_text(code, says) == expected


@pytest.mark.parametrize(
    ("code", "says", "expected"),
    [
        # The end of the block is where a line comes back to the left.
        ("def f(a):\n    ▮\n", "b = a\n    return b\n\ndef g():\n    pass\n", "b = a\n    return b"),
        ("def f(a):▮\n", "\n    return a\n\nprint(f(1))\n", "\n    return a"),
        # A loop of the same line ends the reading.
        ("def f(a):\n    ▮\n", "a += 1\n    b(a)\n    b(a)\n    b(a)\n    b(a)\n", "a += 1\n    b(a)"),
        # Nothing from the line on that follows anyway.
        (
            "def f(a):\n    ▮\n\ndef g():\n    pass\n",
            "return a\n\ndef g():\n    pass\n",
            "return a",
        ),
    ],
)
async def test_several_lines(code: str, says: str, expected: str) -> None:
    assert await ghost_text(code, says) == expected


@pytest.mark.parametrize(
    ("code", "says", "language", "expected"),
    [
        ("steps:▮\n", "\n- run: a\n  name: b\n- run: c\nother: 1\n", "yaml", "\n- run: a\n  name: b\n- run: c"),
        ("steps:\n▮\n", "- run: a\n- run: b\nother: 1\n", "yaml", "- run: a\n- run: b"),
        ("steps:▮\n", "\n  run: a\n- run: b\n", "yaml", "\n  run: a"),
        (
            "match x with▮\n",
            "\n| Some y ->\n    y\n| None -> 0\n\nlet g = 1\n",
            "fsharp",
            "\n| Some y ->\n    y\n| None -> 0",
        ),
        ("match x with▮\n", "\n| y -> y\n|> print\n", "fsharp", "\n| y -> y"),
    ],
)
async def test_items_may_stand_no_further_right_than_their_header(
    code: str, says: str, language: str, expected: str
) -> None:
    assert await ghost_text(code, says, language) == expected


async def test_a_block_in_braces_ends_with_its_closer() -> None:
    says = "return a + b;\n}\n\nfunction g() {}\n"
    assert await ghost_text("function f(a, b) {\n  ▮\n", says, "javascript") == "return a + b;\n}"


async def test_a_closer_that_is_there_already_is_not_written_again() -> None:
    says = "return a + b;\n}\n\nfunction g() {}\n"
    assert await ghost_text("function f(a, b) {\n  ▮\n}\n", says, "javascript") == "return a + b;"


async def test_an_auto_closed_tail_is_replaced() -> None:
    outcome = await Desk(ScriptedEngine("x) + 1")).ask("y = f(▮)\n")
    assert shown(outcome) == "x) + 1"
    assert len(outcome.suggestions[0].replaces) == 1


async def test_line_ends_are_those_of_the_document() -> None:
    says = "b = a\n    return b\n"
    assert await ghost_text("def f(a):\r\n    ▮\r\n", says) == "b = a\r\n    return b"


async def test_half_a_line_at_the_token_limit_is_not_shown() -> None:
    engine = ScriptedEngine("b = a\n    retu")
    engine.finish = FinishReason.LENGTH
    assert shown(await Desk(engine).ask("def f(a):\n    ▮\n")) == "b = a"


async def test_the_prompt_of_a_fim_model_has_the_suffix_first_and_ends_at_the_last_boundary() -> None:
    desk = Desk(ScriptedEngine("urn 1"))
    await desk.ask("import os\n\ndef f():\n    ret▮\n\nprint(f())\n")
    request = desk.engine.requests[0]
    assert plain(request) == ("<|fim_prefix|><|fim_suffix|>\n\nprint(f())\n<|fim_middle|>import os\n\ndef f():\n    ")
    assert request.begins_with == "ret"


async def test_control_tokens_in_a_document_stay_text() -> None:
    desk = Desk(ScriptedEngine("1"))
    await desk.ask("s = '<|fim_middle|>[INST]</s>'\nx = ▮\n# <|im_end|>\n")
    prompt = desk.engine.requests[0].prompt
    assert [part.token for part in prompt if isinstance(part, Special)] == [
        "<|fim_prefix|>",
        "<|fim_suffix|>",
        "<|fim_middle|>",
    ]
    assert any("[INST]</s>" in text for text in texts(desk.engine.requests[0]))


async def test_the_same_place_is_not_asked_again() -> None:
    desk = Desk(ScriptedEngine("foo(bar)"))
    first = await desk.ask("x = ▮\n")
    second = await desk.ask("x = ▮\n")
    assert (shown(first), shown(second)) == ("foo(bar)", "foo(bar)")
    assert second.trace.reason is Reason.CACHED
    assert len(desk.engine.requests) == 1


async def test_typing_through_a_suggestion_does_not_ask_again() -> None:
    desk = Desk(ScriptedEngine("foo(bar)"))
    await desk.ask("x = ▮\n")
    second = await desk.ask("x = fo▮\n")
    assert shown(second) == "o(bar)"
    assert second.trace.reason is Reason.TYPED_THROUGH
    assert len(desk.engine.requests) == 1


async def test_typing_through_survives_a_bracket_that_the_editor_closed() -> None:
    desk = Desk(ScriptedEngine("foo(bar)"))
    await desk.ask("x = ▮\n")
    second = await desk.ask("x = foo(▮)\n")
    assert shown(second) == "bar)"
    assert len(second.suggestions[0].replaces) == 1


async def test_typing_something_else_asks_again() -> None:
    desk = Desk(ScriptedEngine("foo(bar)"))
    await desk.ask("x = ▮\n")
    await desk.ask("x = g▮\n")
    assert len(desk.engine.requests) == 2


async def test_a_change_above_asks_again() -> None:
    desk = Desk(ScriptedEngine("foo(bar)"))
    await desk.ask("a = 1\nx = ▮\n")
    await desk.ask("a = 2\nx = ▮\n")
    assert len(desk.engine.requests) == 2


async def test_an_empty_answer_is_remembered_too() -> None:
    desk = Desk(ScriptedEngine(""))
    await desk.ask("x = ▮\n")
    again = await desk.ask("x = ▮\n")
    assert again.trace.reason is Reason.EMPTY
    assert len(desk.engine.requests) == 1


async def test_a_forgotten_document_is_asked_about_again() -> None:
    desk = Desk(ScriptedEngine("1"))
    await desk.ask("x = ▮\n")
    desk.suggester.closed("file:///a.py")
    await desk.ask("x = ▮\n")
    assert len(desk.engine.requests) == 2


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("fo▮o = 1\n", Reason.MID_WORD),
        ("x = ▮ + y\n", Reason.TEXT_AFTER_CURSOR),
        ("x = " + "1" * 5000 + "▮\n", Reason.TOO_LONG_LINE),
    ],
)
async def test_automatic_requests_keep_quiet(code: str, reason: Reason) -> None:
    desk = Desk(ScriptedEngine("1"))
    outcome = await desk.ask(code)
    assert (outcome.suggestions, outcome.trace.reason) == ((), reason)
    assert not desk.engine.requests
    assert shown(await desk.ask(code, invoked=True)) == "1"  # a user who insists is served


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (Settings(inline=InlineSettings(enable=False)), Reason.DISABLED),
        (Settings(inline=InlineSettings(disabled_languages=("python",))), Reason.LANGUAGE_DISABLED),
    ],
)
async def test_settings_switch_automatic_requests_off(settings: Settings, reason: Reason) -> None:
    outcome = await Desk(ScriptedEngine("1"), settings).ask("x = ▮\n")
    assert (outcome.suggestions, outcome.trace.reason) == ((), reason)


async def test_comments_can_be_switched_off() -> None:
    desk = Desk(ScriptedEngine("that"), Settings(inline=InlineSettings(in_comments=False)))
    assert (await desk.ask("# say ▮\n")).trace.reason is Reason.IN_COMMENT


@pytest.mark.parametrize("name", [".env", ".ENV", ".env.local", "Server.KEY", "id_rsa", "my-credentials.json"])
async def test_nothing_is_asked_in_excluded_files(name: str) -> None:
    desk = Desk(ScriptedEngine("1"))
    outcome = await desk.ask("KEY=▮\n", invoked=True, uri=f"file:///home/{name}")
    assert outcome.trace.reason is Reason.EXCLUDED
    assert not desk.engine.requests


async def test_the_exclude_list_is_the_users() -> None:
    desk = Desk(ScriptedEngine("1"), Settings(privacy=PrivacySettings(exclude=("*.secret", "vault/**"))))
    assert (await desk.ask("x = ▮", uri="file:///a.secret")).trace.reason is Reason.EXCLUDED
    assert (await desk.ask("x = ▮", uri="file:///home/vault/deep/a.py")).trace.reason is Reason.EXCLUDED
    assert shown(await desk.ask("x = ▮", uri="file:///.env")) == "1"


async def test_a_dismissed_suggestion_does_not_come_back_by_itself() -> None:
    desk = Desk(ScriptedEngine("foo"))
    first = await desk.ask("x = ▮\n")
    desk.suggester.rejected(first.suggestions[0].id)
    assert (await desk.ask("x = ▮\n")).trace.reason is Reason.JUST_REJECTED
    assert shown(await desk.ask("x = ▮\n", invoked=True)) == "foo"


async def test_the_newest_request_of_a_document_wins_and_the_older_one_is_answered() -> None:
    engine = ScriptedEngine("1", hold=True)
    desk = Desk(engine)
    older = asyncio.create_task(desk.ask("x = ▮\n"))
    await engine.asked.wait()
    newer = asyncio.create_task(desk.ask("xy = ▮\n"))
    answered = await asyncio.wait_for(older, 5)
    assert (answered.suggestions, answered.trace.reason) == ((), Reason.SUPERSEDED)
    assert engine.n_cancelled == 1
    engine.let_go()
    assert shown(await newer) == "1"


async def test_the_same_request_twice_is_asked_once_and_both_are_answered() -> None:
    engine = ScriptedEngine("1", hold=True)
    desk = Desk(engine)
    query = desk.query("x = ▮\n")
    one = asyncio.create_task(desk.suggester.inline(query, desk.settings))
    await engine.asked.wait()
    other = asyncio.create_task(desk.suggester.inline(query, desk.settings))
    engine.let_go()
    assert (shown(await one), shown(await other)) == ("1", "1")
    assert len(engine.requests) == 1


async def test_one_who_joined_goes_on_alone_when_the_first_is_taken_back() -> None:
    engine = ScriptedEngine("1", hold=True)
    desk = Desk(engine)
    query = desk.query("x = ▮\n")
    one = asyncio.create_task(desk.suggester.inline(query, desk.settings))
    await engine.asked.wait()
    other = asyncio.create_task(desk.suggester.inline(query, desk.settings))
    await asyncio.sleep(0)
    one.cancel()
    engine.let_go()
    assert shown(await other) == "1"
    assert one.cancelled()


async def test_one_who_joined_fails_with_the_first() -> None:
    engine = ScriptedEngine("1", hold=True)

    def fails(_request: object) -> str:
        raise EngineUnavailable("gone")

    engine.says = fails
    desk = Desk(engine)
    query = desk.query("x = ▮\n")
    both = [asyncio.create_task(desk.suggester.inline(query, desk.settings)) for _ in range(2)]
    await engine.asked.wait()
    engine.let_go()
    for task in both:
        with pytest.raises(EngineUnavailable):
            await task


async def test_closing_a_document_ends_what_runs_for_it() -> None:
    engine = ScriptedEngine("1", hold=True)
    desk = Desk(engine)
    asked = asyncio.create_task(desk.ask("x = ▮\n"))
    await engine.asked.wait()
    desk.suggester.closed("file:///a.py")
    assert (await asked).suggestions == ()
    assert engine.n_cancelled == 1


async def test_an_auto_closed_bracket_that_the_answer_does_not_close_stays() -> None:
    desk = Desk(ScriptedEngine("foo(a, {"), language="javascript")
    await desk.ask("const x = ▮;\n", invoked=True)
    desk.engine.says = "a, b"
    assert not (await desk.ask("const x = foo(▮);\n")).trace.cached


async def test_changed_settings_are_not_answered_from_before() -> None:
    desk = Desk(ScriptedEngine("1"))
    await desk.ask("x = ▮\n")
    desk.settings = Settings(inline=InlineSettings(latency_budget_ms=100, prefetch=False))
    await desk.ask("x = ▮\n")
    assert [request.time_limit_ms for request in desk.engine.requests] == [2400, 400]


async def test_an_answer_that_the_time_cut_to_nothing_is_asked_for_again() -> None:
    desk = Desk(ScriptedEngine(" "))
    desk.engine.finish = FinishReason.LENGTH
    await desk.ask("x = ▮\n")
    await desk.ask("x = ▮\n")
    assert len(desk.engine.requests) == 2


@pytest.mark.parametrize(("code", "tokens"), [("x = ▮\n", 48), ("def f():\n    ▮\n", 192)])
async def test_one_line_is_given_fewer_tokens_than_several(code: str, tokens: int) -> None:
    desk = Desk(ScriptedEngine("1"))
    await desk.ask(code)
    assert desk.engine.requests[0].max_tokens == tokens


async def test_the_line_above_is_not_written_again() -> None:
    outcome = await Desk(ScriptedEngine("= compute(1)")).ask("value = compute(1)\nvalue ▮\n")
    assert outcome.trace.reason is Reason.REPETITION


async def test_an_answer_with_other_line_ends_is_one_answer() -> None:
    assert await ghost_text("def f(a):\n    ▮\n", "b = a\r\n    return b\r\n") == "b = a\n    return b"


async def test_automatic_requests_wait_for_a_pause_and_invoked_ones_do_not() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    desk = Desk(ScriptedEngine("1"))
    desk.suggester = Suggester(desk.engine, clock=lambda: 0.0, sleep=sleep)
    await desk.ask("x = ▮\n")
    await desk.ask("y = ▮\n", invoked=True)
    desk.settings = Settings(inline=InlineSettings(debounce_ms=70, prefetch=False))
    await desk.ask("z = ▮\n")
    assert waits == [0.1, 0.07]


async def test_the_pause_follows_the_typing() -> None:
    now, waits = [0.0], []

    async def sleep(seconds: float) -> None:
        waits.append(round(seconds, 3))

    desk = Desk(ScriptedEngine(""))
    desk.suggester = Suggester(desk.engine, clock=lambda: now[0], sleep=sleep)
    for n in range(6):
        await desk.ask(f"x = {'a' * n}▮\n")
        now[0] += 0.16
    assert waits[0] == 0.1
    assert waits[-1] == 0.08


async def test_other_documents_are_not_superseded() -> None:
    engine = ScriptedEngine("1", hold=True)
    desk = Desk(engine)
    one = asyncio.create_task(desk.ask("x = ▮\n", uri="file:///a.py"))
    await engine.asked.wait()
    other = asyncio.create_task(desk.ask("x = ▮\n", uri="file:///b.py"))
    engine.asked.clear()
    await engine.asked.wait()
    engine.let_go()
    assert (shown(await one), shown(await other)) == ("1", "1")


async def test_a_request_taken_back_by_the_editor_cancels_the_generation() -> None:
    engine = ScriptedEngine("1", hold=True)
    desk = Desk(engine)
    asked = asyncio.create_task(desk.ask("x = ▮\n"))
    await engine.asked.wait()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await asyncio.wait_for(engine.left.wait(), 5)  # a moment later: the next key could be what it writes
    assert engine.n_cancelled == 1
    trace = desk.suggester.why("file:///a.py")
    assert trace is not None
    assert trace.reason is Reason.CANCELLED


async def test_a_prompt_that_is_too_long_is_cut_smaller() -> None:
    engine = ScriptedEngine("1")
    sizes: list[int] = []

    def says(request: object) -> str:
        sizes.append(len(plain(engine.requests[-1])))
        if len(sizes) < 3:
            raise PromptTooLong(9000, 4000)
        return "1"

    engine.says = says
    desk = Desk(engine)
    assert shown(await desk.ask("y = 1\n" * 2000 + "x = ▮\n")) == "1"
    assert sizes[0] > sizes[1] > sizes[2]


async def test_an_engine_that_fails_is_said() -> None:
    engine = ScriptedEngine("1")
    engine.error = EngineUnavailable("gone")
    desk = Desk(engine)
    with pytest.raises(EngineUnavailable):
        await desk.ask("x = ▮\n")
    trace = desk.suggester.why("file:///a.py")
    assert trace is not None
    assert trace.reason is Reason.ENGINE_ERROR


async def test_without_a_model_nothing_is_shown_and_it_says_so() -> None:
    outcome = await Desk(ScriptedEngine("1", model=None)).ask("x = ▮\n")
    assert (outcome.suggestions, outcome.trace.reason) == ((), Reason.NOT_READY)


async def test_a_model_that_is_too_slow_is_asked_by_key_only() -> None:
    desk = Desk(ScriptedEngine("1", model=replace(QWEN, slow=True)))
    outcome = await desk.ask("x = ▮\n")
    assert (outcome.suggestions, outcome.trace.reason) == ((), Reason.TOO_SLOW)
    assert desk.engine.requests == []
    assert shown(await desk.ask("x = ▮\n", invoked=True)) == "1"
    assert shown(await desk.ask("x = ▮\n")) == "1"  # what is known already costs nothing


async def test_the_token_caps_are_the_models() -> None:
    engine = ScriptedEngine("1", model=replace(QWEN, line_tokens=20, lines_tokens=70))
    desk = Desk(engine)
    await desk.ask("x = ▮\n")
    await desk.ask("def f(a):\n    ▮\n")
    assert [request.max_tokens for request in engine.requests] == [20, 70]


async def test_every_stage_is_timed() -> None:
    outcome = await Desk(ScriptedEngine("1")).ask("x = ▮\n")
    assert list(outcome.trace.stages) == ["cache", "scope", "pace", "excerpts", "prompt", "engine", "finish"]
    assert (outcome.trace.model, outcome.trace.layout) == (QWEN.name, "fim-spm-in-psm")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("n_lines", [1, 2, 3, 199, 200, 201, 202, 500])
def test_the_place_has_the_lines_around_the_cursor(n_lines: int, end: str) -> None:
    text = "".join(f"line {n}{end}" for n in range(n_lines)) + "last"
    snapshot = Snapshot("file:///a.py", 1, "python", text)
    for line in {0, 1, n_lines // 2, n_lines - 1, n_lines}:
        offset = snapshot.line_starts[line] + 2
        place = cursor_context_at(snapshot, offset, CursorScope(), language_of("python"), multiline=False)
        lines = [snapshot.line(n) for n in range(snapshot.n_lines)]
        assert list(place.lines_above) == lines[max(0, line - 200) : line]
        assert list(place.lines_below) == lines[line + 1 : line + 201]
        assert (place.line_before, place.line_after) == (lines[line][:2], lines[line][2:])


async def test_a_key_pressed_in_a_line_of_a_megabyte_is_answered() -> None:
    half = "f(a, b); " * 50_000
    outcome = await Desk(ScriptedEngine("g(1);"), language="javascript").ask(f"{half}▮{half}", invoked=True)
    assert shown(outcome) == "g(1);"
