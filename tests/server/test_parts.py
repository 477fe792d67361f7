"""The small parts on their own: parameters, items, status, progress, parent, and an engine that cannot be made."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from devstral_ls.engine.status import EngineStatus
from devstral_ls.errors import EngineUnavailable, SettingsError
from devstral_ls.server import encode, status
from devstral_ls.server.documents import Documents
from devstral_ls.server.parent import Parent
from devstral_ls.server.parts import Parts
from devstral_ls.server.ports import Factories
from devstral_ls.server.reporting import Reporter
from devstral_ls.server.status import StatusReporter, percentiles
from devstral_ls.settings.tree import Settings
from devstral_ls.suggest.trace import Suggestion
from devstral_ls.text import Snapshot, Span
from tests.server.lsp_client import until

URI = "file:///w/a.py"


def place(code: str) -> tuple[Snapshot, int]:
    """The cursor is at ``▮``."""
    return Snapshot(URI, 1, "python", code.replace("▮", "")), code.index("▮")


# --- items ---


@pytest.mark.parametrize(
    ("code", "text", "n_replaced", "filter_text"),
    [
        ("print(▮", "x)", 0, "x)"),
        ("print(▮)", "x, y)", 1, "x, y)"),
        ("print(▮)", "x, y", 1, "x, y)"),  # the tail is dropped, and would hide the suggestion
        ("f([▮])", "1])", 2, "1])"),
        ("f([▮])", "1)", 2, "1)])"),
    ],
)
def test_a_suggestion_shows_where_it_replaces_a_closed_tail(
    code: str, text: str, n_replaced: int, filter_text: str
) -> None:
    snapshot, cursor = place(code)
    suggestion = Suggestion("1", text, Span(cursor, cursor + n_replaced))
    (item,) = encode.inline_completion_list(Documents(), snapshot, [suggestion]).items
    assert item.insert_text == text
    assert item.filter_text == filter_text
    assert item.range is not None
    assert (item.range.start.character, item.range.end.character) == (cursor, cursor + n_replaced)


@pytest.mark.parametrize(
    ("code", "text", "label"),
    [
        ("  pri▮", "nt(1)", "print(1)"),
        ("x = ▮", "\n    one\n    two", "one"),
        ("▮", "y" * 80, "y" * 59 + "…"),
        ("été▮", "s", "étés"),
    ],
)
def test_the_label_of_a_completion_is_its_first_line(code: str, text: str, label: str) -> None:
    snapshot, cursor = place(code)
    items = encode.completion_list(Documents(), snapshot, cursor, [Suggestion("1", text, Span(cursor, cursor))]).items
    assert items[0].label == label
    assert isinstance(items[0].text_edit, types.TextEdit)
    assert items[0].text_edit.new_text.endswith(text)


# --- status ---


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


READY = EngineStatus("ready", model="m", engine="e", message="ready")


def reporter() -> tuple[StatusReporter, list[dict[str, Any]], Clock]:
    sent: list[dict[str, Any]] = []
    clock = Clock()
    return StatusReporter(sent.append, clock), sent, clock


def states(sent: list[dict[str, Any]]) -> list[str]:
    return [body["state"] for body in sent]


async def test_a_status_is_sent_once() -> None:
    reported, sent, _ = reporter()
    for state in ("starting", "starting", "loading", "ready", "ready"):
        reported.update(EngineStatus(state))  # type: ignore[arg-type]
    assert states(sent) == ["starting", "loading", "ready"]


async def test_generating_does_not_flood_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "MIN_INTERVAL_S", 0.02)
    reported, sent, clock = reporter()
    reported.update(READY)
    for _ in range(50):
        with reported.generating():
            reported.answered(5)
    assert states(sent) == ["ready"]
    clock.now += 1
    await until(lambda: len(sent) == 2)
    assert sent[-1]["state"] == "ready"
    assert sent[-1]["latencyMs"] == {"p50": 5, "p90": 5}


async def test_generating_shows_at_once_after_a_pause_and_a_real_change_always() -> None:
    reported, sent, clock = reporter()
    reported.update(READY)
    clock.now += 1
    with reported.generating():
        assert states(sent) == ["ready", "generating"]
        reported.update(EngineStatus("lost"))
    assert states(sent) == ["ready", "generating", "lost"]
    reported.close()


async def test_a_slow_engine_stays_slow_after_it_has_written() -> None:
    reported, sent, clock = reporter()
    slow = replace(READY, state="slow")
    reported.update(slow)
    clock.now += 1
    with reported.generating():
        reported.update(replace(slow, state="generating"))
    clock.now += 1
    reported.update(slow)
    reported.close()
    assert sent[0]["state"] == "slow"
    assert reported.body() is None
    assert "ready" not in states(sent)


async def test_generating_of_the_engine_itself_is_not_said_twice() -> None:
    reported, sent, _ = reporter()
    reported.update(READY)
    reported.update(EngineStatus("generating", model="m", engine="e", message="ready"))
    reported.update(READY)
    assert states(sent) == ["ready"]


@pytest.mark.parametrize(
    ("latencies", "p50", "p90"), [([7.4], 7, 7), ([1, 3], 2, 3), (list(range(1, 12)), 6, 10), ([5] * 50, 5, 5)]
)
def test_percentiles(latencies: list[float], p50: float, p90: float) -> None:
    assert percentiles(latencies) == {"p50": p50, "p90": p90}


# --- the boundary ---


def test_a_failure_is_logged_once_a_minute_for_each_code(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    shown: list[str] = []
    boundary = Reporter(lambda text, _kind: shown.append(text), lambda: False, clock)

    def fail(error: Exception, *, asked_for: bool = False) -> None:
        with boundary.reporting(asked_for=asked_for):
            raise error

    boundary_log = caplog.records
    fail(EngineUnavailable("gone"))
    fail(EngineUnavailable("gone"))
    fail(SettingsError("other"))
    fail(ZeroDivisionError())
    fail(ZeroDivisionError())
    assert len(boundary_log) == 3
    clock.now += 61
    fail(EngineUnavailable("gone"), asked_for=True)
    assert len(boundary_log) == 4
    assert shown == [f"Devstral: gone. {EngineUnavailable.hint}"]
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError(), asked_for=True)


# --- the editor's process ---


async def test_a_parent_is_gone_when_its_id_belongs_to_another_process() -> None:
    me = Parent.find(os.getpid())
    assert me is not None
    assert me.is_alive()
    assert not Parent(os.getpid(), "another start time").is_alive() or me.started is None


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 5, 2**80])
def test_what_is_no_process_is_not_found(pid: int) -> None:
    assert Parent.find(pid) is None


async def test_waiting_for_a_parent_ends_when_it_is_gone() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "1000")
    parent = Parent.find(process.pid)
    assert parent is not None
    looks: list[float] = []

    async def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            process.kill()
            await process.wait()

    await parent.gone(sleep)
    assert len(looks) == 2


# --- an engine that cannot be made ---


def broken(error: Exception) -> Callable[..., Any]:
    def make(*_: Any) -> Any:
        raise error

    return make


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SettingsError("no such dialect", hint="Choose another."), "no such dialect"),
        (ImportError("x", name="httpx"), "cannot import httpx"),
    ],
)
async def test_an_engine_that_cannot_be_made_says_so_and_is_tried_again(error: Exception, message: str) -> None:
    reported, sent, _ = reporter()
    attempts: list[int] = []

    def make(*_: Any) -> Any:
        attempts.append(1)
        raise error

    directories: Any = None
    parts = Parts(Factories(make, broken(error)), directories, reported, reported.update)
    assert await parts.get(Settings()) is None
    assert await parts.get(Settings()) is None
    assert len(attempts) == 1
    assert sent[-1]["state"] == "failed"
    assert sent[-1]["message"] == message
    assert sent[-1]["hint"]
    await parts.restart(Settings())
    assert len(attempts) == 2
    await parts.aclose()


async def test_a_bug_in_making_the_engine_shows_as_failed() -> None:
    reported, sent, _ = reporter()
    directories: Any = None
    parts = Parts(Factories(broken(ZeroDivisionError()), broken(ValueError())), directories, reported, reported.update)
    with pytest.raises(ZeroDivisionError):
        await parts.get(Settings())
    await until(lambda: states(sent) == ["starting", "failed"])


# --- the user's file ---


def test_the_file_is_read_again_and_a_problem_is_said_once(tmp_path: Path) -> None:
    from devstral_ls.server.configuration import Configuration

    file = tmp_path / "settings.toml"
    configuration = Configuration(file, {})
    assert configuration.initialize(None) == []
    file.write_text("[inline]\nmaxTokens = 5\ndebounceMs = 'x'\n")
    (problem,) = configuration.refresh()
    assert problem.key == "inline.debounceMs"
    assert configuration.settings.inline.max_tokens == 5
    assert configuration.refresh() == []
    assert configuration.workspace({"model": {"name": "x"}, "inline": {"maxTokens": 6}}) == []
    assert configuration.settings.inline.max_tokens == 6


async def test_background_work_stands_between_pipeline_and_engine_and_ends_before_it() -> None:
    directories: Any = None
    done: list[str] = []
    reported, _, _ = reporter()

    class Noted:
        def __init__(self, name: str) -> None:
            self.feedback = self
            self.name = name
            self.engine = "the engine for the pipeline"
            self.model = None

        def start(self) -> None:
            done.append(f"{self.name} starts")

        def close(self) -> None:
            done.append(f"{self.name} ends")

        async def aclose(self) -> None:
            done.append(f"{self.name} ends")

    def pipeline(engine: Any) -> Any:
        done.append(engine._engine)
        return Noted("pipeline")

    factories = Factories(
        lambda *_: Noted("engine"),  # type: ignore[arg-type, return-value]
        pipeline,
        lambda _: Noted("background"),  # type: ignore[arg-type, return-value]
    )
    parts = Parts(factories, directories, reported, reported.update)
    await parts.get(Settings())
    await parts.aclose()
    assert done == [
        "the engine for the pipeline",
        "engine starts",
        "background starts",
        "pipeline ends",
        "background ends",
        "engine ends",
    ]
