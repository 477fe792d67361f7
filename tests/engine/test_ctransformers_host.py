"""The real ctransformers, where it is installed: what it says, what it refuses, and what its death costs."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devstral_ls.engine import rendezvous
from devstral_ls.engine.backends import backend_of
from devstral_ls.engine.connection import Connection, connect
from devstral_ls.engine.managed import ManagedEngine, Patience
from devstral_ls.engine.rates import Rates
from devstral_ls.engine.spec import EngineOptions, EngineSpec, spec_of
from devstral_ls.engine.status import EngineStatus
from devstral_ls.errors import GenerationFailed, ModelCorrupt, ModelLoadFailed, ModelUnsupported, PromptTooLong
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, Text
from devstral_ls.platform.paths import Directories
from tests import gguf_files

HERE = importlib.util.find_spec("ctransformers") is not None
needed = pytest.mark.skipif(not HERE, reason="ctransformers is not installed: pip install 'devstral-ls[ctransformers]'")


@pytest.fixture(scope="session")
def spm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gguf_files.write_spm_llama(tmp_path_factory.mktemp("models") / "spm.gguf")


def spec(home: Directories, model: Path, backend: str = "ctransformers") -> EngineSpec:
    return spec_of(model, model.stem, EngineOptions(context_tokens=512, backend=backend), home)


@asynccontextmanager
async def running(home: Directories, model: Path) -> AsyncIterator[Connection]:
    found = await connect(spec(home, model), home, Rates(home.data / "rates.json"), lambda state: None)
    try:
        yield found
    finally:
        await found.aclose()


async def answer(engine: Connection, text: str, max_tokens: int = 8, **more: str) -> list[Chunk]:
    async with engine.client.generate(GenerationRequest((Text(text),), max_tokens, **more)) as chunks:  # type: ignore[arg-type]
        return [chunk async for chunk in chunks]


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


def test_auto_prefers_llama_cpp(home: Directories, spm: Path) -> None:
    asked = spec(home, spm, "auto")
    assert backend_of(asked, lambda name: True) == "llama.cpp"
    assert backend_of(asked, lambda name: name == "ctransformers") == "ctransformers"
    assert backend_of(asked, lambda name: False) == "llama.cpp"
    assert backend_of(spec(home, spm), lambda name: True) == "ctransformers"


def test_a_file_that_only_llama_cpp_can_run_stays_there(home: Directories, devstral_shaped: Path) -> None:
    assert backend_of(spec(home, devstral_shaped, "auto"), lambda name: name == "ctransformers") == "llama.cpp"


@pytest.mark.parametrize("architecture", ["llama", "mistral3"])
async def test_devstral_is_refused_before_the_library_is_even_looked_for(
    architecture: str, home: Directories, tmp_path: Path
) -> None:
    path = gguf_files.write_devstral_shaped(tmp_path / "m.gguf", architecture)
    with pytest.raises(ModelUnsupported, match="ctransformers cannot run") as caught:
        await rendezvous.join(spec(home, path), home)
    assert '"llama.cpp"' in caught.value.hint


@pytest.mark.skipif(HERE, reason="ctransformers is installed")
async def test_without_the_library_it_says_how_to_get_it(home: Directories, spm: Path) -> None:
    with pytest.raises(ModelLoadFailed, match="ctransformers cannot be used") as caught:
        await rendezvous.join(spec(home, spm), home)
    assert "devstral-ls[ctransformers]" in caught.value.hint


@needed
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
        ids = await engine.client.prompt_ids((Text("def f():\n    return é"),))
    other = spec(home, spm, "llama.cpp")
    there = await connect(other, home, Rates(home.data / "rates.json"), lambda state: None)
    assert ids == await there.client.prompt_ids((Text("def f():\n    return é"),))
    assert here == text_of(await answer(there, "def f():\n    return"))
    await there.aclose()


@needed
async def test_what_is_cached_changes_nothing(home: Directories, spm: Path) -> None:
    async with running(home, spm) as engine:
        fresh = text_of(await answer(engine, "x = 1\n" * 20))
        assert text_of(await answer(engine, "y = 2\n" * 30)) is not None
        assert text_of(await answer(engine, "x = 1\n" * 20)) == fresh
        again = await answer(engine, "x = 1\n" * 20)
        assert text_of(again) == fresh
        assert again[-1].usage is not None
        assert again[-1].usage.cached_tokens >= again[-1].usage.prompt_tokens - 1 > 60


@needed
@pytest.mark.parametrize("beginning", ["return", 'é漢😀"\\\n'])
async def test_the_answer_begins_as_it_must(beginning: str, home: Directories, spm: Path) -> None:
    async with running(home, spm) as engine:
        chunks = await answer(engine, "x", 40, begins_with=beginning)
    assert text_of(chunks).startswith(beginning)


@needed
async def test_text_stays_text(home: Directories, spm: Path) -> None:
    async with running(home, spm) as engine:
        for text in ("<s>", "a</s>b", "é漢😀" * 50, "a\0b", " ", "\n\n  x"):
            ids = await engine.client.tokenize(text)
            assert not {0, 1, 2} & set(ids), text
            shown = await engine.client._connection.client.post("/detokenize", json={"tokens": ids})
            assert shown.json()["content"] == text.replace("\0", "\ufffd")


@needed
async def test_limits_and_strangers(home: Directories, spm: Path) -> None:
    async with running(home, spm) as engine:
        with pytest.raises(PromptTooLong):
            await answer(engine, "=" * 520)
        for path in ("/completion", "/tokenize", "/slots", "/metrics"):
            headers = {"Authorization": "Bearer guess"}
            response = await engine.client._connection.client.request(
                "POST", path, json={"prompt": "x"}, headers=headers
            )
            assert response.status_code == 401, path


@needed
async def test_a_file_that_breaks_off_is_refused(home: Directories, tmp_path: Path) -> None:
    path = gguf_files.truncated(gguf_files.write_spm_llama(tmp_path / "m.gguf"), 1000)
    with pytest.raises(ModelCorrupt):
        await rendezvous.join(spec(home, path), home)


@needed
async def test_it_leaves_when_nobody_is_there(home: Directories, spm: Path) -> None:
    wishes = EngineOptions(context_tokens=512, backend="ctransformers", idle_minutes=0.002)
    joined = await rendezvous.join(spec_of(spm, "m", wishes, home), home)
    joined.close()
    async with asyncio.timeout(20):
        while rendezvous.engines(home):  # noqa: ASYNC110  another process leaves
            await asyncio.sleep(0.02)


@needed
async def test_a_crash_costs_one_answer(home: Directories, spm: Path) -> None:
    news = asyncio.Event()
    options = EngineOptions(str(spm), context_tokens=512, backend="ctransformers")
    engine = ManagedEngine(options, home, lambda status: news.set(), patience=Patience(0.05, 0.01, 0.05))
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
    async with engine.generate(GenerationRequest((Text("x"),), 4)) as chunks:
        assert [chunk async for chunk in chunks]
    await engine.aclose()


async def _killed_in_the_middle(engine: ManagedEngine, pid: int) -> None:
    async with engine.generate(GenerationRequest((Text("x"),), 400)) as chunks:
        await anext(chunks)
        os.kill(pid, signal.SIGSEGV)
        async for _ in chunks:
            pass
