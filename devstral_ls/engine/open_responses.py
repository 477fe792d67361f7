"""The responses of a session whose bodies are being read: they fail when the session is closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import ClientConnectionError, ClientResponse


class OpenResponses:
    """Closing an aiohttp session wakes no reader of a response (seen in 3.14), so call ``fail`` before."""

    def __init__(self) -> None:
        self._open = set[ClientResponse]()

    @contextmanager
    def reading(self, response: ClientResponse) -> Iterator[ClientResponse]:
        """``response``, closed at the end of the block: a connection that is closed cancels what is left."""
        self._open.add(response)
        try:
            yield response
        finally:
            self._open.discard(response)
            response.close()

    def fail(self) -> None:
        """Raise ``ClientConnectionError`` from every read that waits, and from those to come."""
        for response in tuple(self._open):
            response.content.set_exception(ClientConnectionError("the connection was closed"))
