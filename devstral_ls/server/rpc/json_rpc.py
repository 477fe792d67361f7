"""One JSON-RPC connection: every request is answered, and no answer tells of the server's insides.

pygls keeps the table of handlers and builds the capabilities, lsprotocol has the types; why the loop between them is
ours is in ``docs/decisions/0007-our-own-json-rpc-loop.md``.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any, Protocol, TypeGuard

import attrs
from cattrs import Converter
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from devstral_ls.errors import DevstralError
from devstral_ls.server.reporting import Reporter
from devstral_ls.server.rpc.framing import framed
from devstral_ls.server.rpc.params import InvalidParams, ParamsReader
from devstral_ls.server.rpc.pending_requests import PendingRequests

_log = logging.getLogger(__name__)

VERSION = "2.0"

MessageId = int | str

Handler = Callable[[Any], Any]
"""Takes the parameters of a message; gives the result, or a coroutine that gives it."""

Error = types.ErrorCodes
LspError = types.LSPErrorCodes


class Host(Protocol):
    """What a connection needs of the server behind it."""

    @property
    def reporter(self) -> Reporter:
        """Logs what fails."""
        ...

    def handler(self, method: str) -> Handler | None:
        """The handler of ``method``; ``None`` without one."""
        ...

    def on_unreadable(self, method: str, message: dict[str, Any]) -> None:
        """The parameters of the notification ``message`` could not be read."""
        ...

    def log_message(self, direction: str, body: bytes) -> None:
        """Log that a message was ``sent`` or ``received``."""
        ...

    def leave(self, code: int) -> None:
        """End the process with ``code``: the client has said ``exit``, or no longer reads."""
        ...


class _Phase(Enum):
    """Where the session is; see "server lifecycle" in the LSP specification."""

    NEW = "new"
    INITIALIZED = "initialized"
    SHUT_DOWN = "shut down"


class JsonRpcConnection:
    """The connection to one client. ``open`` it once; then every message body goes through ``receive``.

    Handlers that are plain functions run inside ``receive``; those that are coroutine functions run as one task each.
    """

    def __init__(self, host: Host, converter: Converter) -> None:
        self._host = host
        self._converter = converter
        self._params = ParamsReader(converter)
        self._write: Callable[[bytes], object] | None = None
        self._phase = _Phase.NEW
        self._running: dict[MessageId, asyncio.Task[Any]] = {}
        """Requests of the client that are not answered yet."""
        self._pending = PendingRequests(self._send, converter)
        self._notified: set[asyncio.Task[Any]] = set()
        """Notifications that are being handled."""

    @property
    def n_open(self) -> int:
        """How many requests of either side wait for an answer."""
        return len(self._running) + len(self._pending)

    def open(self, write: Callable[[bytes], object]) -> None:
        """Send with ``write``, which raises ``OSError`` or ``ValueError`` when the client no longer reads."""
        self._write = write

    # --- messages of the client ---

    def receive(self, body: bytes) -> None:
        """Handle one message. Never raises."""
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            _log.error("a message of %d bytes is not JSON", len(body))
            self._refuse(None, Error.ParseError, "the message is not JSON")
            return
        self._host.log_message("received", body)
        with self._host.reporter.reporting(asked_for=False):
            self._dispatch(message)
            return
        if isinstance(message, dict) and "id" in message and "method" in message:
            self._refuse(message["id"], Error.InternalError, "internal error; see the server's log")

    def _dispatch(self, message: Any) -> None:
        if not isinstance(message, dict):
            self._refuse(None, Error.InvalidRequest, "a message is a JSON object")
            return
        msg_id, method = message.get("id"), message.get("method")
        is_id = _is_id(msg_id)
        if "method" not in message and is_id and msg_id in self._pending:
            self._pending.take(message)
        elif "method" not in message and ("result" in message or "error" in message):
            _log.debug("a response to a request that was not sent, or is no longer awaited")
        elif "id" in message:
            self._dispatch_request(message, msg_id if is_id else None, method)
        else:
            self._dispatch_notification(message, method)

    def _dispatch_request(self, message: dict[str, Any], msg_id: MessageId | None, method: object) -> None:
        if msg_id is None:
            self._refuse(None, Error.InvalidRequest, "an id is a number or a string")
        elif not isinstance(method, str) or message.get("jsonrpc") != VERSION:
            self._refuse(msg_id, Error.InvalidRequest, "expected jsonrpc 2.0 and a method")
        elif self._phase is _Phase.SHUT_DOWN:
            self._refuse(msg_id, Error.InvalidRequest, "the server is shutting down")
        elif msg_id in self._running:
            self._refuse(msg_id, Error.InvalidRequest, "id is in use")
        elif (self._phase is _Phase.NEW) is not (method == types.INITIALIZE):
            code = Error.ServerNotInitialized if self._phase is _Phase.NEW else Error.InvalidRequest
            self._refuse(msg_id, code, "initialize comes first, and once")
        elif (handler := self._host.handler(method)) is None:
            self._refuse(msg_id, Error.MethodNotFound, f"no such method: {method[:80]}")
        else:
            self._take_request(message, msg_id, method, handler)

    def _take_request(self, message: dict[str, Any], msg_id: MessageId, method: str, handler: Handler) -> None:
        try:
            params = self._params.read(message, method)
        except InvalidParams as invalid:
            _log.warning("%s with invalid parameters: %s", method, invalid)
            self._refuse(msg_id, Error.InvalidParams, f"invalid parameters: {invalid}")
            return
        if method == types.SHUTDOWN:
            self._phase = _Phase.SHUT_DOWN
            for running in list(self._running):
                self._cancel(running)
        result, error = _outcome(handler, params)
        if error is not None:
            self._fail(msg_id, error)
            return
        if method == types.INITIALIZE:
            self._phase = _Phase.INITIALIZED
        if not asyncio.iscoroutine(result):
            self._answer(msg_id, result)
            return
        task = self._running[msg_id] = asyncio.get_running_loop().create_task(result)
        task.add_done_callback(partial(self._request_done, msg_id))

    def _dispatch_notification(self, message: dict[str, Any], method: object) -> None:
        if not isinstance(method, str) or message.get("jsonrpc") != VERSION:
            _log.warning("a message that is neither request, notification nor response")
        elif method == types.EXIT:
            self._host.leave(0 if self._phase is _Phase.SHUT_DOWN else 1)
        elif self._phase is not _Phase.INITIALIZED:
            _log.debug("%s while the session is %s", method, self._phase.value)
        elif method == types.CANCEL_REQUEST:
            params = message.get("params")
            self._cancel(params.get("id") if isinstance(params, dict) else None)
        elif (handler := self._host.handler(method)) is None:
            _log.debug("no handler for %s", method)
        else:
            self._take_notification(message, method, handler)

    def _take_notification(self, message: dict[str, Any], method: str, handler: Handler) -> None:
        try:
            params = self._params.read(message, method)
        except InvalidParams as invalid:
            _log.warning("%s with invalid parameters: %s", method, invalid)
            self._host.on_unreadable(method, message)
            return
        result, error = _outcome(handler, params)
        if error is not None:
            self._host.reporter.bug(method, error)
        elif asyncio.iscoroutine(result):
            task = asyncio.get_running_loop().create_task(result)
            self._notified.add(task)  # the event loop itself keeps no task alive
            task.add_done_callback(partial(self._notification_done, method))

    def _notification_done(self, method: str, task: asyncio.Task[Any]) -> None:
        self._notified.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._host.reporter.bug(method, error)

    # --- answers ---

    def _cancel(self, msg_id: object) -> None:
        """Answer the request at once; its handler is cancelled, and may take its time."""
        if not _is_id(msg_id) or (task := self._running.pop(msg_id, None)) is None:
            return
        self._refuse(msg_id, LspError.RequestCancelled, "cancelled")
        task.cancel()

    def _request_done(self, msg_id: MessageId, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if self._running.get(msg_id) is not task:  # it was cancelled, and is answered
            return
        del self._running[msg_id]
        if task.cancelled():
            self._refuse(msg_id, LspError.RequestCancelled, "cancelled")
        elif error is not None:
            self._fail(msg_id, error)
        else:
            self._answer(msg_id, task.result())

    def _answer(self, msg_id: MessageId, result: object) -> None:
        try:
            self._send({"id": msg_id, "result": result})
        except (TypeError, ValueError, AttributeError) as error:  # not JSON
            self._host.reporter.bug("encoding an answer", error)
            self._refuse(msg_id, Error.InternalError, "internal error: the answer cannot be encoded")

    def _fail(self, msg_id: MessageId, error: BaseException) -> None:
        if isinstance(error, JsonRpcException):
            self._refuse(msg_id, error.code, error.message)
        elif isinstance(error, DevstralError):
            self._refuse(msg_id, LspError.RequestFailed, f"{error.message}. {error.hint}".strip())
        else:
            self._host.reporter.bug("a request", error)
            text = f"internal error ({type(error).__name__}); see the server's log"
            self._refuse(msg_id, Error.InternalError, text)

    def _refuse(self, msg_id: MessageId | None, code: int, message: str) -> None:
        self._send({"id": msg_id, "error": {"code": int(code), "message": message}})

    # --- messages of ours ---

    async def request(self, method: str, params: object) -> Any:
        """Send a request; the client's result, as the type that LSP has for it.

        Raises:
            JsonRpcException: the client answered with an error, or with a result that cannot be read.
        """
        return await self._pending.request(method, params)

    def notify(self, method: str, params: object) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        if self._write is None:
            return
        body = json.dumps({"jsonrpc": VERSION, **message}, default=self._plain, separators=(",", ":")).encode()
        self._host.log_message("sent", body)
        try:
            self._write(framed(body))
        except (OSError, ValueError):  # ValueError: the stream is closed
            self._write = None
            self._host.leave(1)

    def _plain(self, value: object) -> object:
        """``value`` as JSON has it."""
        if attrs.has(type(value)):
            return self._converter.unstructure(value)
        if isinstance(value, Enum):
            return value.value
        raise TypeError(f"{type(value).__name__} is not JSON")


def _outcome(handler: Handler, params: object) -> tuple[Any, Exception | None]:
    """What ``handler`` returns, or raises: the boundary around handlers that are plain functions."""
    try:
        return handler(params), None
    except Exception as error:  # noqa: BLE001
        return None, error


def _is_id(value: object) -> TypeGuard[MessageId]:
    """True for what may be the id of a message: a number or a string, and no boolean, which Python takes for a number."""
    return isinstance(value, int | str) and not isinstance(value, bool)
