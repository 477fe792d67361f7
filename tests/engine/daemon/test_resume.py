"""A generation that is paused for a higher rank and resumed: what is sent, and what is answered."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.engine.daemon.backend_engine import BackendEngine, queue_for
from devstral_ls.engine.daemon.backends.backend import BackendInfo
from devstral_ls.engine.daemon.queue import Rank
from devstral_ls.errors import EngineSilent
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, Priority, Text
from tests.engine.daemon.scripted_llama import LlamaBackend, talking
from tests.engine.fake_llama import FakeLlama, end, listening, progress


def said(text: str, token: int, n: int) -> dict[str, Any]:
    return {"content": text, "tokens": [token], "stop": False, "tokens_predicted": n}


async def interrupted(
    first: list[Any], folder: Path, *, pause_after: int = 1, **more: Any
) -> tuple[list[dict[str, Any]], list[Chunk]]:
    """A user begins to type after ``pause_after`` pieces, and stops when the action has paused: what was sent, and the
    answer. The second run says "z"."""
    fake = FakeLlama([*first, 5.0], later=[[said("z", 99, 1), end("eos", predicted_n=1)]])
    async with listening(fake, folder / "s") as address:
        backend = LlamaBackend(address, BackendInfo("fake", 200, 2))
        queue = queue_for(backend)
        client = BackendEngine(backend, queue)
        request = GenerationRequest((Text("ab"),), **{"max_tokens": 16, "priority": Priority.ACTION, **more})
        chunks: list[Chunk] = []
        async with client.generate(request) as answer:
            while len(chunks) < pause_after:
                chunks.append(await anext(answer))
            rest = asyncio.create_task(_rest(answer))
            await asyncio.wait_for(fake.asked.wait(), 5)
            while fake.n_written < len(first):  # noqa: ASYNC110
                await asyncio.sleep(0)
            with queue.enter(Rank.INLINE_CACHED, ""):
                await asyncio.wait_for(fake.left.wait(), 5)
            chunks += await asyncio.wait_for(rest, 5)
        await backend.stop()
    return fake.bodies("/completion"), chunks


async def _rest(answer: Any) -> list[Chunk]:
    return [chunk async for chunk in answer]


CASES: list[tuple[list[Any], list[int], str]] = [
    # What came before the pause, the ids that are gone on from, the text in all.
    ([said("x", 5, 1), said("y", 6, 2)], [5, 6], "xyz"),
    ([said("x", 5, 1), said("y", 6, 2), said("", 7, 3)], [5, 6], "xyz"),  # held back: generated again
    ([said("x", 5, 1), said("", 6, 2), said("yy", 7, 3)], [5, 6, 7], "xyyz"),
    ([{"content": "x", "stop": False}], [1000 + ord("x")], "xz"),  # an engine that tells no ids
    ([said("x", 5, 1), said("é", 7, 3)], [5, 1000 + ord("é")], "xéz"),  # two tokens, of which one was told
]


@pytest.mark.parametrize(("before", "ids", "text"), CASES)
async def test_it_goes_on_from_what_was_told(before: list[Any], ids: list[int], text: str, tmp_path: Path) -> None:
    n_texts = sum(bool(event["content"]) for event in before)
    bodies, chunks = await interrupted(before, tmp_path, pause_after=n_texts)
    assert [body["prompt"] for body in bodies] == [[1097, 1098], [1097, 1098, *ids]]
    assert [body["n_predict"] for body in bodies] == [16, 16 - len(ids)]
    assert "".join(chunk.text for chunk in chunks) == text
    assert chunks[-1].finish is FinishReason.STOP
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.generated_tokens == len(ids) + 1


async def test_both_segments_run_in_the_same_slot(tmp_path: Path) -> None:
    bodies, _ = await interrupted([said("x", 5, 1), said("y", 6, 2)], tmp_path, conversation="file:///a.py")
    assert len({body["id_slot"] for body in bodies}) == 1
    assert all(body["return_tokens"] for body in bodies)


async def test_a_begin_that_was_written_is_not_asked_for_again(tmp_path: Path) -> None:
    bodies, _ = await interrupted([said("x", 5, 1), said("", 6, 2)], tmp_path, begins_with="xy")
    assert ['"xy"' in bodies[0]["grammar"], '"y"' in bodies[1]["grammar"]] == [True, True]


async def test_it_pauses_while_the_prompt_is_evaluated(tmp_path: Path) -> None:
    bodies, chunks = await interrupted([progress(0, 2), progress(1, 2)], tmp_path, pause_after=0)
    assert [body["prompt"] for body in bodies] == [[1097, 1098]] * 2
    assert "".join(chunk.text for chunk in chunks) == "z"


async def test_a_cold_inline_request_makes_room_until_its_prompt_is_known(tmp_path: Path) -> None:
    fake = FakeLlama([progress(9, 9), said("y", 9, 1), end(prompt_n=9)], later=[[said("z", 9, 1), end()]])
    async with listening(fake, tmp_path / "s") as address:
        backend = LlamaBackend(address, BackendInfo("fake", 200, 2, batch=1))
        queue = queue_for(backend)
        client = BackendEngine(backend, queue)
        with queue.enter(Rank.INLINE_CACHED, ""):
            cold = asyncio.create_task(_ask(client, "abcdefghi", conversation="a"))
            while len(queue.tickets) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0)
            assert not fake.bodies("/completion")
        assert await asyncio.wait_for(cold, 5) == "y"
        with queue.enter(Rank.INLINE_CACHED, ""):  # all but one token is known now
            assert await asyncio.wait_for(_ask(client, "abcdefghij", conversation="a"), 5) == "z"
        await backend.stop()


async def _ask(client: BackendEngine, text: str, **more: Any) -> str:
    async with client.generate(GenerationRequest((Text(text),), **{"max_tokens": 8, **more})) as chunks:
        return "".join([chunk.text async for chunk in chunks])


@pytest.mark.parametrize("begin", [[], [progress(0, 2)], [said("x", 5, 1)]])
async def test_an_engine_that_says_nothing_is_given_up(begin: list[Any], tmp_path: Path) -> None:
    ping = [0.1, b": ping\n\n"] * 20
    fake = FakeLlama([*begin, *ping])
    async with talking(fake, tmp_path, silence=0.3) as client:
        with pytest.raises(EngineSilent):
            await asyncio.wait_for(_ask(client, "a"), 5)


async def test_an_engine_that_works_for_another_request_is_waited_for(tmp_path: Path) -> None:
    fake = FakeLlama([progress(0, 2), 1.0, said("x", 5, 1), end()], batches=list(range(100)))
    async with talking(fake, tmp_path, silence=0.2) as client:
        assert await asyncio.wait_for(_ask(client, "a"), 5) == "x"
    assert len(fake.bodies("/metrics")) > 1


@pytest.mark.parametrize("priority", [Priority.BACKGROUND, Priority.AGENT, Priority.ACTION, Priority.NEXT_EDIT])
async def test_it_leaves_in_the_middle_of_a_batch(priority: Priority, tmp_path: Path) -> None:
    """The engine says nothing until long after: a pause at its next word would make the user wait for it."""
    fake = FakeLlama([progress(0, 2), 60.0], later=[[progress(2, 2), end("limit")]])
    async with listening(fake, tmp_path / "s") as address:
        backend = LlamaBackend(address, BackendInfo("fake", 200, 2))
        queue = queue_for(backend)
        client = BackendEngine(backend, queue)
        work = asyncio.create_task(_ask(client, "ab", max_tokens=0, priority=priority, conversation="a"))
        await asyncio.wait_for(fake.asked.wait(), 5)
        with queue.enter(Rank.INLINE_CACHED, ""):
            await asyncio.wait_for(fake.left.wait(), 5)
            assert len(fake.bodies("/completion")) == 1
        assert await asyncio.wait_for(work, 5) == ""
        await backend.stop()
    assert [body["prompt"] for body in fake.bodies("/completion")] == [[1097, 1098]] * 2
