"""Real engine processes: found, started once, left, stopped, and cleaned up after."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import devstral_ls
from devstral_ls.engine import rendezvous
from devstral_ls.engine.client import EngineClient
from devstral_ls.engine.rendezvous import Joined, join
from devstral_ls.engine.runtime_dir import RuntimeFiles
from devstral_ls.engine.spec import EngineOptions, EngineSpec, spec_of
from devstral_ls.engine.state import EngineState, write_private, write_state
from devstral_ls.errors import (
    EngineUnavailable,
    ModelCorrupt,
    ModelError,
    ModelLoadFailed,
    ModelNotFound,
    ModelTooBig,
    RuntimeFolderUnusable,
)
from devstral_ls.generation import ModelInfo
from devstral_ls.platform import locks, processes
from devstral_ls.platform.paths import Directories
from devstral_ls.testing import gguf_files

PATIENCE = 30.0
"""Seconds after which a test gives up; none waits for so long when all is well."""

ONE_SERVER = """
import asyncio, json, sys
from pathlib import Path
from devstral_ls.platform.paths import Directories
from devstral_ls.engine.spec import EngineOptions
from devstral_ls.engine.switch import ConfiguredEngine
from devstral_ls.generation import GenerationRequest, Text

async def main(folder, model, number):
    home = Directories(folder / "data", folder / "run", folder / "settings.toml")
    engine = ConfiguredEngine(EngineOptions(model=model), home)
    engine.start()
    status = await engine.ready()
    async with engine.generate(GenerationRequest((Text(f"def f{number}(x):"),), max_tokens=8)) as chunks:
        answer = "".join([chunk.text async for chunk in chunks])
    print(json.dumps([status.engine, answer]))
    await engine.aclose()

asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
"""


def no_room(path: Path, data: bytes) -> int:
    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))


def wish(home: Directories, model: Path, **options: object) -> EngineSpec:
    return spec_of(model, model.stem, EngineOptions(**{"slots": 2, "context_tokens": 512, **options}), home)  # type: ignore[arg-type]


async def joined(home: Directories, model: Path, **options: object) -> Joined:
    return await asyncio.wait_for(join(wish(home, model, **options), home), PATIENCE)


async def gone(place: RuntimeFiles) -> None:
    """Wait until no process holds the engine's lock."""
    async with asyncio.timeout(PATIENCE):
        while locks.is_held(place.lock):  # noqa: ASYNC110  another process lets it go
            await asyncio.sleep(0.02)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


async def test_eight_servers_at_once_have_one_engine(home: Directories, devstral_shaped: Path) -> None:
    root = Path(devstral_ls.__file__).parent.parent
    command = [sys.executable, "-c", ONE_SERVER, str(home.runtime.parent), str(devstral_shaped)]
    servers = [
        await asyncio.create_subprocess_exec(*command, str(number), cwd=root, stdout=subprocess.PIPE)
        for number in range(8)
    ]
    async with asyncio.timeout(PATIENCE * 2):
        outputs = [(await server.communicate())[0] for server in servers]
    engines, answers = zip(*map(json.loads, outputs), strict=True)
    assert len(set(engines)) == 1
    assert all(len(answer) >= 8 for answer in answers)
    assert len(rendezvous.engines(home)) == 1


async def test_only_the_user_can_get_at_it(home: Directories, devstral_shaped: Path) -> None:
    home.runtime.mkdir(mode=0o755)
    engine = await joined(home, devstral_shaped)
    assert mode(home.runtime) == 0o700
    assert {path.suffix for path in home.runtime.iterdir()} == {*(".sock", ".json", ".key", ".lock", ".log", ".spec")}
    assert {mode(path) for path in home.runtime.iterdir()} == {0o600}
    assert len(engine.endpoint.api_key) >= 32
    assert engine.endpoint.api_key not in engine.files.state.read_text()
    assert os.getsid(engine.state.pid or 0) != os.getsid(0), "it must not die with the editor's terminal"


@asynccontextmanager
async def attached(engine: Joined) -> AsyncIterator[None]:
    """A client, as long as the block lasts."""
    client = EngineClient(engine.endpoint, ModelInfo("m", "plain", ("left-to-right",), 512, 100, None))
    attachment = await client.attach(lambda prefill, decode: None)
    try:
        yield
    finally:
        await attachment.close()
        await client.aclose()


async def test_an_engine_without_clients_leaves_and_takes_its_files_along(
    home: Directories, devstral_shaped: Path
) -> None:
    engine = await joined(home, devstral_shaped, idle_minutes=0.005)
    async with attached(engine):
        await asyncio.sleep(0.6)
        assert engine.alive, "it must stay while a client is attached"
    await gone(engine.files)
    left = {path.suffix for path in home.runtime.iterdir()}
    assert left == {".lock", ".log"}


async def test_a_client_that_was_killed_does_not_keep_the_engine(home: Directories, devstral_shaped: Path) -> None:
    program = """
import asyncio, sys
from devstral_ls.engine.client import EngineClient
from devstral_ls.engine.endpoint import Endpoint
async def main():
    client = EngineClient(Endpoint(sys.argv[1], sys.argv[2]), None)
    attachment = await client.attach(lambda prefill, decode: None)
    print("attached", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    engine = await joined(home, devstral_shaped, idle_minutes=0.005)
    arguments = (engine.endpoint.address, engine.endpoint.api_key)
    root = Path(devstral_ls.__file__).parent.parent
    async with attached(engine):
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, *arguments, cwd=root, stdout=subprocess.PIPE
        )
        assert client.stdout is not None
        assert await asyncio.wait_for(client.stdout.readline(), PATIENCE) == b"attached\n"
    assert engine.alive
    client.kill()
    await client.wait()
    await gone(engine.files)


async def test_an_engine_whose_socket_is_removed_leaves(home: Directories, devstral_shaped: Path) -> None:
    engine = await joined(home, devstral_shaped, idle_minutes=0.001)
    engine.files.socket.unlink()
    await gone(engine.files)


async def test_joining_while_it_leaves_gives_another(home: Directories, devstral_shaped: Path) -> None:
    for _ in range(3):
        await joined(home, devstral_shaped, idle_minutes=0.0)
        assert len(rendezvous.engines(home)) <= 1


async def test_what_a_killed_engine_left_behind_is_no_obstacle(home: Directories, devstral_shaped: Path) -> None:
    first = await joined(home, devstral_shaped)
    assert first.state.pid is not None
    os.kill(first.state.pid, signal.SIGKILL)
    await gone(first.files)
    assert first.files.socket.exists()
    assert not first.alive
    second = await joined(home, devstral_shaped)
    assert second.alive
    assert second.state.pid != first.state.pid
    assert second.endpoint.api_key != first.endpoint.api_key


async def test_strange_files_in_its_place_are_no_obstacle(home: Directories, devstral_shaped: Path) -> None:
    place = RuntimeFiles(home.runtime, wish(home, devstral_shaped).key)
    place.prepare()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(place.socket))
    place.state.write_text("{nonsense")
    place.api_key.write_text("old")
    engine = await joined(home, devstral_shaped)
    assert engine.alive


async def test_the_state_of_a_dead_engine_is_not_believed(home: Directories, devstral_shaped: Path) -> None:
    spec = wish(home, devstral_shaped)
    place = RuntimeFiles(home.runtime, spec.key)
    place.prepare()
    dead = EngineState("old", spec.key, "failed", "m", "p", pid=1 << 22, message="long ago", code="model-corrupt")
    write_state(place.state, dead)
    engine = await joined(home, devstral_shaped)
    assert engine.alive


async def test_a_runtime_folder_too_long_for_a_socket(home: Directories, devstral_shaped: Path) -> None:
    long = replace(home, runtime=home.runtime / ("long" * 30))
    engine = await joined(long, devstral_shaped)
    try:
        assert engine.files.socket.parent != long.runtime
        assert mode(engine.files.socket.parent) == 0o700
        assert len(os.fsencode(engine.files.socket)) <= 100
    finally:
        rendezvous.stop(long)
        engine.files.socket.parent.rmdir()


async def test_a_folder_of_another_user_is_refused(
    home: Directories, devstral_shaped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.runtime.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(EngineUnavailable, match="another user") as caught:
        await joined(home, devstral_shaped)
    assert "DEVSTRAL_LS_RUNTIME_DIR" in caught.value.hint


async def test_a_link_in_place_of_the_folder_is_refused(home: Directories, devstral_shaped: Path) -> None:
    (home.runtime.parent / "elsewhere").mkdir()
    home.runtime.symlink_to(home.runtime.parent / "elsewhere")
    with pytest.raises(EngineUnavailable, match="not a folder"):
        await joined(home, devstral_shaped)


@pytest.mark.parametrize("when", ["before", "while loading"])
async def test_a_model_that_does_not_load_says_why(when: str, home: Directories, tmp_path: Path) -> None:
    path = gguf_files.write_devstral_shaped(tmp_path / "m.gguf")
    if when == "before":
        gguf_files.truncated(path, 5000)
        with pytest.raises(ModelCorrupt) as caught:
            await joined(home, path)
    else:
        path = gguf_files.write_header(tmp_path / "n.gguf", {})
        with pytest.raises(ModelError) as caught:
            await joined(home, path)
    assert "\n" not in caught.value.message
    assert "died" not in caught.value.message
    assert caught.value.hint
    assert not rendezvous.engines(home)


async def test_a_failure_is_told_to_all_who_wait(home: Directories, tmp_path: Path) -> None:
    path = gguf_files.truncated(gguf_files.write_devstral_shaped(tmp_path / "m.gguf"), 5000)
    answers = await asyncio.gather(*(joined(home, path) for _ in range(4)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {ModelCorrupt}


async def test_an_engine_that_dies_over_its_model_says_so(home: Directories, tiny_model: Path) -> None:
    def kill(state: EngineState) -> None:
        if state.phase == "loading" and state.pid is not None:
            os.kill(state.pid, signal.SIGKILL)

    with pytest.raises(ModelLoadFailed, match="died while it loaded"):
        await asyncio.wait_for(join(wish(home, tiny_model), home, kill), PATIENCE)


async def test_a_second_host_leaves_at_once(home: Directories, devstral_shaped: Path) -> None:
    engine = await joined(home, devstral_shaped)
    command = [sys.executable, "-m", "devstral_ls.engine.daemon", "--spec", str(engine.files.spec)]
    process = await asyncio.create_subprocess_exec(*command)
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    assert engine.alive


async def test_a_model_that_does_not_fit(home: Directories, tmp_path: Path) -> None:
    path = gguf_files.write_devstral_shaped(tmp_path / "m.gguf", context_length=10**9)
    with pytest.raises(ModelTooBig) as caught:
        await joined(home, path, context_tokens=10**9)
    assert "GB" in caught.value.message


async def test_no_such_model(home: Directories, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        wish(home, tmp_path / "none.gguf")


async def test_stop_and_status(home: Directories, devstral_shaped: Path) -> None:
    assert rendezvous.engines(home) == []
    assert rendezvous.stop(home) == 0
    engine = await joined(home, devstral_shaped)
    (state,) = rendezvous.engines(home)
    assert (state.phase, state.slots, state.context_tokens) == ("ready", 2, 512)
    with engine.files.log.open("a") as log:
        log.write("0.02.526.429 W srv          stop: cancel task, id_task = 0\n\n")
    assert rendezvous.log_tail(home).endswith(f" ready: {state.model}, 2 slots of 512 tokens, process {state.pid}")
    assert rendezvous.stop(home) == 1
    assert not engine.alive
    assert rendezvous.engines(home) == []


async def test_an_engine_in_use_is_not_stopped_as_unused(home: Directories, devstral_shaped: Path) -> None:
    engine = await joined(home, devstral_shaped)
    async with attached(engine):
        await rendezvous.stop_unused(home, engine.files.key)
        assert engine.alive
    await rendezvous.stop_unused(home, "another")
    assert engine.alive
    await rendezvous.stop_unused(home, engine.files.key)
    assert not engine.alive


async def test_other_options_are_another_engine(home: Directories, devstral_shaped: Path) -> None:
    one, same, other = [await joined(home, devstral_shaped, slots=slots) for slots in (2, 2, 1)]
    assert one.state.pid == same.state.pid != other.state.pid


async def test_the_daemon_imports_nothing_of_the_server() -> None:
    program = "import sys, devstral_ls.engine.daemon.lifecycle; print(*sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=subprocess.PIPE)
    modules = set((await process.communicate())[0].decode().split())
    assert not modules & {"pygls", "lsprotocol", "tree_sitter", "httpx", "xllamacpp", "ctransformers"}


async def test_a_folder_without_room_is_one_clear_line_and_holds_nothing(
    home: Directories, devstral_shaped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "write_bytes", no_room)
    spec = wish(home, devstral_shaped)
    with pytest.raises(RuntimeFolderUnusable, match=r"the runtime folder .* cannot be used: "):
        await join(spec, home)
    assert not rendezvous.can_join(home, spec.key)
    assert not locks.is_held(RuntimeFiles(home.runtime, spec.key).lock)  # whoever has room may start one
    monkeypatch.undo()
    assert rendezvous.can_join(home, spec.key)
    await joined(home, devstral_shaped)


async def test_an_engine_that_runs_can_be_joined_without_room(
    home: Directories, devstral_shaped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await joined(home, devstral_shaped)
    monkeypatch.setattr(Path, "write_bytes", no_room)
    await joined(home, devstral_shaped)


def test_a_file_that_cannot_be_replaced_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_private(tmp_path / "state", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_zombie_does_not_live() -> None:
    """Another server has claimed the lock, and the state file is still that of the engine that was killed."""
    dead = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert processes.lives(dead.pid)
    dead.kill()
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
    assert not processes.lives(dead.pid)
    dead.communicate()


async def test_an_engine_whose_folder_was_made_anew_leaves_and_touches_nothing(
    home: Directories, devstral_shaped: Path
) -> None:
    """What stands in the place of its files is another engine's by then."""
    engine = await joined(home, devstral_shaped)
    place, pid = engine.files, engine.state.pid
    shutil.rmtree(home.runtime)
    place.prepare()
    with locks.try_life_lock(place.lock) as held:  # type: ignore[union-attr]  nobody has it yet
        for path in (place.socket, place.state, place.api_key, place.spec):
            path.write_text("of the next one")
        async with asyncio.timeout(PATIENCE):
            while processes.lives(pid):  # noqa: ASYNC110  another process ends
                await asyncio.sleep(0.02)
        assert held.is_at(place.lock)
        assert [path.read_text() for path in (place.socket, place.state, place.api_key, place.spec)] == [
            "of the next one"
        ] * 4
    place.clear()


async def test_one_that_is_stopped_while_it_loads_is_ended(
    home: Directories, devstral_shaped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendezvous, "_STOPPED_SECONDS", 0.1)
    spec = wish(home, devstral_shaped)
    place = RuntimeFiles(home.runtime, spec.key)
    place.prepare()
    lock = locks.try_life_lock(place.lock)
    assert lock is not None
    waits = (sys.executable, "-c", "import signal; signal.pause()")
    stopped = await asyncio.create_subprocess_exec(*waits, pass_fds=(lock.descriptor,))
    lock.close()
    write_state(place.state, EngineState("n", spec.key, "loading", "m", "p", pid=stopped.pid))
    stopped.send_signal(signal.SIGSTOP)
    with pytest.raises(EngineUnavailable, match="was stopped while it loaded, and was ended"):
        await joined(home, devstral_shaped)
    assert await asyncio.wait_for(stopped.wait(), PATIENCE) == -signal.SIGKILL
    await joined(home, devstral_shaped)


def test_how_long_a_process_is_stopped_begins_anew_when_it_ran() -> None:
    now = 100.0
    stopped = processes.StoppedClock(lambda: now)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert stopped.seconds(process.pid) == 0
        for _ in range(2):
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            assert stopped.seconds(process.pid) == 0
            now += 7
            assert stopped.seconds(process.pid) == 7
            process.send_signal(signal.SIGCONT)
            os.waitid(os.P_PID, process.pid, os.WCONTINUED)
            assert stopped.seconds(process.pid) == 0
        process.communicate()
    assert stopped.seconds(process.pid) == 0
    assert stopped.seconds(None) == 0


async def test_the_engine_of_another_version_is_left_alone(home: Directories, devstral_shaped: Path) -> None:
    """It has other names in the same folder, speaks another API, and leaves by itself."""
    spec = wish(home, devstral_shaped)
    RuntimeFiles(home.runtime, spec.key).prepare()
    old = {home.runtime / f"engine-v1-{spec.key}.{end}": end for end in ("sock", "json", "key", "lock", "clients")}
    for path, text in old.items():
        path.write_text(text)
    lock = next(path for path in old if path.suffix == ".lock")
    with locks.try_life_lock(lock) as held:  # type: ignore[union-attr]  as the old engine holds it
        engine = await joined(home, devstral_shaped)
        assert engine.alive
        assert [state.nonce for state in rendezvous.engines(home)] == [engine.state.nonce]
        await rendezvous.stop_unused(home)
        assert rendezvous.stop(home) == 0
        assert held.is_at(lock)
    assert {path: path.read_text() for path in old} == old


async def test_a_loading_engine_can_be_stopped_and_a_waiting_server_starts_it_again(
    home: Directories, devstral_shaped: Path
) -> None:
    spec = wish(home, devstral_shaped)
    place = RuntimeFiles(home.runtime, spec.key)
    place.prepare()
    lock = locks.try_life_lock(place.lock)
    assert lock is not None
    waits = (sys.executable, "-c", "import signal; signal.pause()")
    loading = await asyncio.create_subprocess_exec(*waits, pass_fds=(lock.descriptor,))
    lock.close()
    write_state(place.state, EngineState("n", spec.key, "loading", "m", "p", pid=loading.pid))
    seen = asyncio.Event()
    waiting = asyncio.create_task(join(spec, home, lambda state: seen.set()))
    await asyncio.wait_for(seen.wait(), PATIENCE)
    await rendezvous.stop_unused(home, spec.key)
    assert await asyncio.wait_for(loading.wait(), PATIENCE) == -signal.SIGTERM
    assert (await asyncio.wait_for(waiting, PATIENCE)).alive
