"""Requests of the server to the client that wait for their responses."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from cattrs import Converter
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from devstral_ls.server.rpc.params import InvalidParams, structured


class PendingRequests:
    """The requests of one connection.

    Args:
        send: sends a message, without its version.
        converter: reads results.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None], converter: Converter) -> None:
        self._send = send
        self._converter = converter
        self._pending: dict[str, tuple[str, asyncio.Future[Any]]] = {}
        """Methods and results to come, by id."""
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, msg_id: object) -> bool:
        return msg_id in self._pending

    async def request(self, method: str, params: object) -> Any:
        """Send a request; the client's result, as the type that LSP has for it.

        Raises:
            JsonRpcException: the client answered with an error, or with a result that cannot be read.
        """
        msg_id = f"devstral-ls/{next(self._numbers)}"
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[msg_id] = method, future
        try:
            self._send({"id": msg_id, "method": method, "params": params})
            return await future
        finally:
            self._pending.pop(msg_id, None)

    def take(self, response: dict[str, Any]) -> None:
        """The client responds to a pending request."""
        method, future = self._pending.pop(response["id"])
        if future.done():
            return
        error = response.get("error")
        if error is not None:
            text = error.get("message", "") if isinstance(error, dict) else ""
            future.set_exception(JsonRpcException(str(text), types.ErrorCodes.InternalError))
            return
        response.setdefault("result", None)
        kind = types.METHOD_TO_TYPES[method][1] if method in types.METHOD_TO_TYPES else None
        try:
            result = response["result"] if kind is None else structured(self._converter, response, kind).result
        except InvalidParams as invalid:
            future.set_exception(JsonRpcException(str(invalid), types.ErrorCodes.InvalidParams))
        else:
            future.set_result(result)
