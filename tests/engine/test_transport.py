"""The ways of Windows, run here: loopback with a key, a host that takes its lock itself, and how its process starts."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import devstral_ls
from devstral_ls.engine import rendezvous, start
from devstral_ls.engine.client import EngineClient
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.rendezvous import join
from devstral_ls.engine.runtime_dir import TRANSPORT, RuntimeFiles, uses_tcp
from devstral_ls.engine.spec import EngineOptions, EngineSpec, spec_of
from devstral_ls.engine.switch import ConfiguredEngine
from devstral_ls.errors import EngineUnavailable, ModelCorrupt
from devstral_ls.generation import GenerationRequest, ModelInfo, Text
from devstral_ls.platform import locks
from devstral_ls.platform.paths import Directories
from devstral_ls.testing import gguf_files

PATIENCE = 30.0


@pytest.fixture(params=["handed over", "taken by the daemon"])
def tcp(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(TRANSPORT, "tcp")
    if request.param != "handed over":
        monkeypatch.setattr(locks, "CAN_HAND_OVER", False)
    yield
    for process in start._started:
        process.wait(PATIENCE)
    start._started.clear()


@pytest.fixture(autouse=True)
def stopped(tcp: None, home: Directories) -> Iterator[None]:
    yield
    rendezvous.stop(home)


def wish(home: Directories, model: Path) -> EngineSpec:
    return spec_of(model, model.stem, EngineOptions(slots=2, context_tokens=512), home)


async def test_from_start_to_answer_on_loopback(home: Directories, devstral_shaped: Path) -> None:
    engine = ConfiguredEngine(EngineOptions(model=str(devstral_shaped), slots=2, context_tokens=512), home)
    engine.start()
    assert (await asyncio.wait_for(engine.ready(), PATIENCE)).state == "ready"
    (state,) = rendezvous.engines(home)
    assert (state.address or "").startswith("http://127.0.0.1:")
    async with engine.generate(GenerationRequest((Text("def f():"),), 8)) as chunks:
        assert len("".join([chunk.text async for chunk in chunks])) >= 8
    await engine.aclose()
    assert ".sock" not in {path.suffix for path in home.runtime.iterdir()}


async def test_only_a_client_with_the_key_is_answered(home: Directories, devstral_shaped: Path) -> None:
    engine = await asyncio.wait_for(join(wish(home, devstral_shaped), home), PATIENCE)
    assert len(engine.endpoint.api_key) >= 32
    model = ModelInfo("m", "plain", ("left-to-right",), 512, 100, None)
    for key in ("guess", ""):
        client = EngineClient(Endpoint(engine.endpoint.address, key), model)
        with pytest.raises(EngineUnavailable, match="key"):
            async with client.generate(GenerationRequest((Text("x"),), 4)):
                pass
        await client.aclose()


async def test_all_who_race_have_one_engine(home: Directories, devstral_shaped: Path) -> None:
    spec = wish(home, devstral_shaped)
    engines = await asyncio.wait_for(asyncio.gather(*(join(spec, home) for _ in range(6))), PATIENCE)
    assert len({engine.state.pid for engine in engines}) == 1
    await rendezvous.stop_unused(home, spec.key)
    assert not rendezvous.engines(home)


async def test_processes_that_race_have_one_engine(home: Directories, devstral_shaped: Path) -> None:
    program = """
import asyncio, sys
from pathlib import Path
from devstral_ls.platform.paths import Directories
from devstral_ls.engine import rendezvous
from devstral_ls.platform import locks
from devstral_ls.engine.spec import EngineOptions, spec_of
locks.CAN_HAND_OVER = sys.argv[3] == "True"
root, model = Path(sys.argv[1]), Path(sys.argv[2])
home = Directories(root / "data", root / "run", root / "settings.toml")
spec = spec_of(model, model.stem, EngineOptions(slots=2, context_tokens=512), home)
print(asyncio.run(rendezvous.join(spec, home)).state.pid)
"""
    command = [sys.executable, "-W", "ignore", "-c", program, str(home.runtime.parent), str(devstral_shaped)]
    command.append(str(locks.CAN_HAND_OVER))
    root = Path(devstral_ls.__file__).parent.parent
    servers = [await asyncio.create_subprocess_exec(*command, cwd=root, stdout=subprocess.PIPE) for _ in range(4)]
    async with asyncio.timeout(PATIENCE * 2):
        pids = {(await server.communicate())[0] for server in servers}
    assert len(pids) == 1


async def test_one_that_fails_says_why(home: Directories, tmp_path: Path) -> None:
    path = gguf_files.truncated(gguf_files.write_devstral_shaped(tmp_path / "m.gguf"), 5000)
    with pytest.raises(ModelCorrupt):
        await asyncio.wait_for(join(wish(home, path), home), PATIENCE)


async def test_a_host_that_does_not_start_says_so(
    home: Directories, devstral_shaped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(EngineUnavailable, match="could not be started"):
        await asyncio.wait_for(join(wish(home, devstral_shaped), home), PATIENCE)


async def test_without_its_key_file_it_leaves(home: Directories, devstral_shaped: Path) -> None:
    engine = await asyncio.wait_for(join(wish(home, devstral_shaped), home), PATIENCE)
    engine.files.api_key.unlink()
    async with asyncio.timeout(PATIENCE):
        while locks.is_held(engine.files.lock):  # noqa: ASYNC110  another process lets it go
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("in_a_job", [False, True])
def test_how_windows_starts_a_process(in_a_job: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, Any]] = []

    class Popen:
        def __init__(self, command: list[str], **options: Any) -> None:
            started.append({"command": command, **options})
            if in_a_job and len(started) == 1:
                raise PermissionError(13, "the job does not let go")

        def poll(self) -> int:
            return 0

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(locks, "CAN_HAND_OVER", False)
    monkeypatch.setattr(subprocess, "Popen", Popen)
    place = RuntimeFiles(tmp_path, "k")
    lock = locks.try_life_lock(place.lock)
    assert lock is not None
    assert start.spawn(place, "n", lock) == 0
    start._started.clear()
    assert lock.descriptor == -1, "the host could not take it"
    assert len(started) == 1 + in_a_job
    assert started[0]["creationflags"] == 0x01000208
    assert started[-1]["creationflags"] == (0x208 if in_a_job else 0x01000208)
    assert "--lock" not in started[-1]["command"]
    assert not started[-1]["start_new_session"]
    assert "pass_fds" not in started[-1]


@pytest.mark.parametrize(("value", "tcp"), [("tcp", True), ("unix", False), ("", False)])
def test_the_environment_chooses(value: str, tcp: bool) -> None:
    assert uses_tcp({TRANSPORT: value}) is tcp
