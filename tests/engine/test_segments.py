"""An action that pauses for somebody who types, and goes on: what is sent, and what is said."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.engine.client import EngineClient
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.http import Http
from devstral_ls.engine.place import Place
from devstral_ls.engine.schedule import Schedule
from devstral_ls.engine.slots import SharedSlots
from devstral_ls.engine.turns import Rank, Turns
from devstral_ls.errors import EngineSilent
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, ModelInfo, Priority, Text
from tests.engine.fake_llama import FakeLlama, end, listening, progress

ROOT = Path(__file__).parents[2]
MODEL = ModelInfo("fake", "plain", ("left-to-right",), context_tokens=200, prompt_budget=100, bos=None)


def connected(address: str, schedule: Schedule, silence: float = 300.0) -> EngineClient:
    endpoint = Endpoint(address, "secret")
    return EngineClient(endpoint, MODEL, schedule=schedule, http=Http(endpoint, silence=silence))


def said(text: str, token: int, n: int) -> dict[str, Any]:
    return {"content": text, "tokens": [token], "stop": False, "tokens_predicted": n}


async def interrupted(
    first: list[Any], folder: Path, *, pause_after: int = 1, **more: Any
) -> tuple[list[dict[str, Any]], list[Chunk]]:
    """Somebody begins to type after ``pause_after`` pieces, and stops when the action has left: what was sent, and the
    answer. The second segment says "z"."""
    fake = FakeLlama([*first, 5.0], later=[[said("z", 99, 1), end("eos", predicted_n=1)]])
    place = Place(folder, "key")
    async with listening(fake, folder / "s") as address:
        client = connected(address, Schedule(SharedSlots(place, "n", 2), Turns(place)), silence=10.0)
        request = GenerationRequest((Text("ab"),), **{"max_tokens": 16, "priority": Priority.ACTION, **more})
        chunks: list[Chunk] = []
        async with client.generate(request) as answer:
            while len(chunks) < pause_after:
                chunks.append(await anext(answer))
            rest = asyncio.create_task(_rest(answer))
            await asyncio.wait_for(fake.asked.wait(), 5)
            async with Turns(place).wanting(Rank.HOT):
                await asyncio.wait_for(fake.left.wait(), 5)
            chunks += await asyncio.wait_for(rest, 5)
        await client.aclose()
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
    # One more event, at which it sees that somebody types.
    n_texts = sum(bool(event["content"]) for event in before)
    bodies, chunks = await interrupted(
        [*before, 0.3, said("", 9, before[-1].get("tokens_predicted", 1) + 1)], tmp_path, pause_after=n_texts
    )
    assert [body["prompt"] for body in bodies] == [[1097, 1098], [1097, 1098, *ids]]
    assert [body["n_predict"] for body in bodies] == [16, 16 - len(ids)]
    assert "".join(chunk.text for chunk in chunks) == text
    assert chunks[-1].finish is FinishReason.STOP
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.generated_tokens == len(ids) + 1


async def test_both_segments_run_in_the_same_slot(tmp_path: Path) -> None:
    bodies, _ = await interrupted([said("x", 5, 1), 0.3, said("y", 6, 2)], tmp_path, conversation="file:///a.py")
    assert len({body["id_slot"] for body in bodies}) == 1
    assert all(body["return_tokens"] for body in bodies)


async def test_a_begin_that_was_written_is_not_asked_for_again(tmp_path: Path) -> None:
    bodies, _ = await interrupted([said("x", 5, 1), 0.3, said("", 6, 2)], tmp_path, begins_with="xy")
    assert ['"xy"' in bodies[0]["grammar"], '"y"' in bodies[1]["grammar"]] == [True, True]


async def test_it_pauses_while_the_prompt_is_evaluated(tmp_path: Path) -> None:
    bodies, chunks = await interrupted([progress(0, 2), 0.3, progress(1, 2)], tmp_path, pause_after=0)
    assert [body["prompt"] for body in bodies] == [[1097, 1098]] * 2
    assert "".join(chunk.text for chunk in chunks) == "z"


async def test_a_cold_inline_request_makes_room_until_its_prompt_is_known(tmp_path: Path) -> None:
    fake = FakeLlama([progress(3, 3), said("y", 9, 1), end(prompt_n=3)], later=[[said("z", 9, 1), end()]])
    place = Place(tmp_path, "key")
    async with listening(fake, tmp_path / "s") as address:
        client = connected(address, Schedule(4, Turns(place), hot_tokens=2))
        await client.tokenize("abc")
        async with Turns(place).wanting(Rank.HOT):
            cold = asyncio.create_task(_ask(client, "abc"))
            for _ in range(5):
                await client.health()
            assert not fake.bodies("/completion")
        assert await asyncio.wait_for(cold, 5) == "y"
        async with Turns(place).wanting(Rank.HOT):  # all but one token is known now
            assert await asyncio.wait_for(_ask(client, "abcd"), 5) == "z"
        await client.aclose()


async def _ask(client: EngineClient, text: str, **more: Any) -> str:
    async with client.generate(GenerationRequest((Text(text),), **{"max_tokens": 8, **more})) as chunks:
        return "".join([chunk.text async for chunk in chunks])


async def test_a_slot_that_was_left_is_kept_until_the_engine_is_done_with_it(tmp_path: Path) -> None:
    fake = FakeLlama([said("x", 5, 1), 5.0], later=[[end()]], busy=[[True], [True]])
    place = Place(tmp_path, "key")
    async with listening(fake, tmp_path / "s") as address:
        client = connected(address, Schedule(SharedSlots(place, "n", 1)))
        async with client.generate(GenerationRequest((Text("a"),), 8)) as chunks:
            await anext(chunks)
        await asyncio.wait_for(_ask(client, "ab"), 5)
        await client.aclose()
    asked = [path for path, _ in fake.requests if path != "/tokenize"]
    assert asked == ["/completion", "/slots", "/slots", "/slots", "/completion"]


@pytest.mark.parametrize("begin", [[], [progress(0, 2)], [said("x", 5, 1)]])
async def test_an_engine_that_says_nothing_is_given_up(begin: list[Any], tmp_path: Path) -> None:
    ping = [0.1, b": ping\n\n"] * 20
    fake = FakeLlama([*begin, *ping])
    async with listening(fake, tmp_path / "s") as address:
        client = connected(address, Schedule(1), silence=0.3)
        with pytest.raises(EngineSilent):
            await asyncio.wait_for(_ask(client, "a"), 5)
        await client.aclose()


async def test_an_engine_that_works_for_somebody_else_is_waited_for(tmp_path: Path) -> None:
    fake = FakeLlama([progress(0, 2), 1.0, said("x", 5, 1), end()], batches=list(range(100)))
    async with listening(fake, tmp_path / "s") as address:
        client = connected(address, Schedule(1), silence=0.2)
        assert await asyncio.wait_for(_ask(client, "a"), 5) == "x"
        await client.aclose()
    assert len(fake.bodies("/metrics")) > 1


TYPING = """
import asyncio, sys
from pathlib import Path
from devstral_ls.engine.place import Place
from devstral_ls.engine.turns import Rank, Turns
async def main():
    async with Turns(Place(Path(sys.argv[1]), "key")).wanting(Rank.HOT):
        print("typing", flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


@pytest.mark.parametrize("priority", [Priority.BACKGROUND, Priority.ACTION])
async def test_it_leaves_in_the_middle_of_a_batch_for_somebody_in_another_process(
    priority: Priority, tmp_path: Path
) -> None:
    """The engine says nothing until long after: who waited for its next word would make the other one wait for it."""
    fake = FakeLlama([progress(0, 2), 60.0], later=[[progress(2, 2), end("limit")]])
    place = Place(tmp_path, "key")
    async with listening(fake, tmp_path / "s") as address:
        client = connected(address, Schedule(SharedSlots(place, "n", 2), Turns(place)))
        work = asyncio.create_task(_ask(client, "ab", max_tokens=0, priority=priority, conversation="a"))
        await asyncio.wait_for(fake.asked.wait(), 5)
        typist = await asyncio.create_subprocess_exec(
            sys.executable, "-c", TYPING, str(tmp_path), cwd=ROOT,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            assert typist.stdout is not None
            assert await asyncio.wait_for(typist.stdout.readline(), 30) == b"typing\n"
            await asyncio.wait_for(fake.left.wait(), 5)
            assert len(fake.bodies("/completion")) == 1
        finally:
            await typist.communicate(b"")
        assert await asyncio.wait_for(work, 5) == ""
        await client.aclose()
    assert [body["prompt"] for body in fake.bodies("/completion")] == [[1097, 1098]] * 2


def locks_in(folder: Path) -> Iterator[Path]:
    return folder.glob("engine-*")


async def test_an_engine_that_is_not_shared_knows_neither_slots_nor_ranks(tmp_path: Path) -> None:
    fake = FakeLlama([end()])
    async with listening(fake, tmp_path / "s") as address:
        client = connected(address, Schedule(1))
        await _ask(client, "ab", priority=Priority.ACTION, conversation="a")
        await client.aclose()
    assert "id_slot" not in fake.bodies("/completion")[0]
    assert [path for path, _ in fake.requests] == ["/tokenize", "/completion"]
    assert not list(locks_in(tmp_path))
