"""One generation with a model that only evaluates and samples: its events, and the small server around it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from devstral_ls.engine.client import EngineClient
from devstral_ls.engine.ctransformers_http import DialectServer, Refused, asked
from devstral_ls.engine.ctransformers_run import Asked, Run
from devstral_ls.engine.dialects import DIALECTS
from devstral_ls.engine.rendezvous import Endpoint
from devstral_ls.errors import EngineUnavailable, GenerationFailed, PromptTooLong
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, ModelInfo, Text, Usage

EOS = 2
MODEL = ModelInfo("m", "plain", ("left-to-right",), 64, 32, None)


class ByteModel:
    """One token for each byte (3 + byte), which says what it is told to."""

    def __init__(self, says: str = "hello", n_context: int = 64, batch: int = 8) -> None:
        self.n_context, self.batch = n_context, batch
        self.pieces: Sequence[bytes] = [b"", b"", b"", *(bytes([byte]) for byte in range(256)), b"re", b"return"]
        self.says = says
        self.evaluated: list[int] = []
        self.calls: list[int] = []
        self.fails = False
        self._left: list[int] = []

    def tokenize(self, text: str) -> list[int]:
        return [3 + byte for byte in text.encode()]

    def reuse(self, prompt: Sequence[int]) -> int:
        n = 0
        while n < min(len(prompt) - 1, len(self.evaluated)) and prompt[n] == self.evaluated[n]:
            n += 1
        self.evaluated = self.evaluated[:n]
        self._left = [*self.tokenize(self.says), EOS]
        return n

    def evaluate(self, tokens: Sequence[int]) -> None:
        if self.fails:
            raise GenerationFailed("it failed")
        self.calls.append(len(tokens))
        self.evaluated += tokens

    def sample(self, temperature: float) -> int:
        return self._left.pop(0)

    def likeliest(self, among: Sequence[int]) -> int:
        return max(among, key=lambda token: len(self.pieces[token]))

    def ends(self, token: int) -> bool:
        return token == EOS


def events(model: ByteModel, prompt: str = "abc", max_tokens: int = 20, **more: Any) -> list[dict[str, Any]]:
    return list(Run(model, Asked(tuple(model.tokenize(prompt)), max_tokens, **more)).events())


def said(found: Sequence[dict[str, Any]]) -> tuple[str, str]:
    assert found[-1]["stop"]
    return "".join(event["content"] for event in found), found[-1]["stop_type"]


@pytest.mark.parametrize(
    ("says", "more", "text", "why"),
    [
        ("hello", {}, "hello", "eos"),
        ("hello", {"max_tokens": 2}, "he", "limit"),
        ("hello", {"stops": ("llo",)}, "he", "word"),
        ("hello", {"stops": ("lx", "o")}, "hell", "word"),
        ("hello", {"stops": ("lox",)}, "hello", "eos"),
        ("hell", {"stops": ("ll!",)}, "hell", "eos"),
        ("é漢😀", {}, "é漢😀", "eos"),
        ("é漢", {"max_tokens": 3}, "é\ufffd", "limit"),
        (" x", {"begins_with": "return"}, "return x", "eos"),
        ("!", {"begins_with": "r"}, "return!", "eos"),
        ("", {"begins_with": "é"}, "é", "eos"),
        ("y" * 99, {"max_tokens": -1}, "y" * 61, "limit"),
        ("hello", {"limit_ms": -1.0}, "h", "limit"),
    ],
)
def test_what_is_said_and_why_it_ends(says: str, more: dict[str, Any], text: str, why: str) -> None:
    assert said(events(ByteModel(says), **more)) == (text, why)


def test_a_long_prompt_is_evaluated_in_batches_that_are_told() -> None:
    found = events(ByteModel("", batch=8), "x" * 20)
    progress = [event["prompt_progress"] for event in found if "prompt_progress" in event]
    assert [(p["processed"], p["total"], p["cache"]) for p in progress] == [(8, 20, 0), (16, 20, 0), (20, 20, 0)]
    assert found[-1]["timings"]["prompt_n"] == 20


def test_what_was_evaluated_is_not_evaluated_again() -> None:
    model = ByteModel("yes")
    events(model, "abcdef")
    assert events(model, "abcdxy")[-1]["timings"]["cache_n"] == 4


def test_a_prompt_without_room() -> None:
    with pytest.raises(PromptTooLong):
        events(ByteModel(), "x" * 64)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"prompt": [1]}, 501),
        ({"stream": True, "prompt": "text"}, 400),
        ({"stream": True, "prompt": []}, 400),
        ({"stream": True, "prompt": [999]}, 400),
        ({"stream": True, "prompt": [-1]}, 400),
        ({"stream": True, "prompt": [True]}, 400),
        ({"stream": True, "prompt": [1], "n_predict": "many"}, 400),
        ({"stream": True, "prompt": [1], "grammar": 'root ::= "a" | "b"'}, 501),
    ],
)
def test_requests_that_are_refused(body: dict[str, Any], status: int) -> None:
    with pytest.raises(Refused) as caught:
        asked(body, 300)
    assert caught.value.status == status


@pytest.mark.parametrize("beginning", ["return", 'a"b\\c\n\t\r\x01', "é漢😀\u2028"])
def test_the_clients_request_is_understood(beginning: str) -> None:
    request = GenerationRequest((), 7, ("a", "b"), begins_with=beginning, time_limit_ms=500)
    body = DIALECTS["llama-server"].body([1, 2], request, None)
    assert asked(body, 300) == Asked((1, 2), 7, ("a", "b"), 0.0, beginning, 500.0)


class Served:
    """A server over a model, and the client of the project at its other end."""

    def __init__(self, model: ByteModel, socket: Path) -> None:
        self.model = model
        self.server = DialectServer(socket, "key", model, {"<s>": 1})
        self.server.start()
        self.usages: list[Usage] = []
        self.address = f"unix:{socket}"

    def client(self, key: str = "key") -> EngineClient:
        return EngineClient(Endpoint(self.address, key), MODEL, on_usage=self.usages.append)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    found = Served(ByteModel(), tmp_path / "s")
    yield found
    found.server.shutdown()
    found.server.server_close()


async def answer(client: EngineClient, text: str = "abc", **more: Any) -> list[Chunk]:
    async with client.generate(GenerationRequest((Text(text),), 20, **more)) as chunks:
        return [chunk async for chunk in chunks]


async def test_our_client_understands_it(served: Served) -> None:
    client = served.client()
    assert await client.health()
    for _ in range(2):  # the connection is used again
        chunks = await answer(client)
        assert "".join(chunk.text for chunk in chunks) == "hello"
        assert chunks[-1].finish is FinishReason.STOP
    while served.server.busy():  # noqa: ASYNC110  its thread ends after the answer
        await asyncio.sleep(0)
    totals = served.server.totals
    assert (totals["prompt_tokens_total"], totals["prompt_tokens_cached_total"]) == (4, 2)
    assert totals["tokens_predicted_total"] == 10
    assert served.usages[-1].generated_tokens == 5
    assert served.usages[-1].cached_tokens == 2
    assert await client.tokenize("é") == (3 + 0xC3, 3 + 0xA9)
    await client.aclose()


async def test_it_answers_on_loopback_too() -> None:
    server = DialectServer(("127.0.0.1", 0), "key", ByteModel(), {})
    server.start()
    client = EngineClient(Endpoint(f"http://127.0.0.1:{server.server_address[1]}", "key"), MODEL)
    assert "".join(chunk.text for chunk in await answer(client)) == "hello"
    await client.aclose()
    server.shutdown()
    server.server_close()


async def test_errors_are_those_of_llama_server(served: Served) -> None:
    client = served.client()
    with pytest.raises(PromptTooLong):
        await answer(client, "x" * 64)
    served.model.fails = True
    with pytest.raises(GenerationFailed, match="it failed"):
        await answer(client)
    stranger = served.client("guess")
    with pytest.raises(EngineUnavailable, match="key"):
        await answer(stranger)
    assert await stranger.health()
    await client.aclose()
    await stranger.aclose()


async def test_other_paths_and_bodies(served: Served) -> None:
    transport = httpx.AsyncHTTPTransport(uds=served.address.removeprefix("unix:"))
    headers = {"Authorization": "Bearer key"}
    async with httpx.AsyncClient(transport=transport, base_url="http://e", headers=headers) as http:
        assert (await http.get("/slots")).json() == [{"id": 0, "n_ctx": 64, "is_processing": False}]
        assert (await http.get("/metrics")).text.splitlines()[0] == "llamacpp:requests_processing 0"
        assert (await http.post("/detokenize", json={"tokens": [107, 108]})).json() == {"content": "hi"}
        assert (await http.post("/tokenize", json={"content": "<s>", "parse_special": True})).json() == {"tokens": [1]}
        assert (await http.post("/tokenize", json={"content": 3})).status_code == 400
        assert (await http.post("/tokenize", content=b"{")).status_code == 400
        assert (await http.post("/tokenize", json=[1])).status_code == 400
        assert (await http.get("/nowhere")).status_code == 404
        assert (await http.get("/slots", headers={"Authorization": "Bearer \xff".encode("latin-1")})).status_code == 401


async def test_who_leaves_frees_it_for_the_next(served: Served) -> None:
    served.model.says = "y" * 10_000
    served.model.n_context = 20_000
    clients = [served.client() for _ in range(3)]
    wishes = GenerationRequest((Text("abc"),), -1)
    async with clients[0].generate(wishes) as chunks:
        await anext(chunks)
        waiting = asyncio.create_task(answer(clients[1]))
        while served.server.queue.n_deferred < 1:  # noqa: ASYNC110  another thread counts
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        while served.server.queue.n_deferred:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert len(await asyncio.wait_for(answer(clients[2]), 10)) == 20
    assert served.usages[0].generated_tokens < 10_000
    for client in clients:
        await client.aclose()
