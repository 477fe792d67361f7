"""The Generator over a scripted llama-server: what is sent, what becomes of the answers, how it is left."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.engine.daemon.backend_engine import BackendEngine
from devstral_ls.engine.daemon.backends.llama_server_client import LlamaServerClient
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.errors import (
    DevstralError,
    EngineBusy,
    EngineUnavailable,
    GenerationFailed,
    ModelUnsupported,
    PromptTooLong,
)
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, Special, Text, Usage
from tests.engine.daemon.scripted_llama import talking
from tests.engine.fake_llama import SENTINELS, FakeLlama, end, piece, progress


def asking(*parts: Special | Text, **more: Any) -> GenerationRequest:
    return GenerationRequest(prompt=parts or (Text("abc"),), **{"max_tokens": 16, **more})


async def answer(client: BackendEngine, request: GenerationRequest) -> list[Chunk]:
    async with client.generate(request) as chunks:
        return [chunk async for chunk in chunks]


async def test_the_answer_comes_in_pieces_and_ends_with_its_cost(tmp_path: Path) -> None:
    fake = FakeLlama([progress(0, 3), progress(3, 3), piece("x"), piece(" = 1"), end("word", cache_n=1, prompt_n=2)])
    async with talking(fake, tmp_path) as client:
        chunks = await answer(client, asking())
    assert [chunk.text for chunk in chunks] == ["x", " = 1", ""]
    assert chunks[-1].finish is FinishReason.STOP
    assert chunks[-1].usage == Usage(
        prompt_tokens=3, cached_tokens=1, generated_tokens=2, prefill_ms=30.0, decode_ms=20.0
    )


@pytest.mark.parametrize(
    ("stop_type", "finish"),
    [("eos", FinishReason.STOP), ("word", FinishReason.STOP), ("limit", FinishReason.LENGTH)],
)
async def test_why_it_ended(stop_type: str, finish: FinishReason, tmp_path: Path) -> None:
    async with talking(FakeLlama([piece("x"), end(stop_type)]), tmp_path) as client:
        assert (await answer(client, asking()))[-1].finish is finish


@pytest.mark.parametrize("text", ["漢字", "😀", "a\u2028b", "a\x85b\x0cc", "é\u2029\n"])
async def test_text_arrives_whole_however_the_stream_is_cut(text: str, tmp_path: Path) -> None:
    stream = b"data: " + json.dumps(piece(text), ensure_ascii=False).encode() + b"\n\n"
    fake = FakeLlama([*(stream[at : at + 1] for at in range(len(stream))), end()])
    async with talking(fake, tmp_path) as client:
        assert "".join(chunk.text for chunk in await answer(client, asking())) == text


async def test_what_is_sent(tmp_path: Path) -> None:
    fake = FakeLlama([end()])
    request = asking(Special("<pre>"), Text("ab"), Special("<mid>"), stop=("\n\n",), time_limit_ms=700, max_tokens=9)
    async with talking(fake, tmp_path) as client:
        await answer(client, request)
    (body,) = fake.bodies("/completion")
    assert body["prompt"] == [900, 1097, 1098, 902]
    assert (body["n_predict"], body["stop"], body["t_max_predict_ms"]) == (9, ["\n\n"], 700)
    assert (body["stream"], body["return_progress"], body["cache_prompt"]) == (True, True, True)
    assert (body["samplers"], body["top_k"]) == (["top_k"], 1)
    assert "grammar" not in body
    assert all("authorization: bearer secret" in head.lower() for head in fake.heads)


async def test_a_prompt_is_evaluated_for_nothing_but_the_cache(tmp_path: Path) -> None:
    fake = FakeLlama([progress(3, 3), piece("x"), end("limit")])  # llama-server generates one token all the same
    async with talking(fake, tmp_path) as client:
        chunks = await answer(client, asking(max_tokens=0))
    assert fake.bodies("/completion")[0]["n_predict"] == 0
    assert "".join(chunk.text for chunk in chunks) == ""
    assert chunks[-1].finish is FinishReason.LENGTH


async def test_what_the_answer_begins_with_is_a_grammar(tmp_path: Path) -> None:
    fake = FakeLlama([end()])
    async with talking(fake, tmp_path) as client:
        await answer(client, asking(begins_with='a"\\\n\t\x01é'))
    assert fake.bodies("/completion")[0]["grammar"] == r'root ::= "a\"\\\n\t\x01é" [^\x00]*'


async def test_how_sure_the_model_was_is_told_to_who_asks(tmp_path: Path) -> None:
    told = [{"id": 5, "logprob": -0.5, "top_logprobs": []}, {"id": 6, "logprob": None}]
    fake = FakeLlama([piece("a") | {"completion_probabilities": told}, piece("b"), end()])
    chunks: list[Chunk] = []
    async with talking(fake, tmp_path) as client:
        async with client.generate(asking(logprobs=True)) as stream:
            chunks += [chunk async for chunk in stream]
        async with client.generate(asking()) as stream:
            chunks += [chunk async for chunk in stream]
    assert [chunk.logprobs for chunk in chunks[:2]] == [(-0.5, -100.0), ()]
    assert [body.get("n_probs") for body in fake.bodies("/completion")] == [1, None]


async def test_bos_is_put_in_front_once(tmp_path: Path) -> None:
    fake = FakeLlama()
    async with talking(fake, tmp_path, bos="<s>") as client:
        assert await client.ids((Text("a"),)) == [1, 1097]
        assert await client.ids((Special("<s>"), Text("a"))) == [1, 1097]


@pytest.mark.parametrize("text", ["<pre>", "a<mid>b", "<mid><mid>", "x</s><s>", "<m<mid>id>"])
async def test_text_never_becomes_a_control_token(text: str, tmp_path: Path) -> None:
    async with talking(FakeLlama(), tmp_path, specials=SENTINELS) as client:
        ids = await client.ids((Special("<pre>"), Text(text)))
    assert ids[0] == 900
    assert "".join(chr(token - 1000) for token in ids[1:]) == text


async def test_a_token_the_model_does_not_have(tmp_path: Path) -> None:
    async with talking(FakeLlama(), tmp_path) as client:
        with pytest.raises(ModelUnsupported, match="<nope>"):
            await answer(client, asking(Special("<nope>")))


async def test_texts_are_tokenized_once(tmp_path: Path) -> None:
    fake = FakeLlama([end()])
    async with talking(fake, tmp_path) as client:
        for _ in range(3):
            await answer(client, asking(Special("<pre>"), Text("abc")))
    assert len(fake.bodies("/tokenize")) == 2


async def test_lone_surrogates_can_be_sent(tmp_path: Path) -> None:
    fake = FakeLlama([end()])
    async with talking(fake, tmp_path) as client:
        await answer(client, asking(Text("a\ud800b"), stop=("\udc00",)))
    assert fake.bodies("/tokenize")[0]["content"] == "a?b"
    assert fake.bodies("/completion")[0]["stop"] == ["?"]


@pytest.mark.parametrize(
    ("status", "error", "raised"),
    [
        (400, {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8}, PromptTooLong),
        (400, {"code": 400, "type": "invalid_request_error", "message": "no"}, GenerationFailed),
        (503, {"code": 503, "type": "unavailable_error", "message": "Loading model"}, EngineBusy),
        (401, {"code": 401, "type": "authentication_error"}, EngineUnavailable),
        (500, {}, GenerationFailed),
    ],
)
async def test_refusals(status: int, error: dict[str, Any], raised: type[DevstralError], tmp_path: Path) -> None:
    async with talking(FakeLlama(status=status, error=error), tmp_path) as client:
        with pytest.raises(raised):
            await answer(client, asking())


async def test_a_prompt_longer_than_the_context_is_not_sent(tmp_path: Path) -> None:
    fake = FakeLlama()
    async with talking(fake, tmp_path) as client:
        with pytest.raises(PromptTooLong) as caught:
            await answer(client, asking(Text("x" * 200)))
    assert (caught.value.n_tokens, caught.value.limit) == (200, 200)
    assert not fake.bodies("/completion")


@pytest.mark.parametrize(
    "answers",
    [
        [piece("x")],
        [piece("x"), {"error": {"code": 500, "message": "broken"}}],
        [piece("x"), b'error: {"code": 500, "message": "broken"}\n\n'],
        [b"data: {nonsense\n\n"],
        [b"data: [1]\n\n"],
        [b'data: {"content": "x", "stop": true}\n\n'],
    ],
)
async def test_an_answer_that_breaks_off(answers: list[Any], tmp_path: Path) -> None:
    async with talking(FakeLlama(answers), tmp_path) as client:
        with pytest.raises(GenerationFailed):
            await answer(client, asking())


async def test_an_engine_that_says_one_letter_after_another_without_an_end_is_left(tmp_path: Path) -> None:
    async with talking(FakeLlama([piece("x")] * 20_000), tmp_path) as client:
        with pytest.raises(GenerationFailed, match="without an end"):
            await answer(client, asking())


async def test_nobody_there(tmp_path: Path) -> None:
    client = LlamaServerClient(Endpoint(f"unix:{tmp_path}/none", "secret"))
    with pytest.raises(EngineUnavailable):
        await client.tokenize("a")
    assert await client.progress() is None
    await client.aclose()


async def test_a_hang_up_before_the_answer_is_said(tmp_path: Path) -> None:
    fake = FakeLlama([piece("x"), end()], hang_up=9)
    async with talking(fake, tmp_path) as client:
        with pytest.raises(EngineUnavailable):
            await answer(client, asking())


async def test_a_burst_of_cancelled_requests_leaves_nothing_behind(tmp_path: Path) -> None:
    """A shared pool lost a place at each that was cancelled at the wrong moment, until nothing was answered."""
    fake = FakeLlama([piece("x"), end()])
    async with talking(fake, tmp_path) as client:
        for n in range(200):
            task = asyncio.create_task(answer(client, asking(Text(f"text {n}"))))
            for _ in range(n % 20):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        tasks = [asyncio.create_task(answer(client, asking(Text(f"more {n}")))) for n in range(64)]
        for task in tasks[:-1]:
            task.cancel()
        last = await asyncio.wait_for(tasks[-1], 10)
        await asyncio.gather(*tasks, return_exceptions=True)
    assert last[0].text == "x"


async def test_leaving_the_block_hangs_up(tmp_path: Path) -> None:
    fake = FakeLlama([piece("x"), 5.0, end()])
    async with talking(fake, tmp_path) as client:
        async with client.generate(asking()) as chunks:
            async for chunk in chunks:
                assert chunk.text == "x"
                break
        await asyncio.wait_for(fake.left.wait(), 2)


async def test_an_exception_in_the_block_hangs_up_and_passes(tmp_path: Path) -> None:
    fake = FakeLlama([piece("x"), 5.0, end()])
    async with talking(fake, tmp_path) as client:
        with pytest.raises(KeyError):
            await _leave_by_exception(client)
        await asyncio.wait_for(fake.left.wait(), 2)


async def _leave_by_exception(client: BackendEngine) -> None:
    async with client.generate(asking()) as chunks:
        await anext(chunks)
        raise KeyError


@pytest.mark.parametrize("before", [0, 1])
async def test_cancelling_hangs_up(before: int, tmp_path: Path) -> None:
    fake = FakeLlama([*[piece("x")] * before, 5.0, end()])
    async with talking(fake, tmp_path) as client:
        task = asyncio.create_task(answer(client, asking()))
        await fake.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(fake.left.wait(), 2)


async def test_what_waits_for_a_slot_can_be_left_for_nothing(tmp_path: Path) -> None:
    fake = FakeLlama([piece("x"), 5.0, end()])
    async with talking(fake, tmp_path, slots=1) as client:
        first = asyncio.create_task(answer(client, asking()))
        await fake.asked.wait()
        waiting = [asyncio.create_task(answer(client, asking())) for _ in range(3)]
        await client.ids((Text("x"),))
        for task in (*waiting, first):
            task.cancel()
        await asyncio.gather(first, *waiting, return_exceptions=True)
        assert len(fake.bodies("/completion")) == 1
        async with client.generate(asking()) as chunks:
            assert (await anext(chunks)).text == "x"


async def test_the_time_limit_holds_without_a_line_feed(tmp_path: Path) -> None:
    clock = iter(range(100))
    fake = FakeLlama([piece("a"), piece("b"), piece("c"), piece("d"), end()])
    async with talking(fake, tmp_path, clock=lambda: next(clock)) as client:
        chunks = await answer(client, asking(time_limit_ms=1500))
    assert [chunk.text for chunk in chunks] == ["a", "b", "c"]
    assert chunks[-1].finish is FinishReason.LENGTH
    assert chunks[-1].usage is not None


async def test_a_generation_that_was_left_says_what_it_cost(tmp_path: Path) -> None:
    costs: list[Usage] = []
    fake = FakeLlama([progress(10, 50, cached=10), progress(50, 50, 10, 400.0), piece("x"), 5.0, end()])
    async with talking(fake, tmp_path, on_usage=costs.append) as client, client.generate(asking()) as chunks:
        await anext(chunks)
    assert costs == [Usage(prompt_tokens=50, cached_tokens=10, generated_tokens=1, prefill_ms=400.0, decode_ms=0.0)]


async def test_sentencepiece_texts_get_no_space_in_front(tmp_path: Path) -> None:
    fake = FakeLlama()
    async with talking(fake, tmp_path, space_prefix=True) as client:
        assert await client.ids((Text("ab"),)) == [1097, 1098]
    assert [body["content"] for body in fake.bodies("/tokenize")] == ["\n", "\nab"]
