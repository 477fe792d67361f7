"""A damaged state file and a silent listener are noticed, told, and mended; ``engine stop`` says what it did."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from devstral_ls.cli import main
from devstral_ls.engine import rendezvous
from devstral_ls.engine.connection import connect
from devstral_ls.engine.rendezvous import Joined, join
from devstral_ls.engine.runtime_dir import RuntimeFiles
from devstral_ls.engine.spec import EngineOptions, EngineSpec, spec_of
from devstral_ls.engine.state import EngineState, read_state, write_private, write_state
from devstral_ls.errors import EngineUnavailable
from devstral_ls.platform import locks, processes
from devstral_ls.platform.paths import Directories

PATIENCE = 30.0

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and Unix sockets")


def wish(home: Directories, model: Path) -> EngineSpec:
    return spec_of(model, model.stem, EngineOptions(slots=2, context_tokens=512), home)


async def joined(home: Directories, model: Path) -> Joined:
    return await asyncio.wait_for(join(wish(home, model), home), PATIENCE)


def held_by(place: RuntimeFiles, *arguments: str) -> subprocess.Popen[bytes]:
    """A process that holds the life lock, and does nothing."""
    place.prepare()
    lock = locks.try_life_lock(place.lock)
    assert lock is not None
    code = "import signal; signal.pause()"
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], pass_fds=(lock.descriptor,))
    lock.close()
    return process


@pytest.mark.parametrize(
    "damage", ["", "{nonsense", "[]", '{"nonce": 5, "key": "k", "phase": "ready", "model": "m", "path": "p"}']
)
async def test_a_daemon_mends_its_state_file(damage: str, home: Directories, devstral_shaped: Path) -> None:
    engine = await joined(home, devstral_shaped)
    write_private(engine.files.state, damage)
    again = await asyncio.wait_for(join(wish(home, devstral_shaped), home), 10)
    assert again.state == engine.state
    assert [state.pid for state in rendezvous.engines(home)] == [engine.state.pid]


@pytest.mark.parametrize("damage", ["no words", "of a process that is gone", "of another type"])
async def test_a_damaged_state_that_is_not_mended_is_told(
    damage: str, home: Directories, devstral_shaped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rendezvous._PUZZLED_SECONDS < 10
    monkeypatch.setattr(rendezvous, "_PUZZLED_SECONDS", 0.2)
    spec = wish(home, devstral_shaped)
    place = RuntimeFiles(home.runtime, spec.key)
    process = held_by(place)
    dead = EngineState("n", spec.key, "ready", "m", "p", pid=1 << 22)
    if damage == "no words":
        write_private(place.state, "\0\0\0")
    else:
        write_state(place.state, dead if "gone" in damage else replace(dead, pid="seven"))  # type: ignore[arg-type]
    with pytest.raises(EngineUnavailable, match="state file is damaged") as caught:
        await joined(home, devstral_shaped)
    assert "engine stop" in caught.value.hint
    assert process.poll() is None, "what cannot be told to be a daemon is left alone"
    process.kill()
    process.wait()
    await joined(home, devstral_shaped)


async def test_a_listener_in_the_place_of_the_daemons_socket_is_replaced(
    home: Directories, devstral_shaped: Path
) -> None:
    engine = await joined(home, devstral_shaped)
    engine.files.socket.unlink()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(engine.files.socket))
        silent.listen()
        async with asyncio.timeout(PATIENCE):
            while processes.lives(engine.state.pid):  # noqa: ASYNC110  another process ends
                await asyncio.sleep(0.02)
        connection = await asyncio.wait_for(connect(wish(home, devstral_shaped), home), PATIENCE)
    assert connection.state.pid != engine.state.pid
    await connection.aclose()


async def test_a_daemon_that_does_nothing_is_ended_and_replaced_within_ten_seconds(
    home: Directories, devstral_shaped: Path
) -> None:
    engine = await joined(home, devstral_shaped)
    assert engine.state.pid is not None
    os.kill(engine.state.pid, signal.SIGSTOP)
    async with asyncio.timeout(PATIENCE):
        while not processes.is_stopped(engine.state.pid):  # noqa: ASYNC110  another process stops
            await asyncio.sleep(0.02)
    connection = await asyncio.wait_for(connect(wish(home, devstral_shaped), home), PATIENCE)
    assert not processes.lives(engine.state.pid)
    assert connection.state.pid != engine.state.pid, "another one is started"
    await connection.aclose()


async def test_a_damaged_state_has_no_other_process_ended(home: Directories, devstral_shaped: Path) -> None:
    engine = await joined(home, devstral_shaped)
    waits = (sys.executable, "-c", "import signal; signal.pause()")
    bystander = await asyncio.create_subprocess_exec(*waits)
    write_state(engine.files.state, replace(engine.state, pid=bystander.pid))
    assert [(end.pid, end.stopped) for end in await asyncio.to_thread(rendezvous.stop_each, home)] == [
        (engine.state.pid, True)
    ]
    assert bystander.returncode is None
    bystander.kill()
    await bystander.wait()


def test_stop_says_what_it_could_not_stop(
    home: Directories, devstral_shaped: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rendezvous, "_ASKED_FIRST", ((False, 0.1), (True, 0.1)))
    monkeypatch.setenv("DEVSTRAL_LS_RUNTIME_DIR", str(home.runtime))
    spec = wish(home, devstral_shaped)
    place = RuntimeFiles(home.runtime, spec.key)
    process = held_by(place)
    write_private(place.state, "damaged")
    try:
        assert main(["engine", "stop"]) == 4
        said = capsys.readouterr()
        assert said.out == "0 engines stopped.\n"
        assert "could not be stopped: the process that holds its lock cannot be found" in said.err
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_stop_finds_a_daemon_without_its_state_file(home: Directories, devstral_shaped: Path) -> None:
    spec = wish(home, devstral_shaped)
    place = RuntimeFiles(home.runtime, spec.key)
    process = held_by(place, "--spec", str(place.spec))
    write_private(place.state, "damaged")
    ends = rendezvous.stop_each(home)
    assert process.wait(PATIENCE) in (-signal.SIGTERM, -signal.SIGKILL)
    assert [(end.pid, end.stopped) for end in ends] == [(process.pid, True)]
    assert read_state(place.state) is None
