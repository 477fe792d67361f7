"""``RemoteBackend``: the row of remote engines. What differs between servers is its ``Dialect``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import aiohttp

from devstral_ls.engine.daemon.backends.backend import (
    BackendInfo,
    BackendRequest,
    Capabilities,
    Event,
    PreparedPrompt,
    Progress,
)
from devstral_ls.engine.daemon.backends.llama_server_api import tokens_of
from devstral_ls.engine.daemon.backends.remote.deadlines import DEADLINES, Deadline, Deadlines
from devstral_ls.engine.daemon.backends.remote.guards import trust
from devstral_ls.engine.daemon.backends.remote.http import CONNECT_SECONDS, Http, lines
from devstral_ls.engine.daemon.backends.remote.options import RemoteOptions
from devstral_ls.engine.daemon.backends.remote.probing import Probed, probe
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.errors import EngineError, EngineTooSlow, EngineUnavailable, GenerationFailed

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

    def __init__(self, endpoint: Endpoint, options: RemoteOptions, *, deadlines: Deadlines = DEADLINES) -> None:
        """``endpoint`` must have been checked (``checked_address``)."""
        self._endpoint = endpoint
        self._options = options
        self._deadlines = deadlines
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
        self._http = Http(self._endpoint, trusted, seconds=self._deadlines.request, retries=_RETRIES)
        self.probed = await self.probe()

    async def probe(self) -> Probed:
        """What is there now; it may have another model than when it was started. Raises as ``start``."""
        try:
            async with Deadline(self._deadlines.probe, "the engine did not tell what it is").bounding():
                return await probe(self._connections, self._options)
        except EngineTooSlow as error:
            raise EngineUnavailable(error.message, hint=error.hint) from error

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
        n_prompt, sampling = _n_tokens(request.prompt), request.sampling
        deadline = Deadline(self._deadlines.until_first_text(n_prompt), "the engine began no answer")
        limit = _STREAM_BYTES + _TOKEN_BYTES * sampling.max_tokens
        body = dialect.body(request, self.probed.remote_model)
        async with self._connections.streaming(dialect.completion, body, deadline) as response:
            if response.status != 200:
                raise dialect.error(response.status, await self._connections.read(response, deadline))
            until_end = self._deadlines.until_end(n_prompt, sampling)
            async with aclosing(self._events(response, limit, deadline, until_end)) as events:
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

    async def _events(
        self, response: aiohttp.ClientResponse, limit: int, deadline: Deadline, until_end: float
    ) -> AsyncGenerator[Event, None]:
        n_events = 0
        async with aclosing(lines(response, limit, deadline)) as stream:
            async for line in stream:
                event = self.probed.dialect.event(line)
                if event is None:  # a comment
                    continue
                if not isinstance(event, Progress):
                    deadline.move(until_end, "the engine did not end its answer")
                yield event
                n_events += 1
                if n_events >= limit // _EVENT_BYTES:
                    raise GenerationFailed("the engine answers without an end")
        raise GenerationFailed("the engine broke off in the middle of an answer")


def _n_tokens(prompt: PreparedPrompt) -> int:
    """The tokens of ``prompt``; of a text, more than it will have: code has three and more characters a token."""
    if isinstance(prompt, str):
        return len(prompt) // 2
    return sum(1 if isinstance(part, int) else len(part["content"]) // 2 for part in prompt)
