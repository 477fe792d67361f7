"""The client and the daemon's HTTP, with a scripted backend behind: one round trip, cancelled by leaving, never stuck."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from devstral_ls.engine.client import EngineClient, leave, session_for, status
from devstral_ls.engine.daemon import app as module
from devstral_ls.engine.daemon import neighbours, private_api
from devstral_ls.engine.daemon.app import App
from devstral_ls.engine.daemon.backend_engine import BackendEngine, queue_for
from devstral_ls.engine.daemon.metrics import Metrics
from devstral_ls.engine.daemon.neighbours import Neighbours
from devstral_ls.engine.daemon.queue import Queue, Rank
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.tuning.rates import Rate, Rates
from devstral_ls.errors import (
    DevstralError,
    EngineBusy,
    EngineSilent,
    EngineUnavailable,
    GenerationFailed,
    ModelUnsupported,
    PromptTooLong,
)
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, ModelInfo, Priority, Special, Text, Usage
from tests.engine.daemon.scripted_backend import ScriptedBackend

MODEL = ModelInfo("fake", "plain", ("left-to-right",), context_tokens=1000, prompt_budget=100, bos=None)


@dataclass
class Daemon:
    """A daemon in the process of the test."""

    backend: ScriptedBackend
    queue: Queue
    app: App
    neighbours: Neighbours
    metrics: Metrics
    endpoint: Endpoint
    told_to_leave: asyncio.Event


@asynccontextmanager
async def daemon(folder: Path, name: str = "s", backend: ScriptedBackend | None = None) -> AsyncIterator[Daemon]:
    backend = backend or ScriptedBackend()
    queue = queue_for(backend)
    rates = Rates(folder / "rates.json")
    rates.put(backend.info.rate_key, Rate(100.0, 10.0))
    metrics = Metrics(backend.info, queue, rates, None)
    neighbours = Neighbours(queue, on_processor=True)
    generator = BackendEngine(backend, queue, on_usage=metrics.add)
    told = asyncio.Event()
    app = App(generator, metrics, neighbours, "secret", told.set)
    address = await app.listen(folder / name)
    try:
        yield Daemon(backend, queue, app, neighbours, metrics, Endpoint(address, "secret"), told)
    finally:
        await app.close()


@asynccontextmanager
async def talking(folder: Path) -> AsyncIterator[tuple[Daemon, EngineClient]]:
    async with daemon(folder) as found:
        client = EngineClient(found.endpoint, MODEL, salt="n")
        try:
            yield found, client
        finally:
            await client.aclose()


def asking(*parts: Special | Text, **more: object) -> GenerationRequest:
    return GenerationRequest(parts or (Text("abc"),), **{"max_tokens": 16, **more})  # type: ignore[arg-type]


async def answer(client: EngineClient, request: GenerationRequest) -> list[Chunk]:
    async with client.generate(request) as chunks:
        return [chunk async for chunk in chunks]


async def idle(queue: Queue) -> None:
    """Wait until nothing runs or waits."""
    async with asyncio.timeout(5):
        while queue.tickets:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_an_answer_and_everything_of_the_request_pass_the_wire(tmp_path: Path) -> None:
    request = asking(
        Special("<pre>"),
        Text("a\ud800é\n"),
        stop=("\n\n",),
        temperature=0.5,
        top_p=0.9,
        begins_with="x",
        time_limit_ms=70_000,
        conversation="file:///secret.py",
        logprobs=True,
    )
    async with talking(tmp_path) as (there, client):
        task = asyncio.create_task(answer(client, request))
        stream = await there.backend.next_stream()
        stream.write("x", "é漢😀\u2028")
        stream.end("!")
        chunks = await task
    assert stream.request.prompt == [100_000 + sum(map(ord, "<pre>")), ord("a"), ord("?"), ord("é"), ord("\n")]
    sampling = stream.request.sampling
    assert (sampling.stop, sampling.temperature, sampling.top_p) == (("\n\n",), 0.5, 0.9)
    assert (sampling.begins_with, sampling.time_limit_ms, sampling.logprobs) == ("x", 70_000, True)
    assert "secret" not in sampling.conversation
    assert [chunk.text for chunk in chunks] == ["x", "é漢😀\u2028", "!"]
    assert chunks[-1].finish is FinishReason.STOP
    assert chunks[-1].usage == Usage(5, 0, 2, 1.0, 1.0)


async def test_a_request_is_one_round_trip(tmp_path: Path) -> None:
    async with talking(tmp_path) as (there, client):
        paths: list[str] = []
        request = client._session._request

        async def record(method: str, path: str, **more: object) -> object:
            paths.append(path)
            return await request(method, path, **more)  # type: ignore[arg-type]

        client._session._request = record  # type: ignore[method-assign, assignment]
        task = asyncio.create_task(answer(client, asking()))
        (await there.backend.next_stream()).end("x")
        await task
    assert paths == [private_api.GENERATE]


async def test_two_clients_share_the_slot_of_a_document(tmp_path: Path) -> None:
    async with talking(tmp_path) as (there, client):
        other = EngineClient(there.endpoint, MODEL, salt="n")
        slots = []
        for each in (client, other, client):
            task = asyncio.create_task(answer(each, asking(conversation="file:///a.py")))
            stream = await there.backend.next_stream()
            stream.end()
            await task
            slots.append(stream.request.slot)
        await other.aclose()
    assert len(set(slots)) == 1


@pytest.mark.parametrize(
    "error",
    [
        PromptTooLong(9, 8),
        EngineBusy("loading"),
        EngineSilent("silent"),
        GenerationFailed("broken", hint="a hint"),
        EngineUnavailable("away"),
        ModelUnsupported("no such token"),
    ],
)
@pytest.mark.parametrize("begun", [False, True])
async def test_an_error_of_the_backend_is_raised_here(begun: bool, error: DevstralError, tmp_path: Path) -> None:
    async with talking(tmp_path) as (there, client):
        task = asyncio.create_task(answer(client, asking()))
        stream = await there.backend.next_stream()
        if begun:
            stream.write("x")
        stream.fail(error)
        with pytest.raises(type(error)) as caught:
            await task
        await idle(there.queue)
    assert (caught.value.message, caught.value.hint) == (error.message, error.hint)


async def test_a_prompt_longer_than_the_context_is_not_run(tmp_path: Path) -> None:
    async with talking(tmp_path) as (there, client):
        with pytest.raises(PromptTooLong) as caught:
            await answer(client, asking(Text("x" * 1000)))
        assert (caught.value.n_tokens, caught.value.limit) == (1000, 1000)
        assert not there.backend.opened


@pytest.mark.parametrize("n_pieces", [0, 2])
async def test_leaving_ends_the_generation_and_frees_the_slot(n_pieces: int, tmp_path: Path) -> None:
    async with talking(tmp_path) as (there, client):

        async def some() -> None:
            async with client.generate(asking()) as chunks:
                for _ in range(n_pieces):
                    await anext(chunks)
                if not n_pieces:
                    await anext(chunks)

        task = asyncio.create_task(some())
        stream = await there.backend.next_stream()
        stream.progress(1)
        stream.write(*"xy"[:n_pieces])
        if not n_pieces:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.wait_for(stream.left.wait(), 5)
        await idle(there.queue)
        assert there.queue.slots.n_busy == 0


async def test_a_request_that_waits_can_be_left_for_nothing(tmp_path: Path) -> None:
    async with talking(tmp_path) as (there, client):
        first = asyncio.create_task(answer(client, asking(conversation="a")))
        stream = await there.backend.next_stream()
        waiting = [asyncio.create_task(answer(client, asking(conversation=name))) for name in "bc"]
        async with asyncio.timeout(5):
            while len(there.queue.tickets) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        async with asyncio.timeout(5):
            while len(there.queue.tickets) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0)
        stream.end("x")
        assert (await first)[-1].text == "x"
        assert len(there.backend.opened) == 1


async def test_a_burst_of_cancelled_requests_leaves_nothing_behind(tmp_path: Path) -> None:
    async with talking(tmp_path) as (there, client):

        async def serve() -> None:
            while True:
                stream = await there.backend.next_stream()
                stream.write("x")
                stream.end()

        serving = asyncio.create_task(serve())
        for n in range(200):
            task = asyncio.create_task(answer(client, asking(Text(f"text {n}"), conversation=str(n))))
            for _ in range(n % 30):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert (await asyncio.wait_for(answer(client, asking()), 10))[0].text == "x"
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await idle(there.queue)
        assert there.queue.slots.n_busy == 0


async def test_a_client_that_does_not_read_loses_its_generation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that was stopped: its connection stays open, and nothing is taken from it."""
    monkeypatch.setattr(module, "_CLIENT_SECONDS", 0.05)
    async with daemon(tmp_path) as there:
        body = json.dumps(private_api.request_to_json(asking(max_tokens=1000), "c")).encode()
        head = f"POST {private_api.GENERATE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Length: {len(body)}"
        with socket.socket(socket.AF_UNIX) as stopped:
            stopped.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
            stopped.connect(there.endpoint.address.removeprefix("unix:"))
            stopped.sendall(head.encode() + b"\r\n\r\n" + body)
            stream = await there.backend.next_stream()
            stream.write(*["x" * 10_000] * 200)
            await asyncio.wait_for(stream.left.wait(), 10)
            await idle(there.queue)


async def test_typing_pauses_an_action_of_another_client(tmp_path: Path) -> None:
    async with talking(tmp_path) as (there, client):
        other = EngineClient(there.endpoint, MODEL, salt="n")
        action = asyncio.create_task(answer(client, asking(priority=Priority.ACTION, conversation="a")))
        first = await there.backend.next_stream()
        first.write("x")
        typed = asyncio.create_task(answer(other, asking(conversation="b")))
        await asyncio.wait_for(first.left.wait(), 5)
        inline = await there.backend.next_stream()
        assert inline.request.prompt == [97, 98, 99]
        inline.end("typed")
        assert (await typed)[-1].text == "typed"
        second = await there.backend.next_stream()
        assert second.request.prompt == [97, 98, 99, ord("x")]
        assert second.request.slot == first.request.slot
        second.end("y")
        assert "".join(chunk.text for chunk in await action) == "xy"
        await other.aclose()


async def test_nobody_there(tmp_path: Path) -> None:
    client = EngineClient(Endpoint(f"unix:{tmp_path}/none", "secret"), MODEL)
    with pytest.raises(EngineUnavailable):
        await answer(client, asking())
    with pytest.raises(EngineUnavailable):
        await client.attach(lambda prefill, decode: None)
    assert not await client.health()
    await client.aclose()


async def test_a_daemon_that_ends_in_the_middle(tmp_path: Path) -> None:
    async with talking(tmp_path) as (there, client):
        task = asyncio.create_task(answer(client, asking()))
        stream = await there.backend.next_stream()
        stream.write("x")
        await asyncio.sleep(0)
        await there.app.close()
        with pytest.raises((GenerationFailed, EngineUnavailable)):
            await asyncio.wait_for(task, 5)


async def test_a_daemon_of_another_version_is_not_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking(tmp_path) as (there, client):
        for name in ("GENERATE", "ATTACH", "STATUS"):
            monkeypatch.setattr(private_api, name, getattr(private_api, name).replace(private_api.ROOT, "/engine/v999"))
        with pytest.raises(EngineUnavailable, match="another version"):
            await answer(client, asking())
        with pytest.raises(EngineUnavailable):
            await client.attach(lambda prefill, decode: None)
        async with session_for(there.endpoint) as session:
            with pytest.raises(EngineUnavailable, match="another version"):
                await status(session)


async def test_a_silent_daemon_is_given_up_and_a_busy_one_is_not(tmp_path: Path) -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(swallow, tmp_path / "hangs")
    client = EngineClient(Endpoint(f"unix:{tmp_path}/hangs", "secret"), MODEL, silence=0.05)
    with pytest.raises(EngineSilent):
        await asyncio.wait_for(answer(client, asking()), 5)
    await client.aclose()
    server.close()
    async with daemon(tmp_path) as there:
        client = EngineClient(there.endpoint, MODEL, silence=0.02)
        task = asyncio.create_task(answer(client, asking()))
        stream = await there.backend.next_stream()
        await asyncio.sleep(0.3)  # many times as long as it may be silent
        stream.end("late")
        assert (await asyncio.wait_for(task, 5))[-1].text == "late"
        await client.aclose()


async def test_an_attached_client_hears_the_rates_and_the_end(tmp_path: Path) -> None:
    rates: list[tuple[float, float | None]] = []
    ended = asyncio.Event()
    async with talking(tmp_path) as (there, client):
        attachment = await client.attach(lambda prefill, decode: rates.append((prefill, decode)))
        attachment.on_end(ended.set)
        async with asyncio.timeout(5):
            while not rates:  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert rates == [(100.0, 10.0)]
        async with session_for(there.endpoint) as session:
            assert (await status(session))["clients"] == 1
            assert not await leave(session)
            await there.app.close()
        await asyncio.wait_for(ended.wait(), 5)
        assert not attachment.is_open
        await attachment.close()


async def test_without_clients_it_leaves_when_it_is_asked_to(tmp_path: Path) -> None:
    async with talking(tmp_path) as (there, client):
        attachment = await client.attach(lambda prefill, decode: None)
        await attachment.close()
        async with session_for(there.endpoint) as session:
            assert await leave(session)
        assert there.told_to_leave.is_set()


async def test_the_status_tells_the_queue_and_the_slots_but_no_text(tmp_path: Path) -> None:
    async with talking(tmp_path) as (there, client):
        task = asyncio.create_task(answer(client, asking(Text("a secret"), conversation="file:///secret.py")))
        stream = await there.backend.next_stream()
        async with session_for(there.endpoint) as session:
            told = await status(session)
        assert [(request["rank"], request["state"], request["slot"]) for request in told["queue"]] == [
            ("inline_cached", "running", 0)
        ]
        assert [slot["busy"] for slot in told["slots"]] == [True, False]
        assert "secret" not in json.dumps(told)
        stream.end()
        await task


async def test_engines_of_two_models_on_one_processor_yield_to_each_other(tmp_path: Path) -> None:
    async with daemon(tmp_path, "one") as one, daemon(tmp_path, "other") as other:
        async with session_for(one.endpoint) as session, session.ws_connect(private_api.NEIGHBOUR) as connection:
            talk = asyncio.create_task(other.neighbours.talk(connection))
            async with asyncio.timeout(5):
                while not (one.neighbours.n and other.neighbours.n):  # noqa: ASYNC110
                    await asyncio.sleep(0)
            for here, there in ((one, other), (other, one)):
                client = EngineClient(here.endpoint, MODEL)
                action = asyncio.create_task(answer(client, asking(priority=Priority.ACTION)))
                first = await here.backend.next_stream()
                first.write("x")
                with there.queue.enter(Rank.INLINE_CACHED, ""):
                    await asyncio.wait_for(first.left.wait(), 5)
                second = await here.backend.next_stream()
                second.end("y")
                assert "".join(chunk.text for chunk in await action) == "xy"
                await client.aclose()
            talk.cancel()
            await asyncio.gather(talk, return_exceptions=True)
        async with asyncio.timeout(5):
            while one.neighbours.n:  # noqa: ASYNC110
                await asyncio.sleep(0)


async def test_a_neighbour_that_is_gone_is_not_waited_for(tmp_path: Path) -> None:
    async with daemon(tmp_path) as here:
        async with session_for(here.endpoint) as session, session.ws_connect(private_api.NEIGHBOUR) as connection:
            await connection.send_str(json.dumps({"wanted": "INLINE_CACHED", "runs_inline": True}))
            client = EngineClient(here.endpoint, MODEL)
            async with asyncio.timeout(5):
                while not here.queue._others:  # noqa: ASYNC110
                    await asyncio.sleep(0)
            action = asyncio.create_task(answer(client, asking(priority=Priority.ACTION)))
            async with asyncio.timeout(5):
                while not here.queue.tickets:  # noqa: ASYNC110
                    await asyncio.sleep(0)
            assert not here.backend.opened
        (await here.backend.next_stream()).end("x")
        assert (await action)[-1].text == "x"
        await client.aclose()


async def test_a_neighbour_that_was_stopped_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection stays open, and nothing comes through it any more."""
    monkeypatch.setattr(neighbours, "_FORGET_SECONDS", 0.05)
    async with (
        daemon(tmp_path) as here,
        session_for(here.endpoint) as session,
        session.ws_connect(private_api.NEIGHBOUR) as connection,
    ):
        await connection.send_str(json.dumps({"wanted": "INLINE_CACHED", "runs_inline": True}))
        client = EngineClient(here.endpoint, MODEL)
        action = asyncio.create_task(answer(client, asking(priority=Priority.ACTION)))
        (await here.backend.next_stream()).end("x")
        assert (await action)[-1].text == "x"
        await client.aclose()


async def test_a_client_that_is_closed_in_the_middle_of_an_answer_fails_the_request(tmp_path: Path) -> None:
    async with talking(tmp_path) as (there, client):
        begun = asyncio.Event()

        async def read() -> None:
            async with client.generate(asking()) as chunks:
                async for _ in chunks:
                    begun.set()

        task = asyncio.create_task(read())
        (await there.backend.next_stream()).write("a")
        await asyncio.wait_for(begun.wait(), 5)
        await client.aclose()
        with pytest.raises(GenerationFailed, match="ended in the middle"):
            await asyncio.wait_for(task, 5)
        with pytest.raises(EngineUnavailable):
            await answer(client, asking())
