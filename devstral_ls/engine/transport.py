"""One connection for each request: what is cancelled takes its connection with it and leaves nothing behind.

A pool is of no use here: opening a Unix socket takes 0.1 ms, and httpcore (1.0.9) never gives back the place of a
connection whose request was cancelled between being assigned to it and being sent. A burst of superseded requests
filled a pool of 24 for good.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx


class ConnectionPerRequest(httpx.AsyncBaseTransport):
    """A transport that makes another for each request and closes it with the response.

    Args:
        make: gives a transport that is used once.
    """

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._make = make

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request`` on a connection of its own."""
        transport = self._make()
        try:
            response = await transport.handle_async_request(request)
        except BaseException:
            await transport.aclose()
            raise
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_OwnedStream(response, transport),
            extensions=response.extensions,
        )


class _OwnedStream(httpx.AsyncByteStream):
    """A response's body; closing it closes its connection."""

    def __init__(self, response: httpx.Response, transport: httpx.AsyncBaseTransport) -> None:
        self._response = response
        self._transport = transport

    async def __aiter__(self) -> AsyncIterator[bytes]:
        stream = self._response.stream
        assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - what an async transport gives
        async for data in stream:
            yield data

    async def aclose(self) -> None:
        """Close both."""
        try:
            await self._response.aclose()
        finally:
            await self._transport.aclose()
