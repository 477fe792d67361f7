"""JSON-RPC as we speak it, on top of pygls: every request is answered, and answers tell nothing of our insides.

What pygls 2.1 does otherwise, and why it is overridden here:

* it takes messages apart inside ``json.loads``, so that a request with wrong parameters is never answered;
* its error replies carry a traceback, and its notifications' errors pop up in the editor;
* it keeps a future for every notification it ever got, and for every handler of ours that one of its own calls;
* ``exit`` without ``shutdown`` ends with 0, and requests before ``initialize`` are answered.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import uuid
from collections.abc import Generator
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from cattrs import Converter
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import lsp_method

from devstral_ls.errors import DevstralError
from devstral_ls.server.params import InvalidParams, TriggerKinds, forgiving, heal_changes, structured, uri_of
from devstral_ls.server.sync import DocumentSync
from devstral_ls.server.wire import framed

if TYPE_CHECKING:
    from devstral_ls.server.app import DevstralServer

_log = logging.getLogger(__name__)

MsgId = int | str

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_NOT_INITIALIZED = -32002
REQUEST_CANCELLED = -32800
REQUEST_FAILED = -32803


class DevstralProtocol(DocumentSync):
    """The protocol of one connection."""

    _server: DevstralServer

    def __init__(self, server: DevstralServer, converter: Converter) -> None:
        super().__init__(server, converter)
        self._initialized = False
        self._unanswered: dict[MsgId, object] = {}
        """Requests that run, with a mark each: a cancelled one leaves at once, and its id may be another's."""
        self._trigger_kinds = TriggerKinds()

    # --- in ---

    def receive(self, body: bytes) -> None:
        """Take one message off the wire. Never raises."""
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            _log.error("a message of %d bytes is not JSON", len(body))
            self._refuse(None, PARSE_ERROR, "the message is not JSON")
            return
        self._server.log_message("received", body)
        self.handle_message(message)

    def structure_message(self, data: Any) -> Any:
        """Leave ``data`` as it is: messages are taken apart as a whole, in ``handle_message``."""
        return data

    def handle_message(self, message: Any) -> None:
        """Take one message as plain JSON to its handler, in a context of its own. Never raises."""
        with self._server.reporter.reporting(asked_for=False):
            contextvars.copy_context().run(self._dispatch, message)
            return
        if isinstance(message, dict) and "id" in message and "method" in message:
            self._refuse(message["id"], INTERNAL_ERROR, "internal error; see the server's log")

    def _dispatch(self, message: Any) -> None:
        if not isinstance(message, dict):
            self._refuse(None, INVALID_REQUEST, "a message is a JSON object")
            return
        msg_id, method = message.get("id"), message.get("method")
        is_id = isinstance(msg_id, int | str) and not isinstance(msg_id, bool)
        if "method" not in message and is_id and msg_id in self._result_types:
            self._handle_answer(message)
        elif "method" not in message and ("result" in message or "error" in message):
            _log.debug("an answer to a request we did not make, or no longer wait for")
        elif "id" in message:
            self._dispatch_request(message, msg_id if is_id else None, method)
        else:
            self._dispatch_notification(message, method)

    def _dispatch_request(self, message: dict[str, Any], msg_id: MsgId | None, method: object) -> None:
        if msg_id is None:
            self._refuse(None, INVALID_REQUEST, "an id is a number or a string")
        elif not isinstance(method, str) or message.get("jsonrpc") != self.VERSION:
            self._refuse(msg_id, INVALID_REQUEST, "expected jsonrpc 2.0 and a method")
        elif self._shutdown or msg_id in self._unanswered:
            self._refuse(msg_id, INVALID_REQUEST, "the server is shutting down" if self._shutdown else "id is in use")
        elif self._initialized is (method == types.INITIALIZE):
            code = INVALID_REQUEST if self._initialized else SERVER_NOT_INITIALIZED
            self._refuse(msg_id, code, "initialize comes first, and once")
        elif self._handler(method) is None:
            self._refuse(msg_id, METHOD_NOT_FOUND, f"no such method: {method[:80]}")
        else:
            self._take_request(message, msg_id, method)

    def _take_request(self, message: dict[str, Any], msg_id: MsgId, method: str) -> None:
        if method == types.TEXT_DOCUMENT_INLINE_COMPLETION:
            self._trigger_kinds.heal(message)
        try:
            params = self._params(message, method)
        except InvalidParams as error:
            _log.warning("%s with invalid parameters: %s", method, error)
            self._refuse(msg_id, INVALID_PARAMS, f"invalid parameters: {error}")
            return
        self._handle_request(msg_id, method, params)

    def _dispatch_notification(self, message: dict[str, Any], method: object) -> None:
        if not isinstance(method, str) or message.get("jsonrpc") != self.VERSION:
            _log.warning("a message that is neither request, notification nor answer")
        elif method == types.EXIT:
            self.lsp_exit()
        elif not self._initialized or self._shutdown:
            _log.debug("%s out of turn", method)
        elif method != types.CANCEL_REQUEST and self._handler(method) is None:
            _log.debug("no handler for %s", method)
        else:
            self._take_notification(message, method)

    def _take_notification(self, message: dict[str, Any], method: str) -> None:
        if method == types.TEXT_DOCUMENT_DID_CHANGE:
            heal_changes(message)
        try:
            params = self._params(message, method)
        except InvalidParams as error:
            _log.warning("%s with invalid parameters: %s", method, error)
            if method == types.TEXT_DOCUMENT_DID_CHANGE and (uri := uri_of(message)) is not None:
                self._server.forget(uri)  # better no document than one that is not what the client has
            return
        self._handle_notification(method, params)

    def _params(self, message: dict[str, Any], method: str) -> Any:
        """The parameters as the method's type has them; as plain JSON for methods that LSP does not know.

        Raises:
            InvalidParams: they do not fit.
        """
        kind = self.get_message_type(method)
        if kind is None:
            return message.get("params")
        read = forgiving if method == types.INITIALIZE else structured
        return read(self._converter, message, kind).params

    def _handle_answer(self, message: dict[str, Any]) -> None:
        """The client's answer to a request of ours."""
        msg_id = message["id"]
        future = self._request_futures.pop(msg_id, None)
        kind = self._result_types.pop(msg_id, None)
        if future is None or not future.set_running_or_notify_cancel():
            return
        error = message.get("error")
        if error is not None:
            told = error if isinstance(error, dict) else {}
            future.set_exception(JsonRpcException(str(told.get("message", "")), INTERNAL_ERROR))
            return
        message.setdefault("result", None)
        try:
            future.set_result(structured(self._converter, message, kind).result if kind else message["result"])
        except InvalidParams as invalid:
            future.set_exception(JsonRpcException(str(invalid), INVALID_PARAMS))

    # --- handlers ---

    def _handler(self, method: str) -> Any:
        return self.fm.builtin_features.get(method) or self.fm.features.get(method)

    def _handle_request(self, msg_id: MsgId, method_name: str, params: Any) -> None:
        self._ctx_msg_id.set(msg_id)
        mark = self._unanswered[msg_id] = object()
        done = partial(self._request_done, msg_id, mark)
        self._execute_handler(msg_id, self._handler(method_name), done, (params,))

    def _handle_notification(self, method_name: str, params: Any) -> None:
        if method_name == types.CANCEL_REQUEST:
            self._handle_cancel_notification(params.id)
            return
        done = partial(self._notification_done, method_name)
        self._execute_handler(str(uuid.uuid4()), self._handler(method_name), done, (params,))

    def _execute_handler(self, msg_id: MsgId, handler: Any, callback: Any, *args: Any, **kwargs: Any) -> None:
        def done(future: Future[Any]) -> None:
            if self._request_futures.get(msg_id) is future:
                del self._request_futures[msg_id]
            callback(future)

        super()._execute_handler(msg_id, handler, done, *args, **kwargs)

    def _notification_done(self, method: str, future: Future[Any]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            self._server.reporter.bug(method, error)

    def _handle_cancel_notification(self, msg_id: MsgId) -> None:
        if not isinstance(msg_id, int | str) or msg_id not in self._unanswered:  # its type lets anything through
            return
        del self._unanswered[msg_id]
        self._refuse(msg_id, REQUEST_CANCELLED, "cancelled")
        self._request_futures[msg_id].cancel()

    def _request_done(self, msg_id: MsgId, mark: object, future: Future[Any]) -> None:
        if self._unanswered.get(msg_id) is not mark:
            return
        del self._unanswered[msg_id]
        if future.cancelled():
            self._refuse(msg_id, REQUEST_CANCELLED, "cancelled")
            return
        error = future.exception()
        if error is None:
            self._answer(msg_id, future.result())
        elif isinstance(error, JsonRpcException):
            self._refuse(msg_id, error.code, error.message)
        elif isinstance(error, DevstralError):
            self._refuse(msg_id, REQUEST_FAILED, f"{error.message}. {error.hint}".strip())
        else:
            self._server.reporter.bug("a request", error)
            self._refuse(msg_id, INTERNAL_ERROR, f"internal error ({type(error).__name__}); see the server's log")

    def _answer(self, msg_id: MsgId, result: object) -> None:
        try:
            self._send_response(msg_id, result)
        except (TypeError, ValueError, AttributeError) as error:  # not JSON
            self._server.reporter.bug("encoding an answer", error)
            self._refuse(msg_id, INTERNAL_ERROR, "internal error: the answer cannot be encoded")

    # --- out ---

    def _refuse(self, msg_id: MsgId | None, code: int, message: str) -> None:
        self._send_data({"jsonrpc": self.VERSION, "id": msg_id, "error": {"code": code, "message": message}})

    def _send_response(
        self, msg_id: MsgId, result: Any | None = None, error: types.ResponseError | None = None
    ) -> None:
        if error is not None:
            self._refuse(msg_id, error.code, error.message)
        else:
            self._send_data({"jsonrpc": self.VERSION, "id": msg_id, "result": result})

    def _send_data(self, data: Any) -> None:
        if self.writer is None:
            return
        body = json.dumps(data, default=self._serialize_message, separators=(",", ":")).encode()
        self._server.log_message("sent", body)
        try:
            self.writer.write(framed(body))
        except (OSError, ValueError):  # ValueError: the stream is closed
            self.writer = None
            self._server.leave(1)

    # --- lifecycle ---

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        """Answer ``initialize``; ``lifecycle.initialize`` runs inside."""
        result = yield from super().lsp_initialize(params)
        self._initialized = True
        self._server.registration.announce(params.capabilities, result.capabilities, self._server.settings)
        return result

    @lsp_method(types.SHUTDOWN)
    async def lsp_shutdown(self, *_: Any) -> None:  # type: ignore[override]
        """Take no more requests, cancel the running ones, give the engine back."""
        self._shutdown = True
        for msg_id in self._unanswered.keys() - {self.msg_id}:
            self._handle_cancel_notification(msg_id)
        await self._server.close()

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_: Any) -> None:  # type: ignore[override]
        """Leave: with 0 after ``shutdown``, else with 1."""
        self._server.leave(0 if self._shutdown else 1)

    # --- commands ---

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(self, params: types.ExecuteCommandParams) -> Any:  # type: ignore[override]
        """Run a command with its arguments as they came; a cancel reaches it."""
        handler = self.fm.commands.get(params.command)
        if handler is None:
            raise JsonRpcException(f"no such command: {params.command[:80]}", INVALID_PARAMS)
        result = handler(*(params.arguments or ()))
        return await result if asyncio.iscoroutine(result) else result
