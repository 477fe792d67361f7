"""HTTP to a remote engine: bounded in bytes and time, never redirected, cancelled by closing."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from devstral_ls.engine.daemon.backends.remote.deadlines import DEADLINES, Deadline
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.open_responses import OpenResponses
from devstral_ls.engine.unix_socket import OwnUnixConnector
from devstral_ls.errors import EngineUnavailable, GenerationFailed

CONNECT_SECONDS = 5.0

MAX_LINE_BYTES = 1 << 20
"""Of one line of a stream: a server that sends the prompt back at the end has a long one."""

MAX_BODY_BYTES = 1 << 24
"""Of an answer that is read as a whole: the ids of a long text."""

_STRANGER = "Your code would be sent to it; set engine.allowRemote to true if that is what you want."

_RETRY_SECONDS = (0.1, 0.4)
"""Before a further attempt to connect, at random in between: many clients must not come back in step."""


class Http:
    """Connections to one server; ``aclose`` at the end. Made within a running event loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        trusted: ssl.SSLContext | None,
        *,
        seconds: float = DEADLINES.request,
        retries: int = 0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``trusted`` is what ``guards.trust`` gave; a request that is not streamed may take ``seconds``; ``retries``
        are those of a failed connect.
        """
        self._seconds = seconds
        self._retries = retries
        self._sleep = sleep
        self._base, connector = _connector(endpoint, trusted)
        self._responses = OpenResponses()
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=_headers(endpoint),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,  # no proxy and no .netrc: neither code nor key goes where the user did not send it
        )

    async def aclose(self) -> None:
        """Close all connections; streams still open fail."""
        self._responses.fail()
        await self._session.close()

    @asynccontextmanager
    async def streaming(self, path: str, body: object, deadline: Deadline) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response to ``body``, of which only the head is read. Leaving closes the connection, which is what cancels
        the request.

        Raises:
            EngineUnavailable: no answer.
            EngineTooSlow: no head until ``deadline``.
        """
        async with deadline.bounding():
            response = await self._send("POST", path, body)
        with self._responses.reading(response):
            yield response

    async def fetch(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """The status and the whole body.

        Raises:
            EngineUnavailable: no answer, or an incomplete one.
            EngineTooSlow: not the whole answer in time.
            GenerationFailed: the body is too long.
        """
        deadline = Deadline(self._seconds, f"the engine did not answer {path}")
        async with deadline.bounding():
            response = await self._send(method, path, body)
        with self._responses.reading(response):
            return response.status, await self.read(response, deadline)

    async def read(self, response: aiohttp.ClientResponse, deadline: Deadline) -> bytes:
        """The body of ``response``; raises as ``fetch``."""
        content = bytearray()
        try:
            while data := await _some(response, deadline):
                content += data
                if len(content) > MAX_BODY_BYTES:
                    raise GenerationFailed(f"the engine answered more than {MAX_BODY_BYTES >> 20} MB")
        except (aiohttp.ClientError, OSError) as error:
            raise EngineUnavailable(f"the engine broke off: {_words(error)}") from error
        return bytes(content)

    async def get_json(self, path: str) -> tuple[int, Any]:
        """The status and the value of the body; None where it is no JSON. Raises as ``fetch``."""
        status, content = await self.fetch("GET", path)
        return status, _json(content)

    async def post_json(self, path: str, body: object) -> tuple[int, Any]:
        """As ``get_json``."""
        status, content = await self.fetch("POST", path, body)
        return status, _json(content)

    async def _send(self, method: str, path: str, body: object) -> aiohttp.ClientResponse:
        for attempt in range(self._retries + 1):
            try:
                return await self._session.request(method, self._base + path, json=body, allow_redirects=False)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                if attempt == self._retries:
                    raise EngineUnavailable(f"the engine does not answer: {_words(error)}") from error
                await self._sleep(random.uniform(*_RETRY_SECONDS))  # noqa: S311  nothing secret
            except (aiohttp.ClientError, OSError, RuntimeError) as error:  # RuntimeError: the session was closed
                raise EngineUnavailable(f"the engine does not answer: {_words(error)}") from error
        raise AssertionError  # the last attempt returned or raised


async def _some(response: aiohttp.ClientResponse, deadline: Deadline) -> bytes:
    """What has come of the body; nothing at its end."""
    async with deadline.bounding():
        return await response.content.readany()


async def lines(response: aiohttp.ClientResponse, limit: int, deadline: Deadline) -> AsyncGenerator[bytes, None]:
    """The lines of the body, at line feeds only: JSON may hold U+2028.

    Raises:
        EngineTooSlow: ``deadline`` has passed.
        GenerationFailed: the connection broke off, a line is longer than ``MAX_LINE_BYTES``, or all are than ``limit``.
    """
    rest = bytearray()
    n_bytes = 0
    try:
        while data := await _some(response, deadline):
            n_bytes += len(data)
            if n_bytes > limit:
                raise GenerationFailed("the engine answers without an end")
            *whole, last = data.split(b"\n")
            for line in whole:
                yield bytes(rest) + line
                rest.clear()
            rest += last
            if len(rest) > MAX_LINE_BYTES:
                raise GenerationFailed("the engine writes a line without an end")
    except (aiohttp.ClientError, OSError) as error:
        raise GenerationFailed(f"the engine broke off: {_words(error)}") from error
    if rest:
        yield bytes(rest)


def _connector(endpoint: Endpoint, trusted: ssl.SSLContext | None) -> tuple[str, aiohttp.BaseConnector]:
    """What stands before each path, and the connector. One connection for each request: what is cancelled takes its
    connection with it, and none is used that the server may be about to close.
    """
    if endpoint.address.startswith("unix:"):
        path = endpoint.address.removeprefix("unix:")
        if endpoint.any_user:
            return "http://engine", aiohttp.UnixConnector(path, force_close=True, limit=0)
        return "http://engine", OwnUnixConnector(path, hint=_STRANGER, force_close=True)
    # Without TLS there is nothing to verify; with it there is always a context.
    return endpoint.address, aiohttp.TCPConnector(ssl=trusted or True, force_close=True, limit=0)


def _headers(endpoint: Endpoint) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}
    return headers | ({"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {})


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _words(error: BaseException) -> str:
    """The error in a few words; its representation may hold the whole request."""
    return f"{type(error).__name__}: {error}"[:200] if str(error) else type(error).__name__
