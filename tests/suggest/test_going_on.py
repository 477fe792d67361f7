"""Asking the model as rarely as possible: what runs goes on, what is known comes back, what comes next is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from devstral_ls.errors import EngineUnavailable
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, Priority, Usage
from devstral_ls.settings.tree import EngineSettings, InlineSettings, Settings
from devstral_ls.suggest.cache import Answer
from devstral_ls.suggest.pipeline import Suggester
from devstral_ls.suggest.prefetch import after_accept
from devstral_ls.suggest.trace import InlineQuery, Outcome, Reason
from devstral_ls.testing.scripted_engine import QWEN, ScriptedEngine, plain
from devstral_ls.text import Snapshot, apply
from tests.suggest.test_inline import Desk, no_pause, shown


class SlowEngine(ScriptedEngine):
    """Writes a piece whenever the test gives one; ``None`` ends the answer."""

    def __init__(self) -> None:
        super().__init__("")
        self.pieces: list[asyncio.Queue[str | None]] = []

    @asynccontextmanager
    async def generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[Chunk]]:
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self.requests.append(request)
        self.pieces.append(pieces)
        self.asked.set()
        finished = False

        async def chunks() -> AsyncIterator[Chunk]:
            nonlocal finished
            if request.begins_with:
                yield Chunk(request.begins_with)
            while (piece := await pieces.get()) is not None:
                yield Chunk(piece)
            finished = True
            yield Chunk("", FinishReason.STOP, Usage(10, 8, 3, 1.0, 1.0))

        stream = chunks()
        try:
            yield stream
        finally:
            await stream.aclose()
            self.n_cancelled += not finished
            self.left.set()

    def write(self, *pieces: str | None) -> None:
        for piece in pieces:
            self.pieces[-1].put_nowait(piece)

    async def asked_again(self) -> None:
        self.asked.clear()
        await asyncio.wait_for(self.asked.wait(), 5)


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(50):
        await asyncio.sleep(0)


class Typist(Desk):
    """Types while the engine writes."""

    engine: SlowEngine

    def __init__(self, engine: SlowEngine | None = None) -> None:
        super().__init__(engine or SlowEngine())
        self.asked: list[asyncio.Task[Outcome]] = []

    async def types(self, code: str, *, invoked: bool = False) -> asyncio.Task[Outcome]:
        task = asyncio.create_task(self.ask(code, invoked=invoked))
        self.asked.append(task)
        await settle()
        return task


async def test_the_next_key_goes_on_with_what_is_being_written() -> None:
    desk = Typist()
    first = await desk.types("x = ▮\n")
    desk.engine.write("fo")
    second = await desk.types("x = f▮\n")
    third = await desk.types("x = foo▮\n")  # ahead of what is written
    desk.engine.write("o(bar)", None)
    assert shown(await third) == "(bar)"
    assert [(await task).trace.reason for task in (first, second, third)] == [
        Reason.SUPERSEDED,
        Reason.SUPERSEDED,
        Reason.JOINED,
    ]
    assert (len(desk.engine.requests), desk.engine.n_cancelled) == (1, 0)
    trace = (await third).trace
    assert trace.decisions == ["went-on-with-running"]
    assert trace.usage is not None


async def test_a_key_taken_back_by_the_editor_does_not_end_what_the_next_one_goes_on_with() -> None:
    desk = Typist()
    pause = asyncio.Event()

    async def sleep(seconds: float) -> None:
        if seconds == 0.5:  # the time a generation lingers; nothing else waits so long
            await pause.wait()

    desk.suggester = Suggester(desk.engine, sleep=sleep)
    first = await desk.types("x = ▮\n")
    first.cancel()
    await settle()
    assert desk.engine.n_cancelled == 0
    second = await desk.types("x = f▮\n")
    desk.engine.write("foo", None)
    assert shown(await second) == "oo"
    pause.set()


class Hurried(Typist):
    """Has a clock, and the budget of the settings."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.suggester = Suggester(self.engine, clock=lambda: self.now, sleep=no_pause)

    async def late(self, *pieces: str | None) -> None:
        """The budget is over before ``pieces`` come."""
        await settle()
        self.now += self.settings.inline.latency_budget_ms / 1000
        self.engine.write(*pieces)
        await settle()


BLOCK = "def f():\n    ▮\n"


async def test_the_first_lines_of_a_slow_block_are_shown_and_the_rest_is_there_for_who_takes_them() -> None:
    desk = Hurried()
    first = await desk.types(BLOCK)
    desk.engine.write("a = 1\n", "    b = 2\n", "    c =")
    await desk.late(" 3\n    re")
    outcome = await first
    assert shown(outcome) == "a = 1\n    b = 2\n    c = 3"
    assert outcome.trace.decisions == ["first-lines"]
    rest = await desk.types("def f():\n    a = 1\n    b = 2\n    c = 3▮\n")
    desk.engine.write("turn a\n", None)
    assert shown(await rest) == "\n    return a"
    assert (len(desk.engine.requests), desk.engine.n_cancelled) == (1, 0)


async def test_the_first_lines_stay_while_they_are_typed_and_nobody_waits_for_the_rest() -> None:
    desk = Hurried()
    await desk.types(BLOCK)
    await desk.late("a = 1\n", "    b")
    for code, rest in [(BLOCK, "a = 1"), ("def f():\n    a▮\n", " = 1"), ("def f():\n    a = ▮\n", "1")]:
        assert shown(await (await desk.types(code))) == rest
    desk.engine.write(" = 2\n", None)
    await settle()
    assert shown(await (await desk.types(BLOCK))) == "a = 1\n    b = 2"


async def test_the_first_lines_stay_over_the_line_ends_of_a_document_that_has_others() -> None:
    desk = Hurried()
    block = BLOCK.replace("\n", "\r\n")
    await desk.types(block)
    await desk.late("a = 1\n    b = 2\n", "    c")
    taken_by_line = await desk.types("def f():\r\n    a = 1\r\n    ▮\r\n")
    assert taken_by_line.done()
    assert shown(await taken_by_line) == "b = 2"


async def test_who_joins_a_slow_block_is_shown_its_first_lines_as_well() -> None:
    desk = Hurried()
    first = await desk.types(BLOCK)
    second = await desk.types("def f():\n    a▮\n")
    desk.engine.write("a = 1\n", "    b")
    await desk.late(" = 2\n    c")
    outcome = await second
    assert (shown(outcome), outcome.trace.reason) == (" = 1\n    b = 2", Reason.JOINED)
    assert (await first).trace.reason is Reason.SUPERSEDED
    assert (len(desk.engine.requests), desk.engine.n_cancelled) == (1, 0)


async def test_who_took_the_first_lines_is_shown_the_next_ones_before_the_block_ends() -> None:
    desk = Hurried()
    await desk.types(BLOCK)
    await desk.late("a = 1\n", "    b")
    rest = await desk.types("def f():\n    a = 1▮\n")
    await desk.late(" = 2\n    c")
    assert shown(await rest) == "\n    b = 2"
    assert desk.engine.n_cancelled == 0


async def test_who_joins_a_block_that_turns_out_to_be_another_does_not_wait_for_it() -> None:
    desk = Hurried()
    await desk.types(BLOCK)
    second = await desk.types("def f():\n    x▮\n")
    await desk.late("a = 1\n    b")
    assert desk.engine.n_cancelled == 1
    desk.engine.write(" = 5\n", None)
    await settle()
    assert shown(await second) == " = 5"


async def test_who_needs_the_model_elsewhere_ends_a_block_of_which_nobody_waits_for_the_rest() -> None:
    desk = Hurried()
    await desk.types(BLOCK)
    await desk.late("a = 1\n", "    b")
    other = asyncio.create_task(desk.ask("x = ▮\n", uri="file:///b.py"))
    await settle()
    assert desk.engine.n_cancelled == 1
    desk.engine.write("5", None)
    assert shown(await other) == "5"


async def test_something_else_typed_ends_a_block_whose_first_lines_are_shown() -> None:
    desk = Hurried()
    await desk.types(BLOCK)
    await desk.late("a = 1\n", "    b")
    await desk.types("def f():\n    x▮\n")
    assert desk.engine.n_cancelled == 1


@pytest.mark.parametrize(
    ("code", "invoked", "piece"),
    [
        (BLOCK, True, "a = 1\n    b"),  # by key: all of it
        (BLOCK, False, "a = 1"),  # no line is whole
        (BLOCK, False, "\n\n"),
        ("x = ▮\n", False, "1 + 2"),  # one line
    ],
)
async def test_nothing_is_shown_early(code: str, invoked: bool, piece: str) -> None:
    desk = Hurried()
    asked = await desk.types(code, invoked=invoked)
    await desk.late(piece)
    assert not asked.done()
    desk.engine.write("\n\n", None)
    assert shown(await asked).strip().startswith(piece.strip())


async def test_what_nobody_waits_for_ends_after_a_moment() -> None:
    desk = Typist()
    first = await desk.types("x = ▮\n")
    first.cancel()
    await asyncio.wait_for(desk.engine.left.wait(), 5)
    assert desk.engine.n_cancelled == 1


async def test_what_is_not_what_is_typed_ends_at_once_and_the_model_is_asked_anew() -> None:
    desk = Typist()
    await desk.types("x = ▮\n")
    second = await desk.types("x = g▮\n")
    assert desk.engine.n_cancelled == 0  # nothing is written yet: it may still be
    desk.engine.write("fo")
    await desk.engine.asked_again()
    assert desk.engine.n_cancelled == 1
    desk.engine.write("et(1)", None)
    outcome = await second
    assert (shown(outcome), outcome.trace.reason) == ("et(1)", Reason.SHOWN)
    assert outcome.trace.decisions == ["went-on-with-running", "running-wrote-something-else"]


@pytest.mark.parametrize("second", ["y = ▮\n", "x = 1 + ▮\nz = 1\n", "import os\nx = ▮\n"])
async def test_a_change_elsewhere_ends_what_runs(second: str) -> None:
    desk = Typist()
    await desk.types("x = ▮\n")
    task = await desk.types(second)
    assert (len(desk.engine.requests), desk.engine.n_cancelled) == (2, 1)
    desk.engine.write("1", None)
    assert shown(await task) == "1"


async def test_a_bracket_that_the_editor_closes_does_not_end_what_runs() -> None:
    desk = Typist()
    await desk.types("x = ▮\n")
    second = await desk.types("x = foo(▮)\n")
    desk.engine.write("foo(", "bar)", None)
    outcome = await second
    assert (shown(outcome), len(outcome.suggestions[0].replaces)) == ("bar)", 1)
    assert len(desk.engine.requests) == 1


async def test_a_line_end_typed_in_a_document_with_other_line_ends_is_the_one_the_model_writes() -> None:
    desk = Typist()
    await desk.types("def f(a):▮\r\n")
    second = await desk.types("def f(a):\r\n    ▮\r\n")
    desk.engine.write("\n    ", "return a", None)
    assert shown(await second) == "return a"
    assert len(desk.engine.requests) == 1


async def test_an_answer_that_turns_out_empty_says_nothing_about_what_was_typed_since() -> None:
    desk = Typist()
    await desk.types("x = ▮\n")
    second = await desk.types("x = f▮\n")
    desk.engine.write(None)
    await desk.engine.asked_again()
    desk.engine.write("oo", None)
    assert shown(await second) == "oo"


async def test_closing_the_pipeline_ends_what_runs() -> None:
    desk = Typist()
    first = await desk.types("x = ▮\n")
    desk.suggester.close()
    assert (await first).suggestions == ()
    assert desk.engine.n_cancelled == 1


# --- what is known comes back ---


async def test_after_a_word_was_taken_the_rest_is_still_there() -> None:
    desk = Desk(ScriptedEngine("foo.bar(baz)"))
    await desk.ask("x = ▮\n")
    assert shown(await desk.ask("x = foo▮\n")) == ".bar(baz)"
    assert shown(await desk.ask("x = foo.bar▮\n")) == "(baz)"
    assert len(desk.engine.requests) == 1


async def test_going_back_over_what_was_typed_through_brings_the_suggestion_back() -> None:
    desk = Desk(ScriptedEngine("foo.bar(baz)"))
    for code, rest in [("x = ▮\n", "foo.bar(baz)"), ("x = foo▮\n", ".bar(baz)"), ("x = f▮\n", "oo.bar(baz)")]:
        assert shown(await desk.ask(code)) == rest
    assert len(desk.engine.requests) == 1


async def test_the_same_place_after_undo_is_not_asked_again() -> None:
    desk = Desk(ScriptedEngine("1"))
    await desk.ask("x = ▮\n")
    await desk.ask("x = 5\ny = ▮\n")
    assert (await desk.ask("x = ▮\n")).trace.reason is Reason.CACHED
    assert len(desk.engine.requests) == 2


# --- what comes next is there ---


def ahead(engine: ScriptedEngine, **inline: object) -> Desk:
    return Desk(engine, Settings(inline=InlineSettings(min_confidence=0, **inline)))  # type: ignore[arg-type]


def lines(*texts: str) -> Callable[[GenerationRequest], str]:
    """What a model says that has these lines in mind, the prompt being some of them."""
    whole = "\n".join(texts) + "\n"

    def says(request: GenerationRequest) -> str:
        prefix = plain(request).rpartition("<|fim_middle|>")[2] + request.begins_with
        assert whole.startswith(prefix), prefix
        return whole[len(prefix) :]

    return says


async def test_tab_after_tab_has_no_wait() -> None:
    desk = ahead(ScriptedEngine(lines("a = one(1)", "b = two(a)", "c = three(b)", "d = four(c)")))
    assert shown(await desk.ask("▮\n")) == "a = one(1)"
    await settle()
    for code, expected in [
        ("a = one(1)▮\n", "\nb = two(a)"),
        ("a = one(1)\nb = two(a)▮\n", "\nc = three(b)"),
        ("a = one(1)\nb = two(a)\nc = three(b)▮\n", "\nd = four(c)"),
    ]:
        outcome = await desk.ask(code)
        assert (shown(outcome), outcome.trace.reason) == (expected, Reason.CACHED)
        await settle()
    asked = [request.priority for request in desk.engine.requests]
    assert asked[0] is Priority.INLINE
    assert set(asked[1:]) == {Priority.BACKGROUND}


async def test_who_types_a_line_to_its_end_is_not_shown_the_next_before_the_line_end() -> None:
    desk = ahead(ScriptedEngine(lines("a = one(1)", "b = two(a)")))
    await desk.ask("▮\n")
    await settle()
    assert shown(await desk.ask("a = one(1▮\n")) == ")"
    assert (await desk.ask("a = one(1)▮\n")).trace.reason is Reason.EMPTY
    n_requests = len(desk.engine.requests)
    assert shown(await desk.ask("a = one(1)\n▮\n")) == "b = two(a)"
    assert len(desk.engine.requests) == n_requests


async def test_who_comes_while_it_is_written_ahead_goes_on_with_it() -> None:
    desk = Typist()
    desk.settings = Settings(inline=InlineSettings(min_confidence=0))
    first = await desk.types("▮\n")
    desk.engine.write("a = 1", None)
    assert shown(await first) == "a = 1"
    await settle()
    assert len(desk.engine.requests) == 2
    second = await desk.types("a = 1▮\n")
    desk.engine.write("\nb = 2\n")
    outcome = await second
    assert (shown(outcome), outcome.trace.reason) == ("\nb = 2", Reason.JOINED)


async def test_who_comes_before_anything_is_written_ahead_need_not_wait_behind_everybody() -> None:
    desk = Typist()
    desk.settings = Settings(inline=InlineSettings(min_confidence=0))
    first = await desk.types("x = ▮\n")
    desk.engine.write("one", None)
    assert shown(await first) == "one"
    await settle()
    ahead_of_it = desk.engine.requests[-1]
    second = await desk.types("x = one▮\n")
    desk.engine.write("\ny = 6", None)
    assert shown(await second) == "\ny = 6"
    now = desk.engine.requests[2]
    assert (ahead_of_it.priority, now.priority) == (Priority.BACKGROUND, Priority.INLINE)
    assert (now.prompt, now.conversation) == (ahead_of_it.prompt, ahead_of_it.conversation)


async def test_who_needs_the_model_ends_what_is_written_ahead_for_any_document() -> None:
    desk = Typist()
    desk.settings = Settings(inline=InlineSettings(min_confidence=0))
    await desk.types("▮\n")
    desk.engine.write("a = 1", None)
    await settle()
    other = asyncio.create_task(desk.ask("x = ▮\n", uri="file:///b.py"))
    await settle()
    assert desk.engine.n_cancelled == 1
    desk.engine.write("5", None)
    assert shown(await other) == "5"


async def test_the_prompt_at_the_cursor_is_read_before_anybody_asks() -> None:
    desk = ahead(ScriptedEngine("urn 1"))
    code = "import os\n\ndef f():\n    ret▮\n\nprint(f())\n"
    query = desk.query(code)
    desk.suggester.on_cursor_idle(query.snapshot, query.offset, desk.settings)
    await settle()
    await desk.ask(code)
    read, asked = desk.engine.requests[:2]
    assert (read.max_tokens, read.begins_with, read.priority) == (0, "", Priority.BACKGROUND)
    assert read.prompt == asked.prompt
    assert read.conversation == asked.conversation == "file:///a.py"


async def test_of_a_document_that_was_closed_nothing_is_read() -> None:
    desk = ahead(ScriptedEngine("1"))
    query = desk.query("x = ▮\n")
    desk.suggester.on_cursor_idle(query.snapshot, query.offset, desk.settings)
    desk.suggester.closed(query.snapshot.uri)
    await settle()
    assert desk.engine.requests == []


async def test_other_settings_are_other_answers() -> None:
    desk = Desk(ScriptedEngine("1'"), Settings(inline=InlineSettings(min_confidence=0, prefetch=False)))
    assert shown(await desk.ask("x = '▮\n")) == "1'"
    desk.settings = Settings(inline=InlineSettings(min_confidence=0, prefetch=False, in_strings=False))
    assert (await desk.ask("x = '▮\n")).trace.reason is Reason.IN_STRING


async def test_who_asked_before_the_model_came_finds_the_prompt_read() -> None:
    engine = ScriptedEngine("1", model=None)
    desk = ahead(engine)
    assert (await desk.ask("x = ▮\n")).trace.reason is Reason.NOT_READY
    engine._model = QWEN
    desk.suggester.model_ready()
    await settle()
    assert [request.max_tokens for request in engine.requests] == [0]


@pytest.mark.parametrize(
    ("settings", "slow"),
    [
        (Settings(inline=InlineSettings(prefetch=False)), False),
        (Settings(inline=InlineSettings(enable=False)), False),
        (Settings(engine=EngineSettings(kind="remote")), False),
        (Settings(), True),
    ],
)
async def test_nothing_is_done_ahead_where_it_costs(settings: Settings, slow: bool) -> None:
    desk = Desk(ScriptedEngine("1", model=replace(QWEN, slow=slow)), settings)
    query = desk.query("x = ▮\n")
    desk.suggester.on_cursor_idle(query.snapshot, query.offset, settings)
    await desk.ask("x = ▮\n", invoked=True)
    await settle()
    assert [request.priority for request in desk.engine.requests] == [Priority.INLINE]


async def test_nothing_is_read_ahead_in_excluded_files() -> None:
    desk = ahead(ScriptedEngine("1"))
    query = desk.query("KEY=▮\n", uri="file:///.env")
    desk.suggester.on_cursor_idle(query.snapshot, query.offset, desk.settings)
    await settle()
    assert desk.engine.requests == []


async def test_a_failure_of_what_is_done_ahead_bothers_nobody() -> None:
    desk = ahead(ScriptedEngine("1"))
    desk.engine.error = EngineUnavailable("gone")
    query = desk.query("x = ▮\n")
    desk.suggester.on_cursor_idle(query.snapshot, query.offset, desk.settings)
    await settle()
    desk.engine.error = None
    assert shown(await desk.ask("x = ▮\n")) == "1"


def test_a_suggestion_taken_stands_in_the_place_of_what_it_replaces() -> None:
    query = InlineQuery(Snapshot("file:///a.py", 1, "python", "f()\n"), 2)
    after = after_accept(query, Answer("1", "x)", 1))
    assert (after.snapshot.text, after.offset) == ("f(x)\n", 4)
    again = after_accept(after, Answer("2", ".y", 0))
    assert (again.snapshot.text, again.offset) == ("f(x).y\n", 6)
    assert again.change is not None
    assert (again.change.before, again.change.after) == (query.snapshot, again.snapshot)
    assert apply(query.snapshot.text, again.change.edit) == again.snapshot.text


async def test_the_suggester_leaves_nothing_behind() -> None:
    desk = ahead(ScriptedEngine("1", hold=True))
    desk.suggester = Suggester(desk.engine, sleep=no_pause)
    query = desk.query("x = ▮\n")
    desk.suggester.on_cursor_idle(query.snapshot, query.offset, desk.settings)
    await settle()
    desk.suggester.close()
    await settle()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
