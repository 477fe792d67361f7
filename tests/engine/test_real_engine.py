"""The client against real engines: tokens, text, limits, and how soon a slot is free again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from devstral_ls.engine import rendezvous
from devstral_ls.engine.connection import Connection, connect
from devstral_ls.engine.place import Place
from devstral_ls.engine.rates import Rates
from devstral_ls.engine.spec import EngineOptions, spec_of
from devstral_ls.engine.state import EngineState
from devstral_ls.errors import ModelUnsupported, PromptTooLong
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, Special, Text
from devstral_ls.models.gguf.header import read_header
from devstral_ls.platform.paths import Directories
from tests import gguf_files

ROOT = Path(__file__).parents[2]
CANARY = "canary_4711"


@asynccontextmanager
async def running(home: Directories, model: Path, **options: object) -> AsyncIterator[Connection]:
    wishes = EngineOptions(**{"slots": 2, "context_tokens": 512, **options})  # type: ignore[arg-type]
    spec = spec_of(model, model.stem, wishes, home)
    connection = await connect(spec, home, Rates(home.data / "rates.json"), lambda state: None)
    try:
        yield connection
    finally:
        await connection.aclose()


async def answer(engine: Connection, request: GenerationRequest) -> list[Chunk]:
    async with engine.client.generate(request) as chunks:
        return [chunk async for chunk in chunks]


@pytest.mark.parametrize("architecture", ["llama", "mistral3"])
async def test_a_model_of_devstrals_shape_runs(architecture: str, home: Directories, tmp_path: Path) -> None:
    path = gguf_files.write_devstral_shaped(tmp_path / "m.gguf", architecture)
    async with running(home, path) as engine:
        chunks = await answer(engine, GenerationRequest((Special("[INST]"), Text("hello"), Special("[/INST]")), 16))
    assert len("".join(chunk.text for chunk in chunks)) >= 16
    assert chunks[-1].finish is FinishReason.LENGTH
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.generated_tokens == 16


TRICKS = [
    "[INST]",
    "</s>",
    "a [/INST] b",
    "<s>",
    "<|fim_middle|>",
    "<|im_end|>\n",
    "<|fim_<|fim_prefix|>prefix|>",
    "é漢",
]


@pytest.mark.parametrize("write", [gguf_files.write_devstral_shaped, gguf_files.write_qwen_fim])
async def test_no_text_becomes_a_control_token(write: object, home: Directories, tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf")  # type: ignore[operator]
    control = set(read_header(path).control_tokens.values())
    async with running(home, path) as engine:
        for text in TRICKS:
            ids = await engine.client.tokenize(text)
            assert not control & set(ids), text
            assert await detokenized(engine, ids) == text


async def test_sentinels_are_one_id_each(home: Directories, devstral_shaped: Path) -> None:
    async with running(home, devstral_shaped) as engine:
        ids = await engine.client.prompt_ids((Special("[SUFFIX]"), Text("[PREFIX]"), Special("[PREFIX]")))
        assert ids[:2] == [1, 16]
        assert ids[-1] == 14
        assert 14 not in ids[2:-1]
        with pytest.raises(ModelUnsupported):
            await engine.client.prompt_ids((Special("<|fim_prefix|>"),))


@pytest.mark.parametrize("text", ["a", "  a", "\n  return in", " ", "\n"])
async def test_sentencepiece_text_stays_as_it_is(text: str, home: Directories, tmp_path: Path) -> None:
    async with running(home, gguf_files.write_spm_llama(tmp_path / "m.gguf")) as engine:
        assert await detokenized(engine, await engine.client.tokenize("x" + text)) == "x" + text
        assert await engine.client.tokenize("x" + text) == (
            *(await engine.client.tokenize("x")),
            *(await engine.client.tokenize(text)),
        )


async def test_the_answer_begins_as_it_must_and_characters_arrive_whole(
    home: Directories, devstral_shaped: Path
) -> None:
    start = 'é漢😀"\\\n\u2028'
    async with running(home, devstral_shaped) as engine:
        chunks = await answer(engine, GenerationRequest((Text("x"),), 40, begins_with=start))
    assert "".join(chunk.text for chunk in chunks).startswith(start)


async def test_stop_strings_end_it_and_are_not_part_of_it(home: Directories, devstral_shaped: Path) -> None:
    async with running(home, devstral_shaped) as engine:
        chunks = await answer(engine, GenerationRequest((Text("x"),), 40, begins_with="abcd", stop=("cd",)))
    assert "".join(chunk.text for chunk in chunks) == "ab"
    assert chunks[-1].finish is FinishReason.STOP


def test_a_cache_in_q8_0_loads_on_a_processor(home: Directories, devstral_shaped: Path) -> None:
    """With flash attention, which llama.cpp turns on for it."""
    state = EngineState("n", "k", "loading", "m", str(devstral_shaped), context_tokens=256, slots=2, threads=1, batch=8)
    place = Place(home.runtime, "k")
    place.prepare()
    place.spec.write_text(spec_of(devstral_shaped, "m", EngineOptions(), home).to_json())
    program = f"""
import os, xllamacpp
from pathlib import Path, PosixPath
from devstral_ls.engine import host
from devstral_ls.engine.place import Place
from devstral_ls.engine.spec import EngineSpec
from devstral_ls.engine.state import EngineState
state = {replace(state, kv_type="q8_0")!r}
place = Place(Path({str(home.runtime)!r}), "k")
parameters = host._parameters(xllamacpp, EngineSpec.from_json(place.spec.read_text()), state, place, "key")
parameters.verbosity = 4
server = xllamacpp.Server(parameters)
print(server.handle_completions({{"prompt": "def", "n_predict": 4}}), flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "K (q8_0)" in done.stderr
    assert "V (q8_0)" in done.stderr
    assert "flash_attn            = enabled" in done.stderr
    assert '"error"' not in done.stdout


async def test_what_is_cached_is_not_evaluated_again(home: Directories, devstral_shaped: Path) -> None:
    async with running(home, devstral_shaped) as engine:
        for _ in range(2):
            chunks = await answer(engine, GenerationRequest((Text("x = 1\n" * 30),), 4))
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.cached_tokens >= chunks[-1].usage.prompt_tokens - 1 > 100


async def test_the_context_is_each_slots_own(home: Directories, devstral_shaped: Path) -> None:
    async with running(home, devstral_shaped) as engine:
        assert engine.state.context_tokens == 512
        assert await answer(engine, GenerationRequest((Text("=" * 500),), 4))
        with pytest.raises(PromptTooLong):
            await answer(engine, GenerationRequest((Text("=" * 520),), 4))


async def test_text_is_never_in_the_log(home: Directories, devstral_shaped: Path) -> None:
    async with running(home, devstral_shaped) as engine:
        for text in (CANARY, CANARY * 100):
            for max_tokens in (4, 400):
                async with engine.client.generate(GenerationRequest((Text(text[:400]),), max_tokens)) as chunks:
                    await anext(chunks)
        engine.client.model = None  # type: ignore[assignment]
        response = await engine.client._connection.client.post("/completion", json={"prompt": f"{CANARY} " * 1000})
        assert response.status_code == 400
        log = rendezvous.log_tail(home, 10_000)
    assert log
    assert CANARY not in log
    assert CANARY not in engine._joined.place.state.read_text()


async def test_only_who_has_the_key_is_answered(home: Directories, devstral_shaped: Path) -> None:
    async with running(home, devstral_shaped) as engine:
        for path in ("/completion", "/tokenize", "/slots", "/metrics", "/props"):
            headers = {"Authorization": "Bearer guess"}
            response = await engine.client._connection.client.request(
                "POST", path, json={"prompt": "x"}, headers=headers
            )
            assert response.status_code == 401, path


@pytest.mark.parametrize("beside_another", [False, True])
async def test_leaving_a_long_prefill_frees_the_slot(beside_another: bool, home: Directories, tiny_model: Path) -> None:
    """The bound is far above the 0.2 s it takes, for machines that are busy, and far below the 10 s of the prefill."""
    async with running(home, tiny_model, context_tokens=2048) as engine:
        other = asyncio.create_task(answer(engine, GenerationRequest((Text("1 2 3 4"),), 1000 * beside_another + 1)))
        if not beside_another:
            await other
        started = asyncio.Event()
        long = asyncio.create_task(_prefill(engine, "x += 1\n" * 300, started))
        await asyncio.wait_for(started.wait(), 30)
        long.cancel()
        begin = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await long
        async with asyncio.timeout(30):
            while await _n_processing(engine) > beside_another:  # noqa: ASYNC110  another process works
                await asyncio.sleep(0.01)
        assert time.monotonic() - begin < 2.0
        assert other.done() is not beside_another
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)


async def _prefill(engine: Connection, text: str, started: asyncio.Event) -> None:
    request = GenerationRequest((Text(text),), 4)
    ids = await engine.client.prompt_ids(request.prompt)
    assert 1400 < len(ids) < 1600
    asyncio.get_running_loop().call_later(0.3, started.set)
    await answer(engine, request)


async def _n_processing(engine: Connection) -> int:
    metrics = (await engine.client._connection.client.get("/metrics")).text
    line = next(line for line in metrics.splitlines() if line.startswith("llamacpp:requests_processing"))
    return int(line.split()[1])


async def detokenized(engine: Connection, ids: tuple[int, ...]) -> str:
    response = await engine.client._connection.client.post("/detokenize", json={"tokens": ids})
    return str(response.json()["content"])
