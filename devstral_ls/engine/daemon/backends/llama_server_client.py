"""A connection to a llama-server of ours: its tokenizer, its streams and its count of batches."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import cast

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from devstral_ls.engine.daemon.backends import llama_server_api as api
from devstral_ls.engine.daemon.backends.backend import BackendRequest, Event
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.open_responses import OpenResponses
from devstral_ls.engine.unix_socket import OwnUnixConnector
from devstral_ls.errors import EngineUnavailable, GenerationFailed

_ASK_SECONDS = 5.0
"""For the tokenizer and the count of batches: both are answered between two batches at the latest."""

_LINE_BYTES = 1 << 20
"""The longest line of a stream."""

_STREAM_BYTES = 1 << 20
_TOKEN_BYTES = 4096
"""A stream may be ``_STREAM_BYTES`` long, and this much more for each token requested: ten times what is usual."""

_EVENT_BYTES = 256
"""Of those, for each event: 4096 events and 16 for each token."""


class LlamaServerClient:
    """A connection for each request: opening one takes 0.1 ms, and llama-server closes idle ones when it likes."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        """Where the server listens."""
        connector: OwnUnixConnector | TCPConnector
        if endpoint.address.startswith("unix:"):
            path = endpoint.address.removeprefix("unix:")
            connector, base_url = OwnUnixConnector(path, force_close=True), "http://llama"
        else:
            connector, base_url = TCPConnector(limit=0, force_close=True), endpoint.address
        self._session = ClientSession(
            base_url,
            connector=connector,
            headers={"Authorization": f"Bearer {endpoint.api_key}"},
            timeout=ClientTimeout(total=None),
            read_bufsize=_LINE_BYTES,
            trust_env=False,
        )
        self._responses = OpenResponses()

    async def aclose(self) -> None:
        """Close all connections; streams still open fail."""
        self._responses.fail()
        await self._session.close()

    async def tokenize(self, text: str, *, parse_special: bool = False) -> list[int]:
        """See ``Backend``."""
        body = api.tokenize_body(text, parse_special=parse_special)
        return api.tokens_of(await self._fetch("POST", api.TOKENIZE, body))

    @asynccontextmanager
    async def stream(self, request: BackendRequest) -> AsyncIterator[AsyncIterator[Event]]:
        """See ``Backend``. A slot whose request was left is busy until the end of the batch; llama-server lets the next
        one wait for that.
        """
        async with aclosing(self._events(request)) as events:
            yield events

    async def progress(self) -> str | None:
        """See ``Backend``: how many batches were evaluated."""
        try:
            metrics = await self._fetch("GET", api.METRICS)
        except (GenerationFailed, EngineUnavailable):
            return None
        lines = metrics.decode("utf-8", "replace").splitlines()
        return next((line for line in lines if line.startswith(api.BATCHES)), "")

    async def _events(self, request: BackendRequest) -> AsyncGenerator[Event, None]:
        body = api.completion_body(cast("list[int]", request.prompt), request.sampling, return_tokens=request.resumable)
        if request.slot is not None:
            body["id_slot"] = request.slot
        limit = _STREAM_BYTES + _TOKEN_BYTES * request.sampling.max_tokens
        n_bytes = n_events = 0
        try:
            with self._responses.reading(await self._session.post(api.COMPLETION, json=body)) as response:
                if response.status != 200:
                    raise api.error_of(response.status, await response.read())
                async for line in response.content:
                    n_bytes += len(line)
                    event = api.event_of(line)
                    if event is not None:
                        n_events += 1
                        yield event
                    if n_bytes > limit or n_events > limit // _EVENT_BYTES:
                        raise GenerationFailed("the engine answers without an end")
        except (ClientError, OSError, ValueError) as error:
            raise GenerationFailed("llama.cpp ended in the middle of an answer") from error

    async def _fetch(self, method: str, path: str, body: object = None) -> bytes:
        try:
            async with self._session.request(method, path, json=body, timeout=ClientTimeout(_ASK_SECONDS)) as response:
                content = await response.read()
        except (ClientError, OSError, TimeoutError) as error:
            raise EngineUnavailable(f"llama.cpp does not answer: {error!r:.200}") from error
        if response.status != 200:
            raise api.error_of(response.status, content)
        return content
