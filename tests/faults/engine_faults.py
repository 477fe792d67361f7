"""Faults of the engine and of those beside us at it: killed, stopped, out of memory, gone, slow, talking nonsense."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from devstral_ls.engine.engine_report import engine_report
from devstral_ls.engine.state import read_state
from devstral_ls.testing.gguf_files import write_devstral_shaped
from tests.engine.fake_remote import sse
from tests.faults.scripted import PATH
from tests.faults.stage import Editor, NotRecoveredError, Stage, until

CGROUP = Path("/sys/fs/cgroup/memory")
_LIMIT_BYTES = 64 << 10
RESTART = {"command": "devstral.restartEngine"}


async def _at_work(stage: Stage, editor: Editor, pid: int, sign: signal.Signals) -> asyncio.Future[object]:
    """``sign`` to the process ``pid`` at the moment at which a request of ``editor`` has the slot: that request."""
    engine = stage.engine
    while True:
        asked = editor.ask()
        while not asked.done():
            if (await engine_report(engine, stage.home)).slots_busy:
                os.kill(pid, sign)
                return asked
        await editor.text_of(asked)  # it was quicker than the look


@asynccontextmanager
async def killed(stage: Stage) -> AsyncIterator[None]:
    os.kill(stage.engine.pid or 0, signal.SIGKILL)
    yield


@asynccontextmanager
async def killed_at_work(stage: Stage) -> AsyncIterator[None]:
    asked = await _at_work(stage, stage.editor, stage.engine.pid or 0, signal.SIGKILL)
    await stage.editor.text_of(asked)
    yield


@asynccontextmanager
async def stopped(stage: Stage) -> AsyncIterator[None]:
    asked = await _at_work(stage, stage.editor, stage.engine.pid or 0, signal.SIGSTOP)
    yield
    await stage.editor.text_of(asked)


@asynccontextmanager
async def stopped_loading(stage: Stage) -> AsyncIterator[None]:
    """The engine is begun anew, and stopped before it is ready."""
    before = stage.engine.nonce
    restarted = stage.editor.client.ask("workspace/executeCommand", RESTART)
    place = stage.place
    pid = None
    while pid is None:
        await until(lambda: (now := read_state(place.state)) and now.pid and now.nonce != before, "an engine", look=0.0)
        state = read_state(place.state)
        assert state is not None
        if state.pid is None:
            continue
        pid = state.pid
        os.kill(pid, signal.SIGSTOP)
    state = read_state(place.state)
    if state is None or state.phase != "loading":
        raise NotRecoveredError(f"it was not stopped while it loaded: {state}")
    stage.now()
    await restarted
    yield


def without_cgroup() -> str:
    """Why no control group can be made here."""
    probe = CGROUP / "devstral-ls-fault"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        return f"no memory control group can be made ({error.strerror}); the kernel's kill is that of `engine-killed`"
    return ""


@asynccontextmanager
async def out_of_memory(stage: Stage) -> AsyncIterator[None]:
    """The engine in a control group that may have next to nothing more: the kernel ends it as soon as it wants some."""
    group = CGROUP / f"devstral-ls-fault-{os.getpid()}"
    group.mkdir()
    members = group / "cgroup.procs"
    try:
        (group / "memory.limit_in_bytes").write_text(str(_LIMIT_BYTES))
        members.write_text(str(stage.engine.pid))
        asked = [stage.editor.ask()]
        while members.read_text().split():  # each request wants a little
            await stage.editor.text_of(asked[-1])
            asked.append(stage.editor.ask())
        stage.now()
        await asyncio.gather(*map(stage.editor.text_of, asked))
        yield
    finally:
        await until(lambda: not members.read_text().split(), "an empty control group")
        group.rmdir()


@asynccontextmanager
async def too_big(stage: Stage) -> AsyncIterator[None]:
    big = write_devstral_shaped(stage.folder / "big.gguf", context_length=10**6)
    stage.write_settings(model={"name": str(big), "contextTokens": 10**6}, engine={"slots": 64})
    await stage.editor.client.request("workspace/executeCommand", RESTART)
    yield
    if await stage.editor.text_of(stage.editor.ask()):
        raise NotRecoveredError("a model that does not fit answered")
    stage.write_settings()
    stage.now()
    await stage.editor.client.request("workspace/executeCommand", RESTART)


@asynccontextmanager
async def socket_deleted(stage: Stage) -> AsyncIterator[None]:
    stage.place.socket.unlink()
    yield


@asynccontextmanager
async def backend_socket_deleted(stage: Stage) -> AsyncIterator[None]:
    stage.place.backend_socket.unlink()
    yield


@asynccontextmanager
async def folder_deleted(stage: Stage) -> AsyncIterator[None]:
    await asyncio.to_thread(shutil.rmtree, stage.home.runtime)
    yield


@asynccontextmanager
async def other_stopped(stage: Stage) -> AsyncIterator[None]:
    """Another editor's server is stopped while its request has the only slot."""
    other = stage.other = stage.other or await stage.enter()
    server = other.client.process
    assert server is not None
    asked = await _at_work(stage, other, server.pid, signal.SIGSTOP)
    stage.now()
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)
    await other.text_of(asked)
    await other.works()


@asynccontextmanager
async def other_killed(stage: Stage) -> AsyncIterator[None]:
    """Another editor's server is killed while its request has the only slot."""
    other = await stage.enter()
    server = other.client.process
    assert server is not None
    asked = await _at_work(stage, other, server.pid, signal.SIGKILL)
    stage.now()
    asked.cancel()
    yield
    await stage.leave(other)


SLOW_TOKENS: list[bytes | float] = [
    part for n in range(30) for part in (*sse({"content": f" a{n}", "stop": False}), 1.0)
]  # fmt: skip
"""One a second, for half a minute."""

SLOW_ANSWER_S = 30.0
"""A request at an engine of a token a second is answered within that, with what is there or with nothing."""


@asynccontextmanager
async def slow(stage: Stage) -> AsyncIterator[None]:
    fake, editor = stage.scripted, stage.editor
    assert fake is not None
    usual = fake.streams[PATH]
    fake.streams[PATH] = list(SLOW_TOKENS)
    try:
        for kind in (2, 1):  # by itself, and by key
            await asyncio.wait_for(editor.text_of(editor.ask(kind)), SLOW_ANSWER_S)
        left = [editor.ask(2) for _ in range(3)]  # who types on takes requests back, and is not kept waiting
        await asyncio.wait_for(asyncio.gather(*map(editor.text_of, left)), SLOW_ANSWER_S)
        yield
    finally:
        fake.streams[PATH] = usual


def garbage(
    stream: list[bytes] | None = None, junk: bytes | None = None
) -> Callable[[Stage], AbstractAsyncContextManager[None]]:
    """An engine that answers ``stream``, or ``junk`` where HTTP should be."""

    @asynccontextmanager
    async def strike(stage: Stage) -> AsyncIterator[None]:
        fake, editor = stage.scripted, stage.editor
        assert fake is not None
        usual = fake.streams[PATH]
        fake.streams[PATH], fake.junk = stream or usual, junk
        try:
            for kind in (2, 1):
                if text := await editor.text_of(editor.ask(kind)):
                    raise NotRecoveredError(f"nonsense was suggested: {text!r}")
            yield
        finally:
            fake.streams[PATH], fake.junk = usual, None

    return strike


HTML = [b"<html><body>502 Bad Gateway</body></html>\n" * 5]
BROKEN = [*sse(b'{"content": "x', b"[1, 2]", b'{"content": {"no": "text"}}', b"\xff\xfe\x00", b'{"stop": true}')]
NOT_HTTP = bytes(range(256)) * 8
