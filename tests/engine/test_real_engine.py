"""The client against real engines: tokens, text, limits, and how soon a slot is free again."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from devstral_ls.engine.client import session_for
from devstral_ls.engine.connection import Connection, connect
from devstral_ls.engine.daemon import private_api
from devstral_ls.engine.daemon.backends.backend import BackendInfo
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.spec import EngineOptions, spec_of
from devstral_ls.errors import ModelUnsupported, PromptTooLong
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, Priority, Special, Text
from devstral_ls.models.gguf.header import read_header
from devstral_ls.platform.paths import Directories
from devstral_ls.testing import gguf_files
from tests.engine.in_process import loaded

ROOT = Path(__file__).parents[2]
CANARY = "canary_4711"


@asynccontextmanager
async def running(home: Directories, model: Path, **options: object) -> AsyncIterator[Connection]:
    wishes = EngineOptions(**{"slots": 2, "context_tokens": 512, **options})  # type: ignore[arg-type]
    spec = spec_of(model, model.stem, wishes, home)
    connection = await connect(spec, home)
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
    "<tool_call>{}</tool_call>",
    "a <think> b",
    "é漢",
]


@pytest.mark.parametrize("write", [gguf_files.write_devstral_shaped, gguf_files.write_qwen_fim])
async def test_no_text_becomes_a_control_token(write: object, home: Directories, tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf")  # type: ignore[operator]
    control = set(read_header(path).control_tokens.values())
    async with loaded(home, path) as engine:
        for text in TRICKS:
            ids = await engine.tokenize(text)
            assert not control & set(ids), text
            assert await engine.detokenize(ids) == text


async def test_sentinels_are_one_id_each(home: Directories, devstral_shaped: Path) -> None:
    async with loaded(home, devstral_shaped) as engine:
        ids = await engine.ids((Special("[SUFFIX]"), Text("[PREFIX]"), Special("[PREFIX]")))
        assert ids[:2] == [1, 16]
        assert ids[-1] == 14
        assert 14 not in ids[2:-1]
        with pytest.raises(ModelUnsupported):
            await engine.ids((Special("<|fim_prefix|>"),))


@pytest.mark.parametrize("text", ["a", "  a", "\n  return in", " ", "\n"])
async def test_sentencepiece_text_stays_as_it_is(text: str, home: Directories, tmp_path: Path) -> None:
    async with loaded(home, gguf_files.write_spm_llama(tmp_path / "m.gguf")) as engine:
        assert await engine.detokenize(await engine.tokenize("x" + text)) == "x" + text
        assert await engine.tokenize("x" + text) == (*(await engine.tokenize("x")), *(await engine.tokenize(text)))


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
    spec = spec_of(devstral_shaped, "m", EngineOptions(), home)
    info = BackendInfo("llama.cpp", context_tokens=256, slots=2, threads=1, batch=8, kv_type="q8_0")
    program = f"""
import os, xllamacpp
from pathlib import Path
from devstral_ls.engine.daemon.backends import llama_cpp
from devstral_ls.engine.daemon.backends.backend import BackendInfo
from devstral_ls.engine.spec import EngineSpec
spec, info = EngineSpec.from_json({spec.to_json()!r}), {info!r}
parameters = llama_cpp._parameters(xllamacpp, spec, info, Path({str(home.runtime.parent / "s.sock")!r}), "key")
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
        body = {"prompt": [["text", f"{CANARY} " * 1000]], "stop": CANARY}
        response = await engine.client._session.post(private_api.GENERATE, json=body)
        assert b"does not understand" in await response.read()
        log = engine._joined.files.log.read_text()
    assert log
    assert CANARY not in log
    assert CANARY not in engine._joined.files.state.read_text()


async def test_only_a_client_with_the_key_is_answered(home: Directories, devstral_shaped: Path) -> None:
    """Neither by the daemon nor by llama.cpp's own server behind it, whose socket stands in the same folder."""
    async with running(home, devstral_shaped) as engine:
        paths = (
            private_api.GENERATE,
            private_api.HEALTH,
            private_api.STATUS,
            private_api.ATTACH,
            private_api.NEIGHBOUR,
            private_api.LEAVE,
        )
        for path, key in itertools.product(paths, ("guess", "")):
            async with session_for(replace(engine._joined.endpoint, api_key=key)) as session:
                method = "POST" if path in (private_api.GENERATE, private_api.LEAVE) else "GET"
                assert (await session.request(method, path, json={})).status == 401, path
        async with session_for(engine._joined.endpoint) as session:  # what a web page would send
            assert (await session.get(private_api.HEALTH, headers={"Origin": "http://localhost"})).status == 401
        behind = f"unix:{engine._joined.files.backend_socket}"
        for path in ("/completion", "/tokenize", "/slots", "/metrics", "/props"):
            async with session_for(Endpoint(behind, engine._joined.endpoint.api_key)) as session:
                assert (await session.post(path, json={"prompt": "x"})).status == 401, path


@pytest.mark.parametrize("beside_another", [False, True])
async def test_leaving_a_long_prefill_frees_the_slot(beside_another: bool, home: Directories, tiny_model: Path) -> None:
    """The bound is far above the 0.2 s it takes, for machines that are busy, and far below the 10 s of the prefill."""
    async with loaded(home, tiny_model, context_tokens=2048) as engine:
        request = GenerationRequest((Text("1 2 3 4"),), 1000 * beside_another + 1, priority=Priority.ACTION)
        other = asyncio.create_task(engine.answer(request))
        if not beside_another:
            await other
        text = "x += 1\n" * 300
        assert 1400 < len(await engine.ids((Text(text),))) < 1600
        long = GenerationRequest((Text(text),), 4, conversation="long", priority=Priority.ACTION)
        left = asyncio.create_task(engine.answer(long))
        while len(engine.queue.tickets) <= beside_another:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await asyncio.sleep(0.3)  # some batches
        assert not left.done()
        begin = time.monotonic()
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        short = replace(long, prompt=(Text("1 2"),), max_tokens=1)
        await asyncio.wait_for(engine.answer(short), 30)  # in the slot that was left
        assert time.monotonic() - begin < 2.0
        assert other.done() is not beside_another
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)
