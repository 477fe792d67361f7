"""A llama-server of a few lines, whose answers a test scripts; it notes what it was asked and when a client left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SENTINELS = {"<pre>": 900, "<suf>": 901, "<mid>": 902, "<s>": 1}
USER_DEFINED = {"<mid>": 902}
"""Sentinels that even a text with special parsing off becomes, as llama.cpp does for tokens of this type."""


@dataclass
class FakeLlama:
    """One token is one character, but for ``SENTINELS``."""

    answer: list[Any] = field(default_factory=list)
    """Of a completion: bytes as they are, numbers as pauses in seconds, anything else as an event."""
    later: list[list[Any]] = field(default_factory=list)
    """The answers of the completions after the first."""
    busy: list[list[bool]] = field(default_factory=list)
    """What the next questions for the slots are answered; all idle after that."""
    batches: list[int] = field(default_factory=list)
    """What the next questions for the number of batches are answered; the same as before after that."""
    status: int = 200
    error: dict[str, Any] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """A completion was asked for."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """The client left in the middle of an answer."""
    n_written: int = 0
    """Parts of the answer that were written."""
    hang_up: int = 0
    """How many of the next requests get no answer but a closed connection."""

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [body for asked, body in self.requests if asked == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
        body = json.loads(await reader.readexactly(length)) if length else {}
        path = head.split()[1]
        self.heads.append(head)
        self.requests.append((path, body))
        if self.hang_up:
            self.hang_up -= 1
            return False
        if path == "/tokenize":
            await _reply(writer, 200, {"tokens": tokens(body["content"], body["parse_special"])})
            return True
        if path == "/slots":
            slots = self.busy.pop(0) if self.busy else []
            await _reply(writer, 200, [{"id": n, "is_processing": busy} for n, busy in enumerate(slots)])
            return True
        if path == "/metrics":
            n_batches = self.batches.pop(0) if self.batches else 7
            await _reply(writer, 200, f"\nllamacpp:n_decode_total {n_batches}\n")
            return True
        if self.status != 200 or path == "/health":
            await _reply(writer, self.status, {"error": self.error})
            return True
        self.asked.set()
        answer, self.answer = self.answer, self.later.pop(0) if self.later else self.answer
        await self._stream(answer, reader, writer)
        return False

    async def _stream(self, answer: list[Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        gone = asyncio.create_task(reader.read())
        for part in answer:
            if isinstance(part, float):
                await asyncio.wait([gone], timeout=part)
            else:
                data = part if isinstance(part, bytes) else b"data: " + json.dumps(part).encode() + b"\n\n"
                writer.write(b"%x\r\n%s\r\n" % (len(data), data))
                await writer.drain()
            self.n_written += 1
            if gone.done():
                self.left.set()
                return
        gone.cancel()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def tokens(text: str, parse_special: bool) -> list[int]:
    """Characters, with sentinels as one token where that is asked for, or where llama.cpp would do it anyhow."""
    found: list[int] = []
    at = 0
    while at < len(text):
        name = next(
            (name for name in (SENTINELS if parse_special else USER_DEFINED) if text.startswith(name, at)), None
        )
        found.append(SENTINELS[name] if name else 1000 + ord(text[at]))
        at += len(name) if name else 1
    return found


def piece(text: str) -> dict[str, Any]:
    return {"index": 0, "content": text, "tokens": [5], "stop": False, "tokens_predicted": 1, "tokens_evaluated": 1}


def progress(processed: int, total: int, cached: int = 0, ms: float = 10.0) -> dict[str, Any]:
    shown = {"total": total, "cache": cached, "processed": processed, "time_ms": ms}
    return {"index": 0, "content": "", "tokens": [0], "stop": False, "prompt_progress": shown}


def end(stop_type: str = "eos", **timings: float) -> dict[str, Any]:
    known = {"cache_n": 0, "prompt_n": 3, "prompt_ms": 30.0, "predicted_n": 2, "predicted_ms": 20.0}
    return {"content": "", "stop": True, "stop_type": stop_type, "timings": known | timings}


async def _reply(writer: asyncio.StreamWriter, status: int, body: Any) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nKeep-Alive: timeout=5\r\n\r\n%s" % (status, len(data), data))
    await writer.drain()


@asynccontextmanager
async def listening(fake: FakeLlama, socket: Path) -> AsyncIterator[str]:
    """``fake`` on the Unix socket ``socket``: its address."""
    server = await asyncio.start_unix_server(fake.serve, socket)
    try:
        yield f"unix:{socket}"
    finally:
        server.close()
