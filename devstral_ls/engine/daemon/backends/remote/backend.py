"""``RemoteBackend``: the row of remote engines. What differs between servers is its ``Dialect``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import aiohttp

from devstral_ls.engine.daemon.backends.backend import BackendInfo, BackendRequest, Capabilities, Event
from devstral_ls.engine.daemon.backends.llama_server_api import tokens_of
from devstral_ls.engine.daemon.backends.remote.guards import trust
from devstral_ls.engine.daemon.backends.remote.http import CONNECT_SECONDS, SILENCE_SECONDS, Http, lines
from devstral_ls.engine.daemon.backends.remote.options import RemoteOptions
from devstral_ls.engine.daemon.backends.remote.probing import Probed, probe
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.errors import EngineError, GenerationFailed

_RETRIES = 2
"""Of a connect that failed."""

_STREAM_BYTES = 1 << 20
_TOKEN_BYTES = 4096
"""A stream may be ``_STREAM_BYTES`` long, and this much more for each token requested: ten times what is usual."""
_EVENT_BYTES = 256
"""Of those, for each event: 4096 events and 16 for each token. One costs 0.05 ms here, however short it is."""

_PROGRESS_SECONDS = 2.0
"""For the server to answer whether it works on anything."""


class RemoteBackend:
    """A ``Backend`` at ``endpoint``. ``start`` finds out what is there."""

    def __init__(self, endpoint: Endpoint, options: RemoteOptions, *, silence: float = SILENCE_SECONDS) -> None:
        """``endpoint`` must have been checked (``checked_address``); ``silence`` is in seconds."""
        self._endpoint = endpoint
        self._options = options
        self._silence = silence
        self._http: Http | None = None

    @property
    def capabilities(self) -> Capabilities:
        """The columns of the server's dialect."""
        return self.probed.dialect.capabilities

    @property
    def info(self) -> BackendInfo:
        """What the server reports of itself."""
        return self.probed.info

    async def start(self) -> None:
        """Find out what the server is and which model it has.

        Raises:
            SettingsError: ``engine.caFile`` cannot be read.
            EngineError: no answer, our key is refused, or the server has no model.
        """
        trusted = await asyncio.to_thread(trust, self._endpoint)
        self._http = Http(self._endpoint, trusted, silence=self._silence, retries=_RETRIES)
        self.probed = await self.probe()

    async def probe(self) -> Probed:
        """What is there now; it may have another model than when it was started. Raises as ``start``."""
        return await probe(self._connections, self._options)

    async def health(self) -> bool:
        """True when the server answers and is ready."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return (await self._connections.fetch("GET", self.probed.dialect.health))[0] == 200
        except (EngineError, TimeoutError):
            return False

    async def stop(self) -> None:
        """Close all connections."""
        if self._http is not None:
            await self._http.aclose()

    async def tokenize(self, text: str, *, parse_special: bool = False) -> list[int]:
        """The ids of ``text``, from the server's tokenizer."""
        dialect = self.probed.dialect
        body = dialect.tokenize_body(text, parse_special, self.probed.remote_model)
        status, content = await self._connections.fetch("POST", dialect.tokenize, body)
        if status != 200:
            raise dialect.error(status, content)
        return tokens_of(content)

    @asynccontextmanager
    async def stream(self, request: BackendRequest) -> AsyncIterator[AsyncIterator[Event]]:
        """Run ``request``; leaving closes its connection."""
        dialect = self.probed.dialect
        limit = _STREAM_BYTES + _TOKEN_BYTES * request.sampling.max_tokens
        body = dialect.body(request, self.probed.remote_model)
        async with self._connections.streaming(dialect.completion, body) as response:
            if response.status != 200:
                raise dialect.error(response.status, await self._connections.read(response))
            async with aclosing(self._events(response, limit)) as events:
                yield events

    async def progress(self) -> str | None:
        """The server's count of evaluated batches, where its dialect has one."""
        path, start = self.probed.dialect.progress
        if not path:
            return None
        try:
            async with asyncio.timeout(_PROGRESS_SECONDS):
                _, content = await self._connections.fetch("GET", path)
        except (EngineError, TimeoutError):
            return None
        return next((line for line in content.decode("utf-8", "replace").splitlines() if line.startswith(start)), "")

    @property
    def _connections(self) -> Http:
        assert self._http is not None, "start() comes first"  # noqa: S101
        return self._http

    async def _events(self, response: aiohttp.ClientResponse, limit: int) -> AsyncGenerator[Event, None]:
        n_events = 0
        async with aclosing(lines(response, limit)) as stream:
            async for line in stream:
                event = self.probed.dialect.event(line)
                if event is None:  # a comment
                    continue
                yield event
                n_events += 1
                if n_events >= limit // _EVENT_BYTES:
                    raise GenerationFailed("the engine answers without an end")
        raise GenerationFailed("the engine broke off in the middle of an answer")
