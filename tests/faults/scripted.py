"""An engine that somebody else runs, which writes well, slowly, or nonsense, as it is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.engine.fake_remote import FakeRemote, llama_server, sse

PATH = "/completion"


@dataclass
class Scripted(FakeRemote):
    """A llama-server by its own account."""

    junk: bytes | None = None
    """Said to whatever is asked, instead of HTTP."""

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if self.junk is None:
            return await super()._one(reader, writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.junk)
        await writer.drain()
        return False


def scripted() -> Scripted:
    """One that writes at once."""
    timings = {"cache_n": 1, "prompt_n": 2, "prompt_ms": 3, "predicted_n": 2, "predicted_ms": 4}
    end = {"content": "", "stop": True, "stop_type": "eos", "timings": timings}
    says = sse({"content": " 2", "stop": False}, {"content": ")", "stop": False}, end)
    return Scripted(llama_server().pages, {PATH: says})
