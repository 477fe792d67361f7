"""The daemon's HTTP: the private API, on a Unix socket in the user's own folder or on loopback with a key."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from devstral_ls.engine.daemon import private_api
from devstral_ls.engine.daemon.backend_engine import BackendEngine
from devstral_ls.engine.daemon.metrics import Metrics
from devstral_ls.engine.daemon.neighbours import Neighbours
from devstral_ls.engine.runtime_dir import LOOPBACK
from devstral_ls.errors import DevstralError
from devstral_ls.platform.users import stranger_at

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_CLIENT_SECONDS = 10.0
"""A client that does not read what it asked for is stopped or gone: after so long its generation ends."""

_PULSE_SECONDS = 5.0
"""Between two signs of life on a WebSocket: one that does not answer them is closed."""


class App:
    """The HTTP side of one daemon. ``listen`` once, ``close`` at the end."""

    def __init__(
        self,
        generator: BackendEngine,
        metrics: Metrics,
        neighbours: Neighbours,
        api_key: str,
        leave: Callable[[], None],
    ) -> None:
        """``leave`` is called when a client asks the daemon to leave and no other is attached."""
        self._generator = generator
        self._metrics = metrics
        self._neighbours = neighbours
        self._api_key = api_key.encode()
        self._leave = leave
        self._attached = set[web.WebSocketResponse]()
        self._runner: web.AppRunner | None = None

    @property
    def n_attached(self) -> int:
        """Clients that are attached now."""
        return len(self._attached)

    async def listen(self, socket: Path | None) -> str:
        """Answer on ``socket``, or on a free port of loopback: the address, as ``Endpoint`` has it."""
        app = web.Application(middlewares=[self._checked], client_max_size=private_api.MAX_REQUEST_BYTES)
        app.router.add_post(private_api.GENERATE, self._generate)
        app.router.add_get(private_api.HEALTH, self._health)
        app.router.add_get(private_api.STATUS, self._status)
        app.router.add_get(private_api.ATTACH, self._attach)
        app.router.add_get(private_api.NEIGHBOUR, self._neighbour)
        app.router.add_post(private_api.LEAVE, self._may_leave)
        # A client that closes its connection cancels its handler, and with it the generation.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        if socket is None:
            site: web.BaseSite = web.TCPSite(self._runner, LOOPBACK, 0)
            await site.start()
            host, port = self._runner.addresses[0][:2]
            return f"http://{host}:{port}"
        socket.unlink(missing_ok=True)  # noqa: ASYNC240  nothing is answered yet
        await web.UnixSite(self._runner, str(socket)).start()
        socket.chmod(0o600)  # noqa: ASYNC240
        return f"unix:{socket}"

    async def close(self) -> None:
        """Close all connections and stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _checked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Only requests with the key, from processes of this user (or root), and none that a web page could make."""
        if request.transport is None or stranger_at(request.transport.get_extra_info("socket")) is not None:
            raise web.HTTPUnauthorized
        given = request.headers.get("Authorization", "").removeprefix("Bearer ").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._api_key) or "Origin" in request.headers:
            raise web.HTTPUnauthorized
        return await handler(request)

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        """A line for each chunk. Whatever fails is a line too: the stream may have begun."""
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        try:
            asked = private_api.request_from_json(await _json(request))
            async with self._generator.generate(asked) as chunks:
                async for chunk in chunks:
                    await _write(request, response, private_api.chunk_to_line(chunk))
        except DevstralError as error:
            await _write(request, response, private_api.error_to_line(error))
        await response.write_eof()
        return response

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _status(self, _request: web.Request) -> web.Response:
        body = self._metrics.report() | {"clients": self.n_attached, "neighbours": self._neighbours.n}
        return web.json_response(body)

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        """The daemon stays while this is open; each change of the measured rate is told."""
        socket = web.WebSocketResponse(heartbeat=_PULSE_SECONDS)
        await socket.prepare(request)
        self._attached.add(socket)
        stop = self._metrics.watch_rate(lambda rate: _tell(socket, {"rate": rate}))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and message.data == "recalibrated":
                    self._metrics.recalibrated()
        finally:
            stop()
            self._attached.discard(socket)
        return socket

    async def _neighbour(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self._neighbours.talk(socket)
        return socket

    async def _may_leave(self, _request: web.Request) -> web.Response:
        for _ in range(3):  # a client that closed its connection before this one is noticed first
            await asyncio.sleep(0)
        unused = self.n_attached == 0
        if unused:
            self._leave()
        return web.json_response({"leaving": unused})


async def _json(request: web.Request) -> Any:
    return json.loads(await request.read())


async def _write(request: web.Request, response: web.StreamResponse, data: bytes) -> None:
    """Send ``data``; a client that does not read it loses its connection."""
    try:
        async with asyncio.timeout(_CLIENT_SECONDS):
            if not response.prepared:
                await response.prepare(request)
            await response.write(data)
    except TimeoutError:
        with contextlib.suppress(AttributeError):
            request.transport.abort()  # type: ignore[union-attr]
        raise asyncio.CancelledError from None


def _tell(socket: web.WebSocketResponse, values: dict[str, Any]) -> None:
    """Send without waiting: what is told is small, and the heartbeat closes a socket that is not read."""
    task = asyncio.ensure_future(socket.send_str(json.dumps(values)))
    task.add_done_callback(_forget)


def _forget(task: asyncio.Future[None]) -> None:
    with suppress(asyncio.CancelledError, ConnectionError):
        task.result()
