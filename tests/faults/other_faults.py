"""Faults around the server: its editor, another version, what the dead left behind, the clock, no home."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from devstral_ls.engine.state import read_state
from devstral_ls.platform import locks
from devstral_ls.platform.processes import lives
from devstral_ls.server.rpc.parent import Parent
from devstral_ls.testing.lsp_client import ROOT
from tests.faults.engine_faults import other_stopped
from tests.faults.stage import Editor, NotRecoveredError, Stage, until

GONE_S = 60.0
"""A server without its editor leaves within that on the busiest machine; how long it took is what is measured."""

CLOCK = Path(__file__).parent / "clock"
DAY_S = 86_400.0


async def _innocent() -> asyncio.subprocess.Process:
    """A process that has nothing to do with anything, until somebody ends it."""
    return await asyncio.create_subprocess_exec(sys.executable, "-c", "import signal; signal.pause()")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


@asynccontextmanager
async def stream_ends(stage: Stage) -> AsyncIterator[None]:
    """The editor's end of the pipe is closed, without `shutdown` and `exit`."""
    editor = stage.editor
    stage.now()
    editor.client.close_stdin()
    await asyncio.wait_for(editor.client.exit_code(), GONE_S)
    await _another(stage, editor)
    yield


@asynccontextmanager
async def parent_dies(stage: Stage) -> AsyncIterator[None]:
    """The process that `initialize` named is killed, while somebody else still holds the pipe."""
    parent = await _innocent()
    editor = await stage.enter(process_id=parent.pid)
    stage.editors.insert(0, stage.editors.pop())
    stage.now()
    await _end(parent)
    await asyncio.wait_for(editor.client.exit_code(), GONE_S)
    await stage.leave(editor)
    yield


async def _another(stage: Stage, editor: Editor) -> None:
    """The user starts the editor again."""
    await stage.leave(editor)
    await stage.enter(ready=False)
    stage.editors.insert(0, stage.editors.pop())


@asynccontextmanager
async def left_behind(stage: Stage) -> AsyncIterator[None]:
    """Server and engine are killed; their files stay, and the process id is somebody else's by now."""
    editor, place, engine = stage.editor, stage.place, stage.engine
    server = editor.client.process
    assert server is not None
    server.kill()
    await server.wait()
    os.kill(engine.pid or 0, signal.SIGKILL)
    await until(lambda: not locks.is_held(place.lock), "the lock given back")
    innocent = await _innocent()
    try:
        state = {**json.loads(place.state.read_text()), "pid": innocent.pid, "written-by-a-newer-version": [1]}
        place.state.write_text(json.dumps(state))
        stage.now()
        await _another(stage, editor)
        yield
        if not lives(innocent.pid) or innocent.returncode is not None:
            raise NotRecoveredError("an innocent process was ended")
    finally:
        await _end(innocent)


@asynccontextmanager
async def two_versions(stage: Stage) -> AsyncIterator[None]:
    """A server of another version of our files, with its own engine, beside ours."""
    version = {"PYTHONPATH": str(CLOCK), "DEVSTRAL_FAULT_PROTOCOL": "999"}
    other = await stage.enter("--protocol", "999", **version)
    stage.now()
    await asyncio.gather(other.works(), stage.editor.works())
    (state_file,) = stage.home.runtime.glob("engine-v999-*.json")
    state = read_state(state_file)
    if state is None or state.pid in (None, stage.engine.pid):
        raise NotRecoveredError("two versions have one engine")
    try:
        yield
    finally:
        await stage.leave(other)
        engine = Parent.find(state.pid or 0)
        os.kill(state.pid or 0, signal.SIGTERM)
        if engine is not None:
            await engine.gone(lambda _: asyncio.sleep(0.02))


def _set_clock(stage: Stage, seconds: float) -> None:
    """The clock of all processes of the stage goes on from another time, as after somebody set it."""
    file = stage.folder / "clock"
    before = float(file.read_text()) if file.exists() else 0.0
    draft = stage.folder / "clock.new"
    draft.write_text(repr(before + seconds))
    draft.replace(file)


def clock_environment(folder: Path) -> dict[str, str]:
    """What makes a process heed it."""
    return {"PYTHONPATH": str(CLOCK), "DEVSTRAL_FAULT_CLOCK": str(folder / "clock")}


@asynccontextmanager
async def clock_forward(stage: Stage) -> AsyncIterator[None]:
    _set_clock(stage, DAY_S)
    yield


@asynccontextmanager
async def clock_back(stage: Stage) -> AsyncIterator[None]:
    """While another editor's server is stopped: how long ago did it show life?"""
    async with other_stopped(stage):
        _set_clock(stage, -DAY_S)
        stage.now()
        yield


@asynccontextmanager
async def no_home(stage: Stage) -> AsyncIterator[None]:
    """Neither HOME nor the system names a home, and no folder is set."""
    nobody = {"PYTHONPATH": str(CLOCK), "DEVSTRAL_FAULT_NOBODY": "1", "XDG_RUNTIME_DIR": str(stage.folder)}
    folders = dict.fromkeys(("DEVSTRAL_LS_CONFIG", "DEVSTRAL_LS_DATA_DIR", "DEVSTRAL_LS_RUNTIME_DIR"), "")
    xdg = dict.fromkeys(("XDG_DATA_HOME", "XDG_CONFIG_HOME"), "")
    editor = await stage.enter(ready=False, **nobody, **folders, **xdg)
    status = await editor.status("absent", "failed")
    if "no home folder" not in status["message"] or "HOME" not in status["hint"]:
        raise NotRecoveredError(f"it does not say that there is no home: {status}")
    if await editor.text_of(editor.ask()) or await editor.held() != editor.text:
        raise NotRecoveredError("it does not do without a model what it does with none")
    if (ROOT / "~").exists():
        raise NotRecoveredError("a folder named ~ was made in the working folder")
    await stage.leave(editor)
    yield


async def finds_home(stage: Stage) -> None:
    """The user sets what the hint says, and starts the editor again."""
    stage.write_settings()
    editor = await stage.enter(ready=False)
    await editor.works()
