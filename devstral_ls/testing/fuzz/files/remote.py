"""Answers of a remote engine over a real socket to the real client: wrong types, broken and endless streams."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from devstral_ls.engine.daemon.backend_engine import BackendEngine
from devstral_ls.engine.daemon.backends.remote.backend import RemoteBackend
from devstral_ls.engine.daemon.backends.remote.deadlines import Deadlines
from devstral_ls.engine.daemon.backends.remote.options import RemoteOptions
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.errors import MAX_DISPLAYED, DevstralError
from devstral_ls.generation import GenerationRequest, Text
from devstral_ls.testing.fuzz.chance import Chance
from devstral_ls.testing.fuzz.files.kind import Read, damaged

DIALECTS = ("llama-server", "openai", "openai-chat", "ollama", "auto")
SILENCE_S = 0.15
"""Seconds of silence after which the client gives an engine up; a minute otherwise."""
DEADLINES = Deadlines(request=SILENCE_S, probe=4 * SILENCE_S, first_text=SILENCE_S, prompt_token=0.0, token=0.01)

_MOST_BYTES = 1 << 26
"""Bytes of an endless answer; the client must leave before."""

_MOST_SAID = MAX_DISPLAYED + 1
"""Most characters of an error's message."""

_TIMINGS = {"cache_n": 1, "prompt_n": 2, "predicted_n": 3, "prompt_ms": 1.5, "predicted_ms": 2.5}
_PAGES: dict[str, Any] = {
    "/props": {"default_generation_settings": {"n_ctx": 4096}, "total_slots": 2, "model_path": "/m/x.gguf", "chat_template": "x"},
    "/v1/models": {"data": [{"id": "x", "max_model_len": 4096, "meta": {"vocab_type": 2, "n_vocab": 100}}]},
    "/api/version": {"version": "0.9"},
    "/api/tags": {"models": [{"name": "x"}]},
    "/api/show": {"model_info": {"general.architecture": "a", "a.context_length": 4096, "tokenizer.ggml.model": "gpt2",
                                 "tokenizer.ggml.tokens": ["a", "<|fim_prefix|>"], "tokenizer.ggml.token_type": [1, 3]}, "template": "y"},
    "/tokenize": {"tokens": [5]},
    "/slots": [{"id": 0, "is_processing": False}],
    "/health": {"status": "ok"},
    "/metrics": "llamacpp:n_decode_total 5",
}  # fmt: skip
_STREAMS: dict[str, list[Any]] = {
    "/completion": [
        {"prompt_progress": {"cache": 0, "processed": 5, "time_ms": 1.5}},
        {"content": "a", "tokens": [5], "tokens_predicted": 1, "completion_probabilities": [{"logprob": -0.5}]},
        {"content": "", "stop": True, "stop_type": "eos", "timings": _TIMINGS},
    ],
    "/v1/completions": [{"choices": [{"text": "a", "finish_reason": None}]}, {"choices": [{"text": "", "finish_reason": "stop"}]}],
    "/v1/chat/completions": [{"choices": [{"delta": {"content": "a"}}]}, {"choices": [{"delta": {}, "finish_reason": "length"}]}],
    "/api/generate": [{"response": "a"}, {"done": True, "done_reason": "stop", "eval_count": 5, "eval_duration": 7}],
}  # fmt: skip
_ERRORS = (
    {"error": {"code": 500, "message": "x", "type": "exceed_context_size_error", "n_prompt_tokens": 5, "n_ctx": 4}}, {"error": "x"},
    {"error": {"message": "maximum context length is 4096 tokens. However, you requested 5000", "code": "7"}}, {"message": 5},
)  # fmt: skip
_HEADS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 307 X\r\nLocation: /props\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", b"HTTP/9.9 abc\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 50, b"\0" * 40, b"",
    b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 5_000 + b"\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\nabc", b"HTTP/1.1 101 X\r\nUpgrade: y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000, b"HTTP/1.1 204 No\r\n\r\n", b"SSH-2.0-x\r\n",
)  # fmt: skip
_BOMB = gzip.compress(b"0" * 20_000_000)


def make(chance: random.Random) -> bytes:
    """One engine as JSON: its dialect, and for each path the raw bytes of the response, and bytes repeated after it."""
    paths = [*_PAGES, *_STREAMS]
    broken = set(chance.sample(paths, k=chance.choice((1, 1, 2, 5, len(paths)))))
    pages = {
        path: (_broken(path, chance) if path in broken else [_whole(path).decode("latin-1"), ""]) for path in paths
    }
    return json.dumps({"dialect": chance.choice(DIALECTS), "pages": pages}).encode()


def _broken(path: str, chance: random.Random) -> list[str]:
    """The bytes sent, and the bytes repeated after them until the client leaves."""
    kind = chance.random()
    if kind < 0.12:
        head = chance.choice(_HEADS)
        sent = head + (_BOMB if b"gzip" in head else chance.randbytes(20))
        return [sent.decode("latin-1"), ""]
    if kind < 0.15:
        again = chance.choice(
            (b"data: {}\n\n", b": comment\n", b"x" * 1000, b"\n", b'{"response": "a"}\n', b"X-A: b\r\n")
        )
        return [(b"HTTP/1.1 200 OK\r\n\r\n" * chance.randint(0, 1)).decode(), again.decode()]
    if kind < 0.25:
        said = json.dumps(chance.choice(_ERRORS)).encode()
        status = chance.choice((400, 401, 403, 404, 422, 429, 500, 503, 999))
        return [_response(damaged(said, chance) if chance.random() < 0.3 else said, status).decode("latin-1"), ""]
    if kind < 0.3:
        return [
            _response(chance.choice((b"[" * 200_000, b"9" * 9_000, b"", b"\xff", b"data: " + b"[" * 90_000))).decode(
                "latin-1"
            ),
            "",
        ]
    whole = _whole(path, Chance(chance.random()))
    return [(damaged(whole, chance) if chance.random() < 0.4 else whole).decode("latin-1"), ""]


def _whole(path: str, changes: Chance | None = None) -> bytes:
    said = json.loads(json.dumps(_PAGES.get(path, _STREAMS.get(path))))
    if changes is not None and not isinstance(said, str):
        for _ in range(changes.random.choice((1, 1, 2, 3))):
            changes.damage(said)
    if path in _PAGES:
        return _response(json.dumps(said).encode())
    mark = b"" if path.startswith("/api") else b"data: "
    lines = [mark + json.dumps(event).encode() + b"\n\n"[: 1 + bool(mark)] for event in said]
    return b"HTTP/1.1 200 OK\r\n\r\n" + b"".join(lines)


def _response(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body)


class _Engine:
    """Sends the given bytes, whatever the request."""

    def __init__(self, pages: dict[str, list[str]]) -> None:
        self._pages = pages
        self.tasks: set[asyncio.Task[Any]] = set()
        self.writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.writers.add(writer)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._answer(reader, writer)
        finally:
            writer.close()
            self.tasks.discard(task)
            self.writers.discard(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
        await reader.readexactly(length)
        sent, again = self._pages.get(head.split()[1], ["HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", ""])
        writer.write(sent.encode("latin-1"))
        await writer.drain()
        more = again.encode("latin-1") * (65_536 // max(len(again), 1))
        for _ in range(_MOST_BYTES // max(len(more), 1) if more else 0):
            writer.write(more)
            await writer.drain()


def reader(folder: Path) -> Read:
    """Probes the engine, and sends a request."""
    socket = folder / "engine.sock"

    def read(data: bytes) -> str:
        socket.unlink(missing_ok=True)
        return asyncio.run(_asked(socket, json.loads(data), zlib.crc32(data)))

    return read


async def _asked(socket: Path, said: dict[str, Any], number: int) -> str:
    engine = _Engine(said["pages"])
    server = await asyncio.start_unix_server(engine.serve, str(socket))
    options = RemoteOptions(dialect=said["dialect"])
    backend = RemoteBackend(Endpoint(f"unix:{socket}", "key"), options, deadlines=DEADLINES)
    try:
        await backend.start()
        generator = BackendEngine(backend, model=backend.probed.model, silence=SILENCE_S, tokenizing=SILENCE_S)
        forced = "x" if number % 3 == 0 else ""
        request = GenerationRequest(
            (Text("a = <|fim_middle|>\ud83d"),), 16, begins_with=forced, logprobs=number % 2 == 0
        )
        n_characters = 0
        async with generator.generate(request) as chunks:
            async for chunk in chunks:
                n_characters += len(chunk.text)
        await backend.health()
    except DevstralError as error:
        if not error.message.isprintable():
            return f"BUG: {error.message!a}"
        return error.code if len(error.message) < _MOST_SAID else f"BUG: {len(error.message)} characters of a message"
    else:
        return "answered"
    finally:
        await backend.stop()
        server.close()
        for writer in list(engine.writers):
            writer.transport.abort()
        await asyncio.gather(*engine.tasks, return_exceptions=True)
