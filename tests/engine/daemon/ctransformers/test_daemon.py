"""The daemon with ctransformers: which files it gets, that it answers as with llama.cpp, and what its death costs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devstral_ls.engine import rendezvous
from devstral_ls.engine.connection import Connection, connect
from devstral_ls.engine.daemon.backend_engine import BackendEngine
from devstral_ls.engine.daemon.backends.table import backend_for, backend_of
from devstral_ls.engine.managed import ManagedEngine
from devstral_ls.engine.restart_policy import RestartPolicy
from devstral_ls.engine.runtime_dir import RuntimeFiles
from devstral_ls.engine.spec import EngineOptions, EngineSpec, spec_of
from devstral_ls.engine.status import EngineStatus
from devstral_ls.errors import GenerationFailed, ModelCorrupt, ModelUnsupported, PromptTooLong
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, Text
from devstral_ls.platform.paths import Directories
from devstral_ls.testing import gguf_files


def spec(home: Directories, model: Path, backend: str = "ctransformers", **more: float) -> EngineSpec:
    return spec_of(model, model.stem, EngineOptions(context_tokens=512, backend=backend, **more), home)  # type: ignore[arg-type]


@asynccontextmanager
async def running(home: Directories, model: Path, backend: str = "ctransformers") -> AsyncIterator[Connection]:
    connection = await connect(spec(home, model, backend), home)
    try:
        yield connection
    finally:
        await connection.aclose()


async def answer(engine: Connection, text: str, max_tokens: int = 8, begins_with: str = "") -> list[Chunk]:
    request = GenerationRequest((Text(text),), max_tokens, begins_with=begins_with)
    async with engine.client.generate(request) as chunks:
        return [chunk async for chunk in chunks]


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


def test_auto_prefers_llama_cpp(home: Directories, spm: Path) -> None:
    auto = spec(home, spm, "auto")
    assert backend_of(auto, lambda name: True) == "llama.cpp"
    assert backend_of(auto, lambda name: name == "ctransformers") == "ctransformers"
    assert backend_of(auto, lambda name: False) == "llama.cpp"
    assert backend_of(spec(home, spm), lambda name: True) == "ctransformers"


def test_a_file_that_only_llama_cpp_can_run_stays_there(home: Directories, devstral_shaped: Path) -> None:
    assert backend_of(spec(home, devstral_shaped, "auto"), lambda name: name == "ctransformers") == "llama.cpp"


@pytest.mark.parametrize("architecture", ["llama", "mistral3"])
async def test_devstral_is_refused_with_the_library_that_can(
    architecture: str, home: Directories, tmp_path: Path
) -> None:
    path = gguf_files.write_devstral_shaped(tmp_path / "m.gguf", architecture)
    with pytest.raises(ModelUnsupported, match="ctransformers cannot run") as caught:
        await rendezvous.join(spec(home, path), home)
    assert '"llama.cpp"' in caught.value.hint


async def test_it_answers_as_llama_cpp_does(home: Directories, spm: Path) -> None:
    async with running(home, spm) as engine:
        assert await engine.client.health()
        assert (engine.state.slots, engine.state.context_tokens, engine.state.batch) == (1, 512, 256)
        assert "ctransformers" in engine.state.versions
        chunks = await answer(engine, "def f():\n    return")
        assert chunks[-1].finish is FinishReason.LENGTH
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.generated_tokens == 8
        here = text_of(chunks)
    async with running(home, spm, "llama.cpp") as other:
        assert here == text_of(await answer(other, "def f():\n    return"))


async def test_its_ids_are_those_of_llama_cpp(home: Directories, spm: Path) -> None:
    ids = []
    for name in ("ctransformers", "llama.cpp"):
        RuntimeFiles(home.runtime, spec(home, spm, name).key).prepare()
        backend = backend_for(spec(home, spm, name), home.runtime)
        await backend.start()
        ids.append(await BackendEngine(backend).ids((Text("def f():\n    return é"),)))
        await backend.stop()
    assert ids[0] == ids[1]


@pytest.mark.parametrize("beginning", ["return", 'é漢😀"\\\n'])
async def test_the_answer_begins_as_it_must(beginning: str, home: Directories, spm: Path) -> None:
    async with running(home, spm) as engine:
        assert text_of(await answer(engine, "x", 40, begins_with=beginning)).startswith(beginning)


async def test_a_prompt_that_is_too_long(home: Directories, spm: Path) -> None:
    async with running(home, spm) as engine:
        with pytest.raises(PromptTooLong):
            await answer(engine, "=" * 520)


async def test_leaving_frees_it_for_the_next(home: Directories, spm: Path) -> None:
    async with running(home, spm) as engine:
        async with engine.client.generate(GenerationRequest((Text("x"),), 400)) as chunks:
            await anext(chunks)
        assert len(text_of(await asyncio.wait_for(answer(engine, "y", 4), 10))) > 0


async def test_a_file_that_breaks_off_is_refused(home: Directories, tmp_path: Path) -> None:
    path = gguf_files.truncated(gguf_files.write_spm_llama(tmp_path / "m.gguf"), 1000)
    with pytest.raises(ModelCorrupt):
        await rendezvous.join(spec(home, path), home)


async def test_it_leaves_when_no_client_is_there(home: Directories, spm: Path) -> None:
    await rendezvous.join(spec(home, spm, idle_minutes=0.002), home)
    async with asyncio.timeout(20):
        while rendezvous.engines(home):  # noqa: ASYNC110  another process leaves
            await asyncio.sleep(0.02)


async def test_a_crash_costs_one_answer(home: Directories, spm: Path) -> None:
    news = asyncio.Event()
    options = EngineOptions(str(spm), context_tokens=512, backend="ctransformers")
    engine = ManagedEngine(options, home, lambda status: news.set(), policy=RestartPolicy(0.05, 0.01, 0.05))
    engine.start()

    async def until(wanted: Callable[[EngineStatus], bool]) -> None:
        async with asyncio.timeout(30):
            while not wanted(engine.status):
                news.clear()
                await news.wait()

    assert (await engine.ready()).state == "ready"
    assert "ctransformers" in (engine.status.engine or "")
    (state,) = rendezvous.engines(home)
    assert state.pid is not None
    with pytest.raises(GenerationFailed):
        await _killed_in_the_middle(engine, state.pid)
    await until(lambda status: status.state == "lost")
    await until(lambda status: status.state == "ready")
    with engine.using() as client:
        async with client.generate(GenerationRequest((Text("x"),), 4)) as chunks:
            assert [chunk async for chunk in chunks]
    await engine.aclose()


async def _killed_in_the_middle(engine: ManagedEngine, pid: int) -> None:
    with engine.using() as client:
        async with client.generate(GenerationRequest((Text("x"),), 400)) as chunks:
            await anext(chunks)
            os.kill(pid, signal.SIGSEGV)
            async for _ in chunks:
                pass
