"""HTTP to one engine: bounded in bytes and in silence, never redirected, and quick to leave."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from devstral_ls.engine.endpoint import Endpoint, trust
from devstral_ls.errors import EngineSilent, EngineUnavailable, GenerationFailed

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 5.0

SILENCE_SECONDS = 300.0
"""No news for so long means that the engine hangs; a request that waits for a slot is silent too."""

MAX_LINE_BYTES = 1 << 20
"""Of one line of a stream: an engine that sends the prompt back at the end has a long one."""

MAX_BODY_BYTES = 1 << 24
"""Of an answer that is read as a whole: the ids of a long text."""

_RETRY_SECONDS = (0.1, 0.4)
"""Before a further attempt to connect, at random in between: many clients must not come back in step."""


class Http:
    """Connections to one engine. ``aclose`` at the end."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        silence: float = SILENCE_SECONDS,
        retries: int = 0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``silence``: seconds without news after which the engine is given up; ``retries``: of a failed connect."""
        self.silence = silence
        self._endpoint = endpoint
        self._retries = retries
        self._sleep = sleep
        self._client: httpx.AsyncClient | None = None

    @property
    def client(self) -> httpx.AsyncClient:
        """The connections themselves."""
        if self._client is None:
            self._client = _connect(self._endpoint, self.silence)
        return self._client

    async def aclose(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def send(self, method: str, path: str, body: object = None, *, patient: bool = False) -> httpx.Response:
        """The response, of which only the head is read. To be closed. ``patient`` waits for it, and for what follows,
        without end: somebody else looks at the clock.

        Raises:
            EngineUnavailable: nobody answers.
            EngineSilent: somebody is there, and says nothing.
        """
        import httpx

        for attempt in range(self._retries + 1):
            try:
                return await self._send(method, path, body, None if patient else self.silence)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if attempt == self._retries:
                    raise EngineUnavailable(f"the engine does not answer: {_words(error)}") from error
                await self._sleep(random.uniform(*_RETRY_SECONDS))  # noqa: S311  nothing secret
            except (httpx.ReadTimeout, TimeoutError) as error:
                raise EngineSilent(f"the engine said nothing for {self.silence:g} s") from error
            except httpx.TransportError as error:
                raise EngineUnavailable(f"the engine does not answer: {_words(error)}") from error
            except UnicodeEncodeError as error:  # our own texts are made sendable before
                raise EngineUnavailable("the engine calls its model what no text can say") from error
        raise AssertionError  # the last attempt returned or raised

    async def _send(self, method: str, path: str, body: object, seconds: float | None) -> httpx.Response:
        import httpx

        timeout = httpx.Timeout(seconds, connect=CONNECT_SECONDS)
        async with asyncio.timeout(seconds):  # a head that comes byte by byte never trips httpx's own limit
            request = self.client.build_request(method, path, json=body, timeout=timeout)
            return await self.client.send(request, stream=True)

    async def fetch(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """The status and the whole body.

        Raises:
            EngineUnavailable: nobody answers, or not to the end.
            GenerationFailed: the body is too long.
        """
        response = await self.send(method, path, body)
        try:
            return response.status_code, await self.read(response)
        finally:
            await response.aclose()

    async def read(self, response: httpx.Response) -> bytes:
        """The body of ``response``, as long as it is bearable; raises as ``fetch``."""
        import httpx

        content = bytearray()
        try:
            async with asyncio.timeout(self.silence):
                async for data in response.aiter_raw():
                    content += data
                    if len(content) > MAX_BODY_BYTES:
                        raise GenerationFailed(f"the engine answered more than {MAX_BODY_BYTES >> 20} MB")
        except (httpx.TransportError, httpx.StreamError, TimeoutError) as error:
            raise EngineUnavailable(f"the engine broke off: {_words(error)}") from error
        return bytes(content)

    async def get_json(self, path: str) -> tuple[int, Any]:
        """The status and what the body says; None where it is no JSON. Raises as ``fetch``."""
        status, content = await self.fetch("GET", path)
        return status, _json(content)

    async def post_json(self, path: str, body: object) -> tuple[int, Any]:
        """As ``get_json``."""
        status, content = await self.fetch("POST", path, body)
        return status, _json(content)


async def lines(response: httpx.Response, limit: int) -> AsyncGenerator[bytes, None]:
    """The lines of the body, at line feeds only: JSON may hold U+2028, at which httpx's own lines would break.

    Raises:
        GenerationFailed: a line is longer than ``MAX_LINE_BYTES``, or all of them than ``limit`` bytes.
    """
    rest = bytearray()
    n_bytes = 0
    async for data in response.aiter_raw():
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
    if rest:
        yield bytes(rest)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _words(error: BaseException) -> str:
    """The error in a few words; what httpx says may name the whole request."""
    return f"{type(error).__name__}: {error}"[:200] if str(error) else type(error).__name__


def _connect(endpoint: Endpoint, silence: float) -> httpx.AsyncClient:
    import httpx  # 125 ms: not before the server has answered `initialize`

    from devstral_ls.engine.transport import ConnectionPerRequest

    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)  # below that they print headers: the key
    socket = endpoint.address.removeprefix("unix:") if endpoint.address.startswith("unix:") else None
    verify = trust(endpoint) or False  # False only where there is no TLS at all; loaded once, not for each connection
    headers = {"Accept-Encoding": "identity"}
    if endpoint.api_key:
        headers["Authorization"] = f"Bearer {endpoint.api_key}"
    return httpx.AsyncClient(
        transport=ConnectionPerRequest(lambda: httpx.AsyncHTTPTransport(verify=verify, uds=socket, trust_env=False)),
        base_url="http://engine" if socket else endpoint.address,
        headers=headers,
        timeout=httpx.Timeout(silence, connect=CONNECT_SECONDS),
        follow_redirects=False,  # neither code nor key goes where the user did not send it
        trust_env=False,
    )
