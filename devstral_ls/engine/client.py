"""``EngineClient``: the Engine protocol over the daemon's private API. One request is one round trip; leaving cancels it."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from hashlib import blake2b
from typing import Any

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    TCPConnector,
    WSMsgType,
)

from devstral_ls.engine.daemon import private_api
from devstral_ls.engine.daemon.interruption import Interruptible
from devstral_ls.engine.daemon.watchdog import Watchdog
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.open_responses import OpenResponses
from devstral_ls.engine.unix_socket import OwnUnixConnector
from devstral_ls.errors import EngineUnavailable, GenerationFailed
from devstral_ls.generation import Chunk, GenerationRequest, ModelInfo

PULSE_SECONDS = 5.0
"""For a daemon to say that it is there."""

SILENCE_SECONDS = 20.0
"""After so long without a word the daemon is asked whether it is there. It may have good reasons to be silent: a long
queue, or the prompt of another client; it watches the model itself."""

_STRANGER = "Nothing was sent to it. Set DEVSTRAL_LS_RUNTIME_DIR to a folder of your own."

_NO_LIMIT = ClientTimeout(total=None, sock_connect=PULSE_SECONDS)
_LINE_BYTES = 1 << 20


def session_for(endpoint: Endpoint) -> ClientSession:
    """Connections to the daemon at ``endpoint``, with its key, and never through a proxy."""
    connector: OwnUnixConnector | TCPConnector
    if endpoint.address.startswith("unix:"):
        connector, base_url = OwnUnixConnector(endpoint.address.removeprefix("unix:"), hint=_STRANGER), "http://engine"
    else:
        connector, base_url = TCPConnector(limit=0), endpoint.address
    return ClientSession(
        base_url,
        connector=connector,
        headers={"Authorization": f"Bearer {endpoint.api_key}", "Accept-Encoding": "identity"},
        timeout=_NO_LIMIT,
        read_bufsize=_LINE_BYTES,
        trust_env=False,
    )


class Attachment:
    """Keeps the daemon from leaving while it is open, hears its rates, and notices at once when it ends."""

    def __init__(self, socket: ClientWebSocketResponse, on_rate: Callable[[float, float | None], None]) -> None:
        self._socket = socket
        self._on_rate = on_rate
        self._task = asyncio.create_task(self._read(), name="devstral-ls attachment")

    @property
    def is_open(self) -> bool:
        """True until the daemon has ended the connection, by its own end or by leaving."""
        return not self._task.done()

    async def ended(self, seconds: float) -> bool:
        """Wait until the daemon has ended it, for ``seconds`` at most; True when it has."""
        await asyncio.wait([self._task], timeout=seconds)
        return self._task.done()

    def on_end(self, call: Callable[[], None]) -> None:
        """Call ``call`` when the daemon has ended it."""
        self._task.add_done_callback(lambda task: None if task.cancelled() else call())

    async def recalibrated(self) -> None:
        """Tell the daemon that a calibration was written."""
        if self.is_open:
            await self._socket.send_str("recalibrated")

    async def close(self) -> None:
        """Let go of the daemon. Again does nothing."""
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._socket.close()

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                rate = json.loads(message.data).get("rate")
                if rate is not None:
                    self._on_rate(*rate)


class EngineClient:
    """One daemon, as long as it lives. ``aclose`` at the end."""

    def __init__(
        self, endpoint: Endpoint, model: ModelInfo, *, salt: str = "", silence: float = SILENCE_SECONDS
    ) -> None:
        """``salt`` goes into what stands for a conversation on the wire: the same for all clients of one daemon, so that
        they go on from each other's cache. ``silence`` is in seconds.
        """
        self._model = model
        self._salt = salt.encode()
        self._unnamed = secrets.token_hex(8)
        self._beats = itertools.count()
        self._pulse_seconds = min(PULSE_SECONDS, silence)
        self._watchdog = Watchdog(silence, self._pulse)
        self._session = session_for(endpoint)
        self._responses = OpenResponses()

    @property
    def model(self) -> ModelInfo:
        """The model that answers."""
        return self._model

    def use_model(self, model: ModelInfo) -> None:
        """Describe the model by ``model`` from now on: its rates or its calibration have changed."""
        self._model = model

    async def aclose(self) -> None:
        """Close all connections; generations still running fail."""
        self._responses.fail()
        await self._session.close()

    @asynccontextmanager
    async def generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[Chunk]]:
        """Run ``request``; see ``generation.Engine``."""
        body = private_api.request_to_json(request, self._conversation(request.conversation))
        waits = Interruptible()
        with self._watchdog.watching(waits.interrupt) as note_event:
            response = await waits.wait(_send(self._session, "POST", private_api.GENERATE, body))
            with self._responses.reading(response):
                async with aclosing(_chunks(response, waits, note_event)) as chunks:
                    yield chunks

    async def health(self, seconds: float = PULSE_SECONDS) -> bool:
        """True when the daemon answers within ``seconds``."""
        try:
            async with asyncio.timeout(seconds), await _send(self._session, "GET", private_api.HEALTH):
                return True
        except (EngineUnavailable, TimeoutError):
            return False

    async def attach(self, on_rate: Callable[[float, float | None], None]) -> Attachment:
        """Keep the daemon; ``on_rate`` hears the rates it measures, prefill and decode in tokens a second.

        Raises:
            EngineUnavailable: it does not answer.
        """
        try:
            async with asyncio.timeout(PULSE_SECONDS):
                return Attachment(await self._session.ws_connect(private_api.ATTACH), on_rate)
        except (ClientError, OSError, TimeoutError) as error:
            raise _unavailable(error) from error

    async def _pulse(self) -> str | None:
        """For the watchdog: another word each time the daemon answers."""
        return str(next(self._beats)) if await self.health(self._pulse_seconds) else None

    def _conversation(self, name: str) -> str:
        """What stands for a conversation on the wire: documents' names stay in this process. Requests without a
        conversation go on from each other.
        """
        name = name or self._unnamed
        return blake2b(name.encode("utf-8", "replace"), digest_size=8, key=self._salt).hexdigest()


_ENDED = "the engine ended in the middle of an answer; it is started again by itself"

_REFUSED = {
    401: "the engine does not know our key",
    404: "the engine is of another version of devstral-ls",
}


async def _send(session: ClientSession, method: str, path: str, body: object = None) -> ClientResponse:
    """The response, of which only the head is read.

    Raises:
        EngineUnavailable: the daemon does not answer, or it is a daemon of another version or with another key.
    """
    try:
        response = await session.request(method, path, json=body, allow_redirects=False)
    except (ClientError, OSError, RuntimeError) as error:  # RuntimeError: the session was closed
        raise _unavailable(error) from error
    if response.status != 200:
        status = response.status
        response.close()
        raise EngineUnavailable(_REFUSED.get(status, f"the engine refused the request (status {status})"))
    return response


async def status(session: ClientSession) -> dict[str, Any]:
    """What a daemon says of its queue; see ``daemon.metrics``.

    Raises:
        EngineUnavailable: it does not answer.
    """
    return await _answer(session, "GET", private_api.STATUS)


async def leave(session: ClientSession) -> bool:
    """Ask a daemon to leave unless a client is attached; True when it does. Raises as ``status``."""
    return bool((await _answer(session, "POST", private_api.LEAVE, {}))["leaving"])


async def _answer(session: ClientSession, method: str, path: str, body: object = None) -> dict[str, Any]:
    try:
        async with asyncio.timeout(PULSE_SECONDS), await _send(session, method, path, body) as response:
            return dict(await response.json())
    except (ClientError, OSError, ValueError, TypeError, TimeoutError) as error:
        raise _unavailable(error) from error


async def _chunks(
    response: ClientResponse, waits: Interruptible, note_event: Callable[[], None]
) -> AsyncGenerator[Chunk, None]:
    """The answer, to its last chunk."""
    while True:
        line = await waits.wait(_line(response))
        if not line.endswith(b"\n"):
            raise GenerationFailed(_ENDED)
        note_event()
        chunk = private_api.chunk_from_line(line)
        yield chunk
        if chunk.finish is not None:
            return


async def _line(response: ClientResponse) -> bytes:
    try:
        return await response.content.readline()
    except (ClientError, OSError, ValueError) as error:
        raise GenerationFailed(_ENDED) from error


def _unavailable(error: BaseException) -> EngineUnavailable:
    if isinstance(error, ClientConnectorError):
        return EngineUnavailable(f"the engine does not answer: {error.os_error}"[:200])
    return EngineUnavailable(f"the engine does not answer: {type(error).__name__}")
