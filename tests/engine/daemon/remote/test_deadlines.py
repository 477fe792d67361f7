"""A remote engine is bounded in time whatever it sends, and the status says so, with a hint."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from devstral_ls.engine.daemon.backend_engine import BackendEngine
from devstral_ls.engine.daemon.backends.remote.backend import RemoteBackend
from devstral_ls.engine.daemon.backends.remote.deadlines import DEADLINES, Deadline, Deadlines
from devstral_ls.engine.daemon.backends.remote.options import RemoteOptions
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.remote_engine import RemoteEngine
from devstral_ls.engine.restart_policy import RestartPolicy
from devstral_ls.engine.status import EngineStatus
from devstral_ls.errors import EngineError, EngineTooSlow
from devstral_ls.generation import GenerationRequest, Text
from tests.engine import fake_remote
from tests.engine.fake_remote import FakeRemote, chat_only, completions_only, llama_server, ollama, serving, sse, vllm

PATIENCE = 30.0
SHORT = Deadlines(request=0.3, probe=PATIENCE, first_text=0.3, prompt_token=0.0, token=0.02)
"""A minute in a third of a second."""
ONCE = RestartPolicy(look=PATIENCE, first=PATIENCE, most=PATIENCE)

Drip = Callable[[], AsyncIterator[bytes]]


async def keep_alives() -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n\r\n"
    while True:
        yield b": ping\n\n"


async def head_without_an_end() -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    for number in itertools.count():
        yield b"X-%d: a\r\n" % number


async def body_without_an_end() -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{"
    while True:
        yield b" "


async def only_progress_on_the_way() -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 102 Processing\r\n\r\n"
    while True:
        yield b"HTTP/1.1 102 Processing\r\n\r\n"


async def an_answer_without_an_end() -> AsyncIterator[bytes]:
    """To those who read JSON lines it makes no sense, which is an end, too."""
    yield b"HTTP/1.1 200 OK\r\n\r\n"
    while True:
        yield b"".join(sse({"content": "x", **fake_remote.text("x")}))


@asynccontextmanager
async def dripping(fake: FakeRemote, path: str, drip: Drip) -> AsyncIterator[str]:
    """``fake``, but for one path, which is answered bit by bit for ever."""
    serving_one: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving_one.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            if head.split()[1].decode() != path:
                whole = asyncio.StreamReader()
                whole.feed_data(head)
                pump = asyncio.create_task(pumped(reader, whole))
                await fake.serve(whole, writer)
                pump.cancel()
            else:
                async for part in drip():
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0.01)
        writer.close()
        serving_one.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(serving_one):
            task.cancel()
        await asyncio.gather(*serving_one, return_exceptions=True)


async def pumped(reader: asyncio.StreamReader, whole: asyncio.StreamReader) -> None:
    while data := await reader.read(1 << 16):
        whole.feed_data(data)
    whole.feed_eof()


class Engine:
    """A remote engine and its statuses."""

    def __init__(self, url: str, deadlines: Deadlines = SHORT, **options: Any) -> None:
        self.said = list[EngineStatus]()
        self.engine = RemoteEngine(
            RemoteOptions(base_url=url, **options), self.said.append, policy=ONCE, deadlines=deadlines, environ={}
        )

    async def __aenter__(self) -> Engine:
        self.engine.start()
        await asyncio.wait_for(self.engine.ready(), PATIENCE)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.engine.aclose()

    async def ask(self, text: str = "abc", **more: Any) -> str:
        request = GenerationRequest((Text(text),), **{"max_tokens": 4, **more})
        with self.engine.using() as client:
            async with client.generate(request) as chunks:
                return "".join([chunk.text async for chunk in chunks])


COMPLETIONS = {
    "llama-server": (llama_server, "/completion"),
    "openai": (vllm, "/v1/completions"),
    "openai-chat": (chat_only, "/v1/chat/completions"),
    "ollama": (ollama, "/api/generate"),
}
DRIPS = [keep_alives, head_without_an_end, only_progress_on_the_way, an_answer_without_an_end]


@pytest.mark.parametrize("drip", DRIPS)
@pytest.mark.parametrize("dialect", COMPLETIONS)
async def test_a_generation_has_an_end(dialect: str, drip: Drip) -> None:
    make, path = COMPLETIONS[dialect]
    fake = make()
    switched = asyncio.Event()

    async def first_whole_then_bit_by_bit() -> AsyncIterator[bytes]:
        if not switched.is_set():  # probing asks for a token, which is not streamed
            answer = json.dumps(fake.pages[path][1]).encode()
            yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer)
            return
        async for part in drip():
            yield part

    async with dripping(fake, path, first_whole_then_bit_by_bit) as url, Engine(url) as engine:
        switched.set()
        with pytest.raises(EngineError):
            await asyncio.wait_for(engine.ask(), PATIENCE)


async def test_it_is_told_until_a_request_goes_well() -> None:
    fake = vllm()
    well = fake.streams["/v1/completions"]
    fake.streams["/v1/completions"] = [part for _ in range(1000) for part in (b": ping\n\n", 0.01)]
    async with serving(fake) as url, Engine(url) as engine:
        model = engine.engine.status.message
        with pytest.raises(EngineTooSlow, match=r"began no answer within 0\.3 s"):
            await engine.ask()
        status = engine.engine.status
        assert (status.state, status.message) == ("ready", "the engine began no answer within 0.3 s")
        assert "server" in (status.hint or "")
        fake.streams["/v1/completions"] = well
        assert await engine.ask() == "x_1"
        assert (engine.engine.status.message, engine.engine.status.hint) == (model, None)


async def test_an_answer_that_goes_on_letter_by_letter_has_an_end() -> None:
    fake = vllm()
    fake.streams["/v1/completions"] = [part for _ in range(1000) for part in (*sse(fake_remote.text("x")), 0.01)]
    async with serving(fake) as url, Engine(url) as engine:
        with pytest.raises(EngineTooSlow, match=r"did not end its answer within 0\.38 s"):
            await engine.ask(max_tokens=4)


async def test_metrics_that_grow_keep_nothing_alive() -> None:
    fake = llama_server()
    counted = itertools.count()
    fake.pages["/metrics"] = lambda _body: (200, f"llamacpp:n_decode_total {next(counted)}\n")
    fake.streams["/completion"] = [part for _ in range(1000) for part in (b": ping\n\n", 0.01)]
    async with serving(fake) as url:
        backend = RemoteBackend(Endpoint(url, ""), RemoteOptions(), deadlines=SHORT)
        await backend.start()
        with pytest.raises(EngineTooSlow):
            async with BackendEngine(backend, silence=0.02).generate(GenerationRequest((Text("a"),), 4)) as chunks:
                assert [chunk async for chunk in chunks] == []
        await backend.stop()
    assert next(counted) > 1


@pytest.mark.parametrize("path", ["/props", "/api/version", "/v1/models", "/tokenize"])
@pytest.mark.parametrize("drip", [keep_alives, head_without_an_end, body_without_an_end, only_progress_on_the_way])
async def test_finding_out_what_is_there_has_an_end(path: str, drip: Drip) -> None:
    fake = FakeRemote({}) if path == "/api/version" else llama_server() if path == "/props" else vllm()
    async with dripping(fake, path, drip) as url, Engine(url) as engine:
        status = engine.engine.status
        # A server whose tokenizer never answers can be used without it.
        assert status.state == ("ready" if path == "/tokenize" else "lost")
        assert status.hint or path == "/tokenize"


async def test_all_questions_together_have_an_end() -> None:
    fake = vllm()
    deadlines = Deadlines(request=PATIENCE, probe=0.3)
    async with dripping(fake, "/tokenize", body_without_an_end) as url, Engine(url, deadlines) as engine:
        assert engine.engine.status.state == "lost"
        assert engine.engine.status.message == "the engine did not tell what it is within 0.3 s"
        assert "server" in (engine.engine.status.hint or "")


async def test_the_ids_of_a_prompt_have_an_end_together() -> None:
    async with serving(vllm()) as url:
        backend = RemoteBackend(Endpoint(url, ""), RemoteOptions())
        await backend.start()
        generator = BackendEngine(backend, tokenizing=0.0)
        with pytest.raises(EngineTooSlow, match="did not tokenize"):
            async with generator.generate(GenerationRequest((Text("a"),), 4)):
                pass
        await backend.stop()


async def test_one_request_that_is_read_whole_has_one_deadline() -> None:
    """Head and body together: each had a minute of its own."""
    async with dripping(completions_only(), "/health", body_without_an_end) as url:
        backend = RemoteBackend(Endpoint(url, ""), RemoteOptions(dialect="openai"), deadlines=SHORT)
        await backend.start()
        with pytest.raises(EngineTooSlow, match=r"did not answer /health within 0\.3 s"):
            await backend._connections.fetch("GET", "/health")
        await backend.stop()


async def test_a_deadline_that_has_passed_stops_what_would_never_wait() -> None:
    deadline = Deadline(0.0, "it was not done")
    with pytest.raises(EngineTooSlow, match="it was not done within 0 s"):
        async with deadline.bounding():
            pytest.fail("the block was entered")


async def test_another_time_limit_inside_is_not_taken_for_the_deadline() -> None:
    with pytest.raises(TimeoutError):
        async with Deadline(PATIENCE, "").bounding(), asyncio.timeout(0):
            await asyncio.Event().wait()


def test_a_suggestion_has_little_more_than_a_minute_and_a_long_action_what_it_needs() -> None:
    line = GenerationRequest((), 48, time_limit_ms=1_200)
    action = GenerationRequest((), 4_096)
    assert DEADLINES.until_end(2_000, line) == pytest.approx(60 + 20 + 1.2)
    assert DEADLINES.until_end(8_000, action) == pytest.approx(60 + 80 + 2_048)
    assert DEADLINES.until_first_text(8_000) == pytest.approx(60 + 80)
