"""The row of remote servers: its columns for each dialect, what it sends, how it leaves, what a bad stream becomes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from devstral_ls.engine.daemon.answer_prefix import EchoedPrefix, GrammarPrefix, PromptPrefix
from devstral_ls.engine.daemon.backends.backend import BackendRequest, Capabilities, End, Event, Piece, PreparedPrompt
from devstral_ls.engine.daemon.backends.remote.backend import RemoteBackend
from devstral_ls.engine.daemon.backends.remote.deadlines import Deadlines
from devstral_ls.engine.daemon.backends.remote.options import RemoteOptions
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.errors import EngineUnavailable, GenerationFailed
from devstral_ls.generation import GenerationRequest
from tests.engine import fake_remote
from tests.engine.fake_remote import FakeRemote, chat_only, completions_only, llama_server, ollama, serving, sse, vllm

SOON = Deadlines(request=5.0, probe=5.0, first_text=5.0)


@asynccontextmanager
async def started(fake: FakeRemote, **options: Any) -> AsyncIterator[RemoteBackend]:
    async with serving(fake) as url:
        backend = RemoteBackend(Endpoint(url, ""), RemoteOptions(**options), deadlines=SOON)
        await backend.start()
        try:
            yield backend
        finally:
            await backend.stop()


def asking(prompt: PreparedPrompt | None = None, **more: Any) -> BackendRequest:
    return BackendRequest([1, 2] if prompt is None else prompt, GenerationRequest((), **{"max_tokens": 16, **more}))


async def events_of(backend: RemoteBackend, request: BackendRequest) -> list[Event]:
    async with backend.stream(request) as events:
        return [event async for event in events]


@pytest.mark.parametrize(
    ("make", "columns", "slots"),
    [
        (llama_server, Capabilities("ids", parses_specials=True, logprobs=True, answer_prefix=GrammarPrefix), 3),
        (vllm, Capabilities("ids", parses_specials=True, answer_prefix=PromptPrefix, prefix_in_prompt=True), 8),
        (completions_only, Capabilities("text", answer_prefix=PromptPrefix, prefix_in_prompt=True), 8),
        (chat_only, Capabilities("messages", answer_prefix=EchoedPrefix), 8),
        (ollama, Capabilities("text", answer_prefix=PromptPrefix, prefix_in_prompt=True), 1),
    ],
)
async def test_its_columns_are_those_of_what_was_found(
    make: Callable[[], FakeRemote], columns: Capabilities, slots: int
) -> None:
    async with started(make()) as backend:
        assert backend.capabilities == columns
        assert backend.info.slots == slots
        assert await backend.health()


@pytest.mark.parametrize("make", [llama_server, vllm, completions_only, chat_only, ollama])
async def test_a_prompt_is_sent_as_it_is_and_the_answer_ends_once(make: Callable[[], FakeRemote]) -> None:
    fake = make()
    prompts: dict[str, PreparedPrompt] = {"ids": [5, 6], "text": "a", "messages": [{"role": "user", "content": "a"}]}
    async with started(fake) as backend:
        prompt = prompts[backend.capabilities.prompt]
        events = await _until_end(backend, asking(prompt))
    body = fake.streamed()
    assert body.get("messages", body.get("prompt")) == prompt
    assert isinstance(events[-1], End)
    assert not any(isinstance(event, End) for event in events[:-1])


async def _until_end(backend: RemoteBackend, request: BackendRequest) -> list[Event]:
    found: list[Event] = []
    async with backend.stream(request) as events:
        async for event in events:
            found.append(event)
            if isinstance(event, End):
                break
    return found


async def test_ids_of_a_text() -> None:
    async with started(llama_server()) as backend:
        assert await backend.tokenize("a<|fim_middle|>", parse_special=True) == [1000 + ord("a"), 902]
        assert len(await backend.tokenize("<|fim_middle|>")) == len("<|fim_middle|>")


async def test_the_ids_of_the_answer_are_wanted_only_where_it_may_be_resumed() -> None:
    fake = llama_server()
    async with started(fake) as backend:
        await _until_end(backend, asking())
        await _until_end(backend, BackendRequest([1], GenerationRequest((), 4), resumable=True))
    assert [body["return_tokens"] for body in fake.bodies("/completion")] == [False, True]


async def test_leaving_hangs_up() -> None:
    fake = vllm()
    fake.streams["/v1/completions"] = [*sse(fake_remote.text("x")), 20.0]
    async with started(fake) as backend:
        async with backend.stream(asking()) as events:
            assert await anext(events) == Piece("x")
        await asyncio.wait_for(fake.left.wait(), 5)


async def test_cancelling_hangs_up_before_the_head_has_come() -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        left.set()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        backend = RemoteBackend(Endpoint(url, ""), RemoteOptions(), deadlines=SOON)
        task = asyncio.create_task(backend.start())
        await asked.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.wait_for(left.wait(), 5)
        await backend.stop()


async def test_a_burst_of_cancelled_requests_leaves_nothing_behind() -> None:
    fake = vllm()
    async with started(fake) as backend:
        for n in range(200):
            task = asyncio.create_task(_until_end(backend, asking()))
            for _ in range(n % 20):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        tasks = [asyncio.create_task(_until_end(backend, asking())) for _ in range(64)]
        for task in tasks[:-1]:
            task.cancel()
        last = await asyncio.wait_for(tasks[-1], 10)
        await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(last[-1], End)


@pytest.mark.parametrize("text", ["漢字", "😀", "a\u2028b", "a\x85b\x0cc", "é\u2029\n"])
async def test_text_arrives_whole_however_the_stream_is_cut(text: str) -> None:
    fake = vllm()
    stream = b"".join(sse(fake_remote.text(text), b"[DONE]"))
    fake.streams["/v1/completions"] = [stream[at : at + 1] for at in range(len(stream))]
    async with started(fake) as backend:
        events = await _until_end(backend, asking())
    assert "".join(event.text for event in events if isinstance(event, Piece)) == text


async def test_an_end_without_an_end_event_is_a_failure() -> None:
    fake = vllm()
    fake.streams["/v1/completions"] = sse(fake_remote.text("x"))
    async with started(fake) as backend:
        with pytest.raises(GenerationFailed, match="broke off"):
            await events_of(backend, asking())


async def test_one_letter_after_another_without_an_end_is_left() -> None:
    fake = vllm()
    fake.streams["/v1/completions"] = sse(fake_remote.text("x")) * 20_000
    async with started(fake) as backend:
        with pytest.raises(GenerationFailed, match="without an end"):
            await events_of(backend, asking())


async def test_progress_is_a_metric_where_the_dialect_has_one() -> None:
    fake = llama_server()
    fake.pages["/metrics"] = (200, "x 1\nllamacpp:n_decode_total 7\n")
    async with started(fake) as backend:
        assert await backend.progress() == "llamacpp:n_decode_total 7"
    async with started(vllm()) as backend:
        assert await backend.progress() is None


async def test_nobody_there() -> None:
    backend = RemoteBackend(Endpoint("unix:/nowhere", ""), RemoteOptions())
    with pytest.raises(EngineUnavailable):
        await backend.start()
    await backend.stop()
