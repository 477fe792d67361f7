"""The engine as the server sees it: every way it can fail, die, change and come back."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from devstral_ls.engine import rendezvous
from devstral_ls.engine.restart_policy import RestartPolicy
from devstral_ls.engine.runtime_dir import RuntimeFiles
from devstral_ls.engine.spec import EngineOptions
from devstral_ls.engine.state import EngineState, read_state
from devstral_ls.engine.status import EngineStatus
from devstral_ls.engine.switch import ConfiguredEngine
from devstral_ls.errors import (
    EngineBusy,
    EngineError,
    EngineSilent,
    EngineUnavailable,
    GenerationFailed,
    ModelCorrupt,
    ModelNotFound,
    ModelTooBig,
    RuntimeFolderUnusable,
)
from devstral_ls.generation import GenerationRequest, Text
from devstral_ls.models import store
from devstral_ls.platform import locks
from devstral_ls.platform.paths import Directories
from devstral_ls.testing import gguf_files

PATIENCE = 30.0
"""Seconds after which a test gives up; none waits for so long when all is well."""

SOON = RestartPolicy(look=0.05, first=0.01, most=0.05, silence=1.0, pulse=0.5)


class Watched:
    """An engine and what it said."""

    def __init__(self, home: Directories, options: EngineOptions, policy: RestartPolicy) -> None:
        self.said: list[EngineStatus] = []
        self._news = asyncio.Event()
        self.engine = ConfiguredEngine(options, home, self._hear, policy=policy)

    def _hear(self, status: EngineStatus) -> None:
        self.said.append(status)
        self._news.set()

    async def until(self, wanted: Callable[[EngineStatus], bool]) -> EngineStatus:
        """Wait for such a status, from now on."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not wanted(self.engine.status):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pytest.fail(f"it only said {self.said}")
        return self.engine.status


@asynccontextmanager
async def managed(
    home: Directories, model: Path | str, *, policy: RestartPolicy = SOON, **options: object
) -> AsyncIterator[Watched]:
    wishes = EngineOptions(**{"model": str(model), "slots": 2, "context_tokens": 512, **options})  # type: ignore[arg-type]
    watched = Watched(home, wishes, policy)
    watched.engine.start()
    try:
        yield watched
    finally:
        await watched.engine.aclose()


def no_room(path: Path, data: bytes) -> int:
    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))


async def answer(engine: ConfiguredEngine, max_tokens: int = 8, meanwhile: Callable[[], None] = lambda: None) -> str:
    """The answer; ``meanwhile`` is called after each piece."""
    text = ""
    async with engine.generate(GenerationRequest((Text("def f():"),), max_tokens)) as chunks:
        async for chunk in chunks:
            text += chunk.text
            meanwhile()
    return text


def running_pid(home: Directories) -> int:
    (state,) = rendezvous.engines(home)
    assert state.pid is not None
    return state.pid


async def test_from_start_to_answer(home: Directories, devstral_shaped: Path) -> None:
    async with managed(home, devstral_shaped) as watched:
        assert watched.engine.model is None
        with pytest.raises(EngineBusy):
            await answer(watched.engine)
        assert (await watched.engine.ready()).state == "ready"
        assert len(await answer(watched.engine)) >= 8
        model = watched.engine.model
    assert model is not None
    assert (model.name, model.family, model.bos) == ("devstral-shaped", "mistral-tekken", "<s>")
    assert (model.context_tokens, model.layouts[0]) == (512, "chat-prefill")
    states = [status.state for status in watched.said]
    assert list(dict.fromkeys(states)) == ["starting", "loading", "ready", "generating"]
    assert all(status.model == "devstral-shaped" for status in watched.said)


async def test_without_a_model_it_waits_for_one(home: Directories, devstral_shaped: Path) -> None:
    async with managed(home, "auto") as watched:
        status = await watched.engine.ready()
        assert status.state == "absent"
        assert "model pull" in (status.hint or "")
        with pytest.raises(ModelNotFound):
            await answer(watched.engine)
        store.import_file(home.models, devstral_shaped, "mine")
        watched.engine.check_now()
        status = await watched.until(lambda status: status.state == "ready")
        assert status.model == "mine"
        assert await answer(watched.engine)


def a_text_file(folder: Path) -> Path:
    path = folder / "text.gguf"
    path.write_text("hello\n" * 100)
    return path


def a_truncated_file(folder: Path) -> Path:
    return gguf_files.truncated(gguf_files.write_devstral_shaped(folder / "cut.gguf"), 5000)


def no_file(folder: Path) -> Path:
    return folder / "none.gguf"


@pytest.mark.parametrize(
    ("make", "state", "raised"),
    [
        (no_file, "absent", ModelNotFound),
        (a_text_file, "failed", ModelCorrupt),
        (a_truncated_file, "failed", ModelCorrupt),
    ],
)
async def test_a_bad_file_is_one_clear_line(
    make: Callable[[Path], Path], state: str, raised: type[EngineError], home: Directories, tmp_path: Path
) -> None:
    path = make(tmp_path)
    async with managed(home, path) as watched:
        status = await watched.engine.ready()
        assert status.state == state
        assert path.name in (status.message or "")
        assert "\n" not in (status.message or "")
        assert status.hint
        for _ in range(2):
            with pytest.raises(raised):
                await answer(watched.engine)
    assert not rendezvous.engines(home)


async def test_a_model_that_does_not_fit_is_one_clear_line(home: Directories, tmp_path: Path) -> None:
    path = gguf_files.write_devstral_shaped(tmp_path / "m.gguf", context_length=10**9)
    async with managed(home, path, context_tokens=10**9) as watched:
        status = await watched.engine.ready()
        assert status.state == "failed"
        assert "GB" in (status.message or "")
        with pytest.raises(ModelTooBig):
            await answer(watched.engine)


async def test_auto_takes_the_best_that_fits(home: Directories, tmp_path: Path) -> None:
    big = gguf_files.write_devstral_shaped(tmp_path / "big.gguf", context_length=10**9)
    store.import_file(home.models, big, "devstral-small")
    store.import_file(home.models, gguf_files.write_qwen_fim(tmp_path / "small.gguf"), "small")
    async with managed(home, "auto", context_tokens=10**9) as watched:
        status = await watched.until(lambda status: status.settled)
        assert (status.state, status.model) == ("ready", "small")
        assert await answer(watched.engine)
    assert "devstral-small" in [status.model for status in watched.said]


async def test_a_better_model_replaces_the_one_in_use(home: Directories, devstral_shaped: Path, tmp_path: Path) -> None:
    store.import_file(home.models, gguf_files.write_qwen_fim(tmp_path / "small.gguf"), "small")
    async with managed(home, "auto") as watched:
        assert (await watched.engine.ready()).model == "small"
        store.import_file(home.models, devstral_shaped, "devstral-small")
        watched.engine.check_now()
        await watched.until(lambda status: status.state == "ready" and status.model == "devstral-small")
        assert [state.model for state in rendezvous.engines(home)] == ["devstral-small"]


async def test_a_file_that_was_bad_is_tried_again_when_it_changes(home: Directories, tmp_path: Path) -> None:
    path = a_text_file(tmp_path)
    async with managed(home, path) as watched:
        assert (await watched.engine.ready()).state == "failed"
        gguf_files.write_devstral_shaped(tmp_path / "new.gguf").replace(path)
        await watched.until(lambda status: status.state == "ready")
        assert await answer(watched.engine)


async def test_killed_in_the_middle_of_an_answer_it_comes_back(home: Directories, devstral_shaped: Path) -> None:
    async with managed(home, devstral_shaped) as watched:
        await watched.engine.ready()
        pid = running_pid(home)
        with pytest.raises((GenerationFailed, EngineUnavailable)):
            await answer(watched.engine, 400, meanwhile=lambda: os.kill(pid, signal.SIGKILL))
        await watched.until(lambda status: status.state in ("lost", "starting"))
        with pytest.raises((EngineUnavailable, EngineBusy)):
            await answer(watched.engine)
        await watched.until(lambda status: status.state == "ready")
        assert running_pid(home) != pid
        assert await answer(watched.engine)
    assert next(status for status in watched.said if status.state == "lost").message


@pytest.mark.parametrize("begun", [True, False])
async def test_one_that_hangs_is_ended_and_comes_back(
    begun: bool, home: Directories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds its lock and its socket, and answers nothing: neither TERM nor waiting helps."""
    monkeypatch.setattr("devstral_ls.engine.connection.is_stopped", lambda pid: False)  # known by its silence alone
    path = gguf_files.write_devstral_shaped(tmp_path / "m.gguf")
    async with managed(home, path) as watched:
        await watched.engine.ready()
        pid = running_pid(home)
        if not begun:
            os.kill(pid, signal.SIGSTOP)
        with pytest.raises(EngineSilent):
            await answer(watched.engine, 400, meanwhile=lambda: os.kill(pid, signal.SIGSTOP))
        lost = await watched.until(lambda status: status.state == "lost")
        assert "did not answer" in (lost.message or "")
        await watched.until(lambda status: status.state == "ready")
        assert running_pid(home) != pid
        assert await answer(watched.engine)


async def test_one_that_dies_all_the_time_is_given_up_until_asked_for(home: Directories, devstral_shaped: Path) -> None:
    assert (RestartPolicy().deaths, RestartPolicy().within) == (5, 120.0)
    async with managed(home, devstral_shaped) as watched:
        for _ in range(SOON.deaths):
            await watched.until(lambda status: status.state == "ready")
            (state,) = rendezvous.engines(home)
            with RuntimeFiles(home.runtime, state.key).log.open("a") as log:
                log.write("ggml: something burst\n")
            os.kill(running_pid(home), signal.SIGKILL)
            await watched.until(lambda status: status.state != "ready")
        status = await watched.engine.ready()
        assert status.state == "failed"
        assert (status.message or "").endswith("ended: ggml: something burst (5 times in 120 s)")
        assert "engine logs" in (status.hint or "")
        assert "something burst" in rendezvous.log_tail(home)
        assert not rendezvous.engines(home)
        with pytest.raises(EngineUnavailable, match="burst"):
            await answer(watched.engine)
        watched.engine.restart()
        await watched.until(lambda status: status.state == "ready")
        assert await answer(watched.engine)


async def test_loading_can_be_cancelled_and_begun_again(home: Directories, devstral_shaped: Path) -> None:
    async with managed(home, devstral_shaped) as watched:
        await watched.until(lambda status: status.state == "starting")
        watched.engine.halt()
        status = await watched.until(lambda status: status.state == "failed")
        assert status.message == "loading was cancelled"
        with pytest.raises(EngineError, match="cancelled"):
            await answer(watched.engine)
        assert not rendezvous.engines(home)
        watched.engine.restart()
        assert (await watched.until(lambda status: status.state == "ready")).settled
        watched.engine.halt()  # nothing loads any more
        assert await answer(watched.engine)


async def test_another_latency_budget_keeps_the_engine_and_its_connection(
    home: Directories, devstral_shaped: Path
) -> None:
    async with managed(home, devstral_shaped) as watched:
        await watched.until(lambda status: status.state == "ready")
        n_said = len(watched.said)
        options = EngineOptions(model=str(devstral_shaped), slots=2, context_tokens=512, latency_budget_ms=5000)
        watched.engine.reconfigure(options)
        assert watched.engine.model is not None
        assert await answer(watched.engine)
        assert {status.state for status in watched.said[n_said:]} <= {"ready", "generating"}


async def test_restart_replaces_the_process(home: Directories, devstral_shaped: Path) -> None:
    async with managed(home, devstral_shaped) as watched, managed(home, devstral_shaped) as other:
        await watched.engine.ready()
        await other.engine.ready()
        pid = running_pid(home)
        watched.engine.restart()
        for each in (watched, other):
            await each.until(lambda status: status.state == "ready" and str(pid) not in (status.engine or ""))
            assert await answer(each.engine)
        assert running_pid(home) != pid


async def test_another_model_takes_the_place_of_the_first(
    home: Directories, devstral_shaped: Path, tmp_path: Path
) -> None:
    second = gguf_files.write_qwen_fim(tmp_path / "second.gguf")
    async with managed(home, devstral_shaped) as watched:
        await watched.engine.ready()
        watched.engine.reconfigure(replace(watched.engine._options, model=str(second)))
        await watched.until(lambda status: status.state == "ready" and status.model == "second")
        assert [state.model for state in rendezvous.engines(home)] == ["second"]
        assert await answer(watched.engine)


async def test_a_runtime_folder_that_cannot_be_used(home: Directories, devstral_shaped: Path) -> None:
    home.runtime.write_text("a file")
    async with managed(home, devstral_shaped) as watched:
        status = await watched.engine.ready()
        assert status.state == "failed"
        assert "DEVSTRAL_LS_RUNTIME_DIR" in (status.hint or "")
        home.runtime.unlink()


async def test_the_engine_stays_when_the_server_goes(home: Directories, devstral_shaped: Path) -> None:
    async with managed(home, devstral_shaped) as watched:
        await watched.engine.ready()
    pid = running_pid(home)
    async with managed(home, devstral_shaped) as watched:
        await watched.engine.ready()
        assert running_pid(home) == pid


def calibrated(watched: Watched, decode_ms: float, layouts: tuple[str, ...] = ("left-to-right",)) -> None:
    """Write a calibration for the engine, as if it had been measured."""
    subject = watched.engine.subject
    assert subject is not None
    result = {"layouts": layouts, "batch_ms": 1, "token_ms": 1, "decode_ms": decode_ms, "first_line_tokens": 10}
    subject.file.parent.mkdir(parents=True, exist_ok=True)
    subject.file.write_text(json.dumps({"version": 1, "result": result}))


async def test_a_calibration_sets_layout_budget_and_caps(home: Directories, devstral_shaped: Path) -> None:
    async with managed(home, devstral_shaped, context_tokens=2048) as watched:
        await watched.engine.ready()
        before = watched.engine.model
        calibrated(watched, decode_ms=40)
        watched.engine.recalibrated()
        after = watched.engine.model
        assert before is not None
        assert after is not None
        assert before.layouts[0] == "chat-prefill"
        assert after.layouts == ("left-to-right", *(row for row in before.layouts if row != "left-to-right"))
        assert after.lines_tokens == 150
        assert watched.engine.status.state == "ready"
    async with managed(home, devstral_shaped, context_tokens=2048, latency_budget_ms=300) as watched:
        await watched.engine.ready()
        again = watched.engine.model
        assert again is not None
        assert again.layouts == after.layouts  # read from the disk
        assert again.lines_tokens == 75


async def test_an_engine_too_slow_to_suggest_by_itself_says_so_and_answers(
    home: Directories, devstral_shaped: Path
) -> None:
    async with managed(home, devstral_shaped) as watched:
        await watched.engine.ready()
        calibrated(watched, decode_ms=900)
        watched.engine.recalibrated()
        status = watched.engine.status
        assert (status.state, status.settled) == ("slow", True)
        assert "too slow" in (status.message or "")
        assert "smaller model" in (status.hint or "")
        assert watched.engine.model is not None
        assert watched.engine.model.slow
        assert await answer(watched.engine)
        assert watched.engine.status == status
        calibrated(watched, decode_ms=10)
        watched.engine.recalibrated()
        assert watched.engine.status.state == "ready"
        assert watched.engine.status.hint is None


async def test_a_calibration_shows_while_it_runs(home: Directories, devstral_shaped: Path) -> None:
    async with managed(home, devstral_shaped) as watched:
        watched.engine.calibrating(True)  # no engine yet: nothing to say
        watched.engine.calibrating(False)
        assert watched.engine.subject is None
        await watched.engine.ready()
        watched.engine.calibrating(True)
        assert (watched.engine.status.state, watched.engine.status.settled) == ("calibrating", True)
        assert await answer(watched.engine)  # its own generations are not shown
        assert watched.said[-1].state == "calibrating"
        watched.engine.calibrating(False)
        assert watched.engine.status.state == "ready"


async def test_the_next_start_takes_the_batch_that_was_calibrated(home: Directories, devstral_shaped: Path) -> None:
    async with managed(home, devstral_shaped) as watched:
        await watched.engine.ready()
        calibrated(watched, decode_ms=10)
    rendezvous.stop(home)
    async with managed(home, devstral_shaped) as watched:
        await watched.engine.ready()
        assert [state.batch for state in rendezvous.engines(home)] == [148]  # 1 ms and 1 ms a token: 149 in 150 ms


async def test_one_that_is_stopped_while_somebody_waits_is_ended_soon(home: Directories, devstral_shaped: Path) -> None:
    """By its process, long before its silence would tell."""
    policy = replace(SOON, silence=PATIENCE, pulse=PATIENCE, stopped=0.2)
    async with managed(home, devstral_shaped, policy=policy) as watched:
        await watched.engine.ready()
        pid = running_pid(home)
        os.kill(pid, signal.SIGSTOP)  # before it is asked: a fast one would be through with its answer
        with pytest.raises((GenerationFailed, EngineUnavailable)):
            await asyncio.wait_for(answer(watched.engine), PATIENCE)
        await watched.until(lambda status: status.state == "ready")
        assert running_pid(home) != pid
    states = [status.state for status in watched.said]
    assert states.count("lost") == 1
    assert states[states.index("lost") + 1] == "starting"  # and not what it was before


async def test_what_the_file_of_an_engine_that_ended_says_is_not_believed(
    home: Directories, devstral_shaped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process takes its time to end, and who looks at its lock, or has just claimed it, holds it for a moment."""
    n_read = 0
    released = asyncio.Event()

    def read_old(path: Path) -> EngineState | None:
        nonlocal n_read
        n_read += 1
        if n_read == 3:
            released.set()
        return old if not released.is_set() else read_state(path)

    async with managed(home, devstral_shaped, policy=replace(SOON, first=1.0, most=1.0)) as watched:
        await watched.engine.ready()
        (state,) = rendezvous.engines(home)
        old = replace(state, pid=os.getpid())
        place = RuntimeFiles(home.runtime, state.key)
        os.kill(state.pid or 0, signal.SIGKILL)
        await watched.until(lambda status: status.state == "lost")
        with locks.try_life_lock(place.lock) as lock:  # type: ignore[union-attr]  its holder is dead
            assert lock is not None
            monkeypatch.setattr(rendezvous, "read_state", read_old)
            await asyncio.wait_for(released.wait(), PATIENCE)
        await watched.until(lambda status: status.state == "ready")
        assert running_pid(home) != os.getpid()
    assert [status.state for status in watched.said].count("lost") == 1


async def test_without_room_in_the_runtime_folder_it_waits_for_some(
    home: Directories, devstral_shaped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "write_bytes", no_room)
    async with managed(home, devstral_shaped) as watched:
        status = await watched.engine.ready()
        assert (status.state, status.message) == (
            "failed",
            f"the runtime folder {home.runtime} cannot be used: File too large",
        )
        assert "tried again by itself" in (status.hint or "")
        monkeypatch.undo()
        await watched.until(lambda status: status.state == "ready")
        assert await answer(watched.engine)


async def test_a_disk_that_fills_at_any_moment_is_one_clear_line(
    home: Directories, devstral_shaped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> object:
        monkeypatch.undo()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("devstral_ls.engine.managed.connect", full)
    async with managed(home, devstral_shaped) as watched:
        status = await watched.until(lambda status: status.state == "failed")
        assert status.message == f"the runtime folder {home.runtime} cannot be used: {os.strerror(errno.ENOSPC)}"
        await watched.until(lambda status: status.state == "ready")


async def test_a_disk_that_is_full_while_room_is_waited_for_is_one_clear_line(
    home: Directories, devstral_shaped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unusable(*_: object, **__: object) -> object:
        raise RuntimeFolderUnusable("no room")

    def full(*_: object) -> bool:
        monkeypatch.undo()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("devstral_ls.engine.managed.connect", unusable)
    monkeypatch.setattr(rendezvous, "can_join", full)
    async with managed(home, devstral_shaped) as watched:
        await watched.until(lambda status: status.message == "no room")
        status = await watched.until(lambda status: status.message != "no room")
        assert status.message == f"the runtime folder {home.runtime} cannot be used: {os.strerror(errno.ENOSPC)}"
        await watched.until(lambda status: status.state == "ready")
