"""Servers of other people, of a few lines each: they check nothing themselves but note all, and misbehave on demand."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

QWEN = {"<|fim_prefix|>": 900, "<|fim_suffix|>": 901, "<|fim_middle|>": 902, "<|endoftext|>": 903, "<|im_end|>": 904}
QWEN |= {"<|im_start|>": 905, "<|vision_start|>": 906}

Answer = tuple[int, Any]


@dataclass
class FakeRemote:
    """Answers ``pages``: by path a status and a body, or a function from the request to them. A path in ``streams`` is
    answered by its parts: bytes as they are, numbers as pauses in seconds. Anything else is 404.
    """

    pages: dict[str, Answer | Callable[[dict[str, Any]], Answer]]
    streams: dict[str, list[Any]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """A client left in the middle of a stream."""
    key: str = ""
    """Wanted of every request, if any."""
    serving: set[asyncio.Task[Any]] = field(default_factory=set)

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [body for asked, body in self.requests if asked == path]

    def streamed(self) -> dict[str, Any]:
        """The one request that was to be streamed."""
        (body,) = [body for _, body in self.requests if body.get("stream")]
        return body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._one(reader, writer):
                    pass
        finally:
            self.serving.discard(task)
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
        body = json.loads(await reader.readexactly(length)) if length else {}
        path = head.split()[1]
        self.heads.append(head)
        self.requests.append((path, body))
        if self.key and f"authorization: bearer {self.key}\r\n" not in head.lower():
            await reply(writer, 401, {"error": {"message": "no", "code": "invalid_api_key"}})
        elif body.get("stream") and path in self.streams:
            return await self._stream(reader, writer, self.streams[path])
        else:
            page = self.pages.get(path, (404, {"detail": "Not Found"}))
            status, said = page(body) if callable(page) else page
            if isinstance(said, bytes):
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(said), said))
                await writer.drain()
            else:
                await reply(writer, status, said)
        return True

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, parts: list[Any]) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        gone = asyncio.create_task(reader.read())
        for part in parts:
            if isinstance(part, float):
                await asyncio.wait([gone], timeout=part)
            else:
                with suppress(ConnectionError):
                    writer.write(b"%x\r\n%s\r\n" % (len(part), part))
                    await writer.drain()
            if gone.done():
                self.left.set()
                return False
        gone.cancel()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return False


async def reply(writer: asyncio.StreamWriter, status: int, body: Any) -> None:
    """A whole answer: a string as it is, anything else as JSON."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nKeep-Alive: timeout=5\r\n\r\n%s" % (status, len(data), data))
    await writer.drain()


@asynccontextmanager
async def serving(fake: FakeRemote, port: int = 0, **more: Any) -> AsyncIterator[str]:
    """``fake`` on loopback: its address."""
    server = await asyncio.start_server(fake.serve, "127.0.0.1", port, **more)
    try:
        yield f"http{'s' * ('ssl' in more)}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        tasks = list(fake.serving)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def ids(text: str, names: Mapping[str, int]) -> list[int]:
    """Characters, and control tokens wherever they stand: as Hugging Face's tokenizers do."""
    found: list[int] = []
    while text:
        name = next((name for name in names if text.startswith(name)), "")
        found.append(names[name] if name else 1000 + ord(text[0]))
        text = text[len(name) or 1 :]
    return found


def sse(*events: Any) -> list[bytes]:
    return [b"data: " + (e if isinstance(e, bytes) else json.dumps(e).encode()) + b"\n\n" for e in events]


def ndjson(*events: Any) -> list[bytes]:
    return [json.dumps(event).encode() + b"\n" for event in events]


def text(piece: str, finish: str | None = None) -> dict[str, Any]:
    return {"object": "text_completion", "choices": [{"index": 0, "text": piece, "finish_reason": finish}]}


def delta(piece: str | None, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": finish}]}


MODELS = (200, {"object": "list", "data": [{"id": "org/coder", "max_model_len": 4096}, {"id": "other"}]})
USAGE = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
COMPLETION = sse(text("x"), text("_1"), text("", "stop"), USAGE, b"[DONE]")


def vllm(names: Mapping[str, int] = QWEN, **more: Any) -> FakeRemote:
    """Completions with ids, a tokenizer, conversations; the model's vocabulary has ``names``."""

    def tokenize(body: dict[str, Any]) -> Answer:
        return 200, {"tokens": [1] * body["add_special_tokens"] + ids(body["prompt"], names), "max_model_len": 4096}

    pages: dict[str, Any] = {"/v1/models": MODELS, "/tokenize": tokenize}
    pages |= {"/v1/completions": (200, text("x", "length")), "/v1/chat/completions": (200, delta("x", "length"))}
    return FakeRemote(pages, {"/v1/completions": COMPLETION}, **more)


def completions_only(name: str = "Qwen2.5-Coder-7B") -> FakeRemote:
    """Text in, text out, and nothing else."""
    pages: dict[str, Any] = {"/v1/models": (200, {"data": [{"id": name}]}), "/v1/completions": (200, text("x"))}
    return FakeRemote(pages, {"/v1/completions": COMPLETION})


def chat_only() -> FakeRemote:
    """Nothing but conversations."""
    pages: dict[str, Any] = {"/v1/models": MODELS, "/v1/chat/completions": (200, delta("x"))}
    says = sse(delta(None), delta("```py\nx = "), delta("fo"), delta("o(y)\nz"), delta("\n```"), delta("", "stop"))
    return FakeRemote(pages, {"/v1/chat/completions": [*says, *sse(b"[DONE]")]})


QWEN_TEMPLATE = "{{ if .Suffix }}<|fim_prefix|>{{ .Prompt }}<|fim_suffix|>{{ .Suffix }}<|fim_middle|>{{ end }}"


def ollama(verbose: bool = True) -> FakeRemote:
    """An Ollama with one model; without ``verbose`` it keeps the vocabulary to itself, as old ones do."""
    facts: dict[str, Any] = {"general.architecture": "qwen2", "qwen2.context_length": 32768}
    facts |= {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "qwen2"}
    if verbose:
        facts |= {"tokenizer.ggml.tokens": ["a", "b", *QWEN], "tokenizer.ggml.token_type": [1, 1] + [3] * len(QWEN)}

    def show(body: dict[str, Any]) -> Answer:
        if body["model"] != "coder:latest":
            return 404, {"error": "model not found"}
        return 200, {"template": QWEN_TEMPLATE, "model_info": facts}

    pages: dict[str, Any] = {"/api/version": (200, {"version": "0.12.3"}), "/api/show": show}
    pages["/api/tags"] = (200, {"models": [{"name": "coder:latest"}]})
    end = {"response": "", "done": True, "done_reason": "length", "prompt_eval_count": 7, "prompt_eval_duration": 2e6}
    says = ndjson({"response": "x", "done": False}, {"response": "_1", "done": False}, end)
    return FakeRemote(pages, {"/api/generate": says})


def llama_server() -> FakeRemote:
    """llama-server's own way, with a vocabulary like Qwen's and no BOS."""

    def tokenize(body: dict[str, Any]) -> Answer:
        return 200, {"tokens": ids(body["content"], QWEN if body["parse_special"] else {})}

    props = {"default_generation_settings": {"n_ctx": 2048}, "total_slots": 3, "model_path": "/m/coder.gguf"}
    pages: dict[str, Any] = {"/props": (200, props), "/tokenize": tokenize, "/health": (200, {})}
    pages["/v1/models"] = (200, {"data": [{"id": "coder", "meta": {"vocab_type": 2, "n_vocab": 1000}}]})
    timings = {"cache_n": 1, "prompt_n": 2, "prompt_ms": 3, "predicted_n": 2, "predicted_ms": 4}
    end = {"content": "", "stop": True, "stop_type": "eos", "timings": timings}
    says = sse({"content": "x", "stop": False}, {"content": "_1", "stop": False}, end)
    return FakeRemote(pages, {"/completion": says})
