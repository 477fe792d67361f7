"""A backend without a model: a test sees every stream that is opened, writes its events, and sees when it is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from devstral_ls.engine.daemon.backends.backend import (
    BackendInfo,
    BackendRequest,
    Capabilities,
    End,
    Event,
    Piece,
    Progress,
)
from devstral_ls.errors import DevstralError
from devstral_ls.generation import FinishReason, Usage


class Stream:
    """One run as the backend sees it."""

    def __init__(self, request: BackendRequest) -> None:
        self.request = request
        self.left = asyncio.Event()
        """Set when the caller has left the stream or read it to the end."""
        self._events = asyncio.Queue[Event | DevstralError]()
        self._n = 0

    def progress(self, processed: int, cached: int = 0) -> None:
        self._events.put_nowait(Progress(cached, processed, 1.0))

    def write(self, *texts: str) -> None:
        """A piece for each text, whose token id is the code point of its first character."""
        for text in texts:
            self._n += 1
            self._events.put_nowait(Piece(text, ord(text[0]) if text else None, self._n))

    def end(self, text: str = "", finish: FinishReason = FinishReason.STOP) -> None:
        self._events.put_nowait(End(text, finish, Usage(len(self.request.prompt), 0, self._n, 1.0, 1.0)))

    def fail(self, error: DevstralError) -> None:
        self._events.put_nowait(error)

    async def events(self) -> AsyncIterator[Event]:
        while True:
            event = await self._events.get()
            if isinstance(event, DevstralError):
                raise event
            yield event
            if isinstance(event, End):
                return


class ScriptedBackend:
    """Tokens are code points; ``<NAME>`` is a control token with an id from 100,000 on."""

    def __init__(
        self,
        capabilities: Capabilities | None = None,
        *,
        slots: int = 2,
        context_tokens: int = 1000,
        batch: int = 4,
    ) -> None:
        self.capabilities = capabilities or Capabilities(
            has_slots=True, is_shared_processor=True, resumable=True, logprobs=True
        )
        self.info = BackendInfo("scripted", context_tokens, slots, batch=batch)
        self.opened: list[Stream] = []
        """Every stream so far."""
        self.n_tokenized = 0
        self.pulse: str | None = "0"
        self.started = self.stopped = False
        self._new = asyncio.Queue[Stream]()

    async def start(self) -> None:
        self.started = True

    async def stop(self) -> None:
        self.stopped = True

    async def tokenize(self, text: str, *, parse_special: bool = False) -> list[int]:
        self.n_tokenized += 1
        if parse_special and text.startswith("<") and text.endswith(">"):
            return [100_000 + sum(map(ord, text))]
        return [ord(character) for character in text]

    @asynccontextmanager
    async def stream(self, request: BackendRequest) -> AsyncIterator[AsyncIterator[Event]]:
        stream = Stream(request)
        self.opened.append(stream)
        self._new.put_nowait(stream)
        try:
            yield stream.events()
        finally:
            stream.left.set()

    async def progress(self) -> str | None:
        return self.pulse

    async def next_stream(self) -> Stream:
        """The next stream that is opened, or was and nobody took."""
        async with asyncio.timeout(10):
            return await self._new.get()
