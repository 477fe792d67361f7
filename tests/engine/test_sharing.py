"""Several clients at one real engine: what an action says that has to pause, and what the engine tells of itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from devstral_ls.cli import main
from devstral_ls.engine import rendezvous
from devstral_ls.engine.client import session_for, status
from devstral_ls.engine.engine_report import engine_report
from devstral_ls.generation import Chunk, GenerationRequest, Priority, Text
from devstral_ls.platform.paths import Directories
from devstral_ls.testing.gguf_files import write_qwen_fim
from tests.engine.in_process import loaded
from tests.engine.test_real_engine import answer, running

CODE = "# The numbers from one to ten, in English, one on each line\nNUMBERS = [\n    'one',\n"
ACTION = GenerationRequest((Text(CODE),), 40, conversation="file:///a.py#do", priority=Priority.ACTION)
INLINE = GenerationRequest((Text("import os\nprint("),), 4, conversation="file:///b.py")


async def test_an_action_that_pauses_for_typing_says_the_same(home: Directories, tiny_model: Path) -> None:
    async with loaded(home, tiny_model) as engine:
        whole = await engine.answer(ACTION)
        engine.runs.clear()
        text = ""
        typing: list[asyncio.Task[object]] = []
        async with engine.generator.generate(ACTION) as chunks:
            async for chunk in chunks:
                text += chunk.text
                if chunk.text and len(typing) < 3 and len(text) > 30 * len(typing):
                    typing.append(asyncio.create_task(engine.answer(INLINE)))
                    await asyncio.sleep(0)
        await asyncio.gather(*typing)
    assert text == "".join(chunk.text for chunk in whole)
    resumed = [run for run in engine.runs if run.prompt_tokens > 20][1:]
    assert resumed
    # Each run goes on from the cache, and evaluates what was left in the middle again at most.
    assert all(later.prompt_tokens - later.cached_tokens <= 4 for later in resumed)
    assert chunk.usage is not None
    assert whole[-1].usage is not None
    assert chunk.usage.generated_tokens == whole[-1].usage.generated_tokens


async def test_documents_with_the_same_first_lines_keep_their_slots(home: Directories, devstral_shaped: Path) -> None:
    """llama-server's own choice would give the second one the first one's slot."""
    same = "# " + "-" * 200 + "\n"
    async with running(home, devstral_shaped) as engine, running(home, devstral_shaped) as other:
        for turn in range(3):
            for client, name in ((engine, "a"), (other, "b")):
                text = same + f"{name} = 1\n" * 10 + "x" * turn
                chunks = await answer(client, GenerationRequest((Text(text),), 2, conversation=name))
                usage = chunks[-1].usage
                assert usage is not None
                assert turn == 0 or usage.prompt_tokens - usage.cached_tokens <= 4


async def test_the_report_of_a_running_engine(home: Directories, devstral_shaped: Path) -> None:
    async with running(home, devstral_shaped) as engine, running(home, devstral_shaped) as other:
        for _ in range(2):
            await answer(other, replace(INLINE, prompt=(Text("x = 1\n" * 30),)))
        found = await engine_report(engine.state, home)
        assert found.clients == 2
        assert (found.slots_busy, found.waiting) == (0, 0)
        assert found.reuse is not None
        assert 0.3 < found.reuse < 0.7
        assert (found.prefill_rate or 0) > 0
        assert (found.decode_rate or 0) > 0
        assert found.rss_bytes is None or found.rss_bytes > 10e6
    rendezvous.stop(home)
    gone = await engine_report(engine.state, home)
    assert (gone.clients, gone.slots_busy, gone.rss_bytes, gone.reuse) == (None, None, None, None)


async def test_engine_status_shows_it(
    home: Directories, devstral_shaped: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEVSTRAL_LS_RUNTIME_DIR", str(home.runtime))
    async with running(home, devstral_shaped) as engine:
        await answer(engine, INLINE)
        assert await asyncio.to_thread(main, ["engine", "status"]) == 0
        shown = capsys.readouterr().out
        assert all(word in shown for word in ("clients", "slots", "memory", "prefill", "reuse", "batch", "up"))
        assert await asyncio.to_thread(main, ["engine", "status", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["model"] == devstral_shaped.stem
    assert (found["slots"], found["slots_busy"], found["waiting"]) == (2, 0, 0)
    assert {"clients", "rss_bytes", "prefill_rate", "decode_rate", "reuse", "batch", "uptime_s"} <= found.keys()
    assert "nonce" not in found


@pytest.mark.parametrize("max_tokens", [0, 200])
async def test_background_work_makes_room_for_typing_in_another_process(
    max_tokens: int, home: Directories, tiny_model: Path
) -> None:
    """However long the prompt that is evaluated ahead: typing is answered first, and the work is not lost."""
    work = GenerationRequest(
        (Text("x += 1\n" * 150),), max_tokens, conversation="file:///c.py", priority=Priority.BACKGROUND
    )
    async with (
        running(home, tiny_model, context_tokens=2048) as engine,
        running(home, tiny_model, context_tokens=2048) as other,
    ):
        await answer(other, INLINE)
        begun = asyncio.create_task(answer(engine, work))
        async with asyncio.timeout(60):
            while not (await engine_report(engine.state, home)).slots_busy:
                pass
        typed = await answer(other, INLINE)
        assert typed[-1].usage is not None
        assert typed[-1].usage.cached_tokens > 0
        assert not begun.done()
        done = await asyncio.wait_for(begun, 120)
        found = await engine_report(engine.state, home)
    assert found.runs is not None
    assert found.runs > 3, "the work was not paused"
    assert bool("".join(chunk.text for chunk in done)) is bool(max_tokens)
    assert done[-1].usage is not None


async def test_background_work_goes_on_where_it_was_paused(home: Directories, tiny_model: Path) -> None:
    work = GenerationRequest((Text("x += 1\n" * 100),), 0, conversation="c", priority=Priority.BACKGROUND)
    async with loaded(home, tiny_model, context_tokens=2048) as engine:
        await engine.answer(INLINE)
        engine.runs.clear()
        begun = asyncio.create_task(engine.answer(work))
        n_batches = await engine.n_batches()
        async with asyncio.timeout(60):
            while await engine.n_batches() < n_batches + 3:
                pass
        await engine.answer(INLINE)
        await asyncio.wait_for(begun, 120)
    first, _, last = engine.runs
    assert 0 < first.prompt_tokens < last.prompt_tokens
    assert last.cached_tokens >= first.prompt_tokens - 1


async def test_an_action_of_one_model_makes_room_for_suggestions_of_another(
    home: Directories, devstral_shaped: Path, tmp_path: Path
) -> None:
    small = write_qwen_fim(tmp_path / "small.gguf")
    async with running(home, devstral_shaped) as engine, running(home, small) as other:
        async with asyncio.timeout(30), session_for(other._joined.endpoint) as session:
            while (await status(session))["neighbours"] == 0:  # noqa: ASYNC110  the later one looks for the earlier one
                await asyncio.sleep(0.01)
        async with engine.client.generate(replace(ACTION, max_tokens=400)) as chunks:
            await anext(chunks)
            for _ in range(3):
                await answer(other, INLINE)
            await asyncio.wait_for(_all(chunks), 60)
        found = await engine_report(engine.state, home)
    assert found.runs is not None
    assert found.runs > 1, "the action was not paused"


async def _all(chunks: AsyncIterator[Chunk]) -> list[Chunk]:
    return [chunk async for chunk in chunks]
