"""A small server of the parts of llama-server's dialect that ``client`` speaks, for one model that does one thing at a
time: who comes while it writes waits in the order of coming, and may leave at any time.
"""

from __future__ import annotations

import hmac
import json
import re
import select
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from devstral_ls.engine.ctransformers_run import Asked, Model, Run
from devstral_ls.errors import GenerationFailed, PromptTooLong

_MAX_BODY = 64 << 20
_LOOK_SECONDS = 0.05
"""Between two looks at whether a waiting client is still there."""

_IDLE_SECONDS = 60.0
"""A connection on which nothing is asked for so long is closed."""

_BEGINNING = re.compile(r'root ::= "((?:[^"\\]|\\.)*)" \[\^\\x00\]\*')
"""The one grammar our client sends (``dialects``): a literal, then anything."""

_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|(.))")
_ESCAPES: Mapping[str, str] = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str, kind: str, **more: int) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": status, "message": message, "type": kind, **more}}


class ClientLeft(Exception):
    """Nobody reads any more."""


class Queue:
    """One at a time, first come, first served."""

    def __init__(self) -> None:
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def n_processing(self) -> int:
        """0 or 1."""
        return min(len(self._waiting), 1)

    @property
    def n_deferred(self) -> int:
        """How many wait."""
        return max(len(self._waiting) - 1, 0)

    @contextmanager
    def turn(self, is_left: Callable[[], bool]) -> Iterator[None]:
        """Wait for ours; raises ClientLeft if the client leaves before it comes."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
        try:
            with self._changed:
                while self._waiting[0] is not ticket:
                    self._changed.wait(_LOOK_SECONDS)
                    if is_left():
                        raise ClientLeft
            yield
        finally:
            with self._changed:
                self._waiting.remove(ticket)
                self._changed.notify_all()


class DialectServer(ThreadingMixIn, TCPServer):
    """Answers on a Unix socket or on loopback, in threads of its own."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, address: Path | tuple[str, int], api_key: str, model: Model, specials: Mapping[str, int]
    ) -> None:
        """``address`` is a socket, or host and port (0: any that is free); ``specials`` are the ids of control tokens
        by their names.
        """
        self.api_key = api_key
        self.model = model
        self.specials = specials
        self.queue = Queue()
        self.totals: Counter[str] = Counter()
        """What all runs cost, by the names of llama-server's metrics."""
        if isinstance(address, Path):
            self.address_family = socket.AF_UNIX
            # typeshed knows internet addresses only
            super().__init__(str(address), _Handler)  # type: ignore[arg-type]
        else:
            super().__init__(address, _Handler)

    def start(self) -> None:
        """Answer from now on."""
        threading.Thread(target=self.serve_forever, name="http", daemon=True).start()

    def busy(self) -> bool:
        """Does any request run or wait?"""
        return self.queue.n_processing > 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients come and go, and a traceback might quote what they sent."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    server: DialectServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is http.server's
        """Nothing of what is asked goes into the log."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        try:
            body = self._body()
            path = self.path.partition("?")[0]
            if path == "/health":
                self._say(200, {"status": "ok"})
                return
            self._check_key()
            if path == "/completion":
                self._complete(asked(body, len(self.server.model.pieces)))
            else:
                self._say(200, _ANSWERS.get(path, _nowhere)(self.server, body))
        except Refused as refused:
            self._say(refused.status, refused.body)
        except (ClientLeft, OSError):
            self.close_connection = True

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > _MAX_BODY:
            self.close_connection = True
            raise Refused(413, "the request is too long", "invalid_request_error")
        data = self.rfile.read(int(length))
        try:
            body = json.loads(data) if data else {}
        except ValueError:
            raise Refused(400, "the request is not JSON", "invalid_request_error") from None
        if not isinstance(body, dict):
            raise Refused(400, "the request is not an object", "invalid_request_error")
        return body

    def _check_key(self) -> None:
        given = self.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self.server.api_key}".encode()):
            raise Refused(401, "Invalid API Key", "authentication_error")

    def _complete(self, wanted: Asked) -> None:
        n_context = self.server.model.n_context
        if len(wanted.prompt) >= n_context:
            sizes = {"n_prompt_tokens": len(wanted.prompt), "n_ctx": n_context}
            raise Refused(400, "the prompt exceeds the context", "exceed_context_size_error", **sizes)
        with self.server.queue.turn(self._is_left):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._stream(Run(self.server.model, wanted))

    def _stream(self, run: Run) -> None:
        """Send what comes. A write that fails, or the end of what the client sends, is what ends a run early."""
        try:
            for event in run.events():
                if self._is_left():
                    raise ClientLeft
                self._chunk(b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n")
        except (GenerationFailed, PromptTooLong) as error:
            failure = {"error": {"code": 500, "message": error.message, "type": "server_error"}}
            self._chunk(b"data: " + json.dumps(failure).encode() + b"\n\n")
        finally:
            self.server.totals.update(run.cost)  # it is our turn: nobody else adds
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _is_left(self) -> bool:
        """Has the client closed its end?"""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def _say(self, status: int, body: object) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _tokenize(server: DialectServer, body: Mapping[str, Any]) -> object:
    content = body.get("content")
    if not isinstance(content, str):
        raise Refused(400, "content is not a string", "invalid_request_error")
    if body.get("parse_special") and content in server.specials:
        return {"tokens": [server.specials[content]]}
    return {"tokens": server.model.tokenize(content)}


def _detokenize(server: DialectServer, body: Mapping[str, Any]) -> object:
    tokens = _ids(body.get("tokens"), len(server.model.pieces))
    return {"content": b"".join(server.model.pieces[token] for token in tokens).decode("utf-8", "replace")}


def _slots(server: DialectServer, _body: Mapping[str, Any]) -> object:
    return [{"id": 0, "n_ctx": server.model.n_context, "is_processing": server.busy()}]


def _metrics(server: DialectServer, _body: Mapping[str, Any]) -> object:
    queue = server.queue
    counts: dict[str, float] = {"requests_processing": queue.n_processing, "requests_deferred": queue.n_deferred}
    counts |= server.totals
    return "".join(f"llamacpp:{name} {count}\n" for name, count in counts.items())


def _props(server: DialectServer, _body: Mapping[str, Any]) -> object:
    return {"total_slots": 1, "default_generation_settings": {"n_ctx": server.model.n_context}}


def _nowhere(_server: DialectServer, _body: Mapping[str, Any]) -> object:
    raise Refused(404, "File Not Found", "not_found_error")


_ANSWERS: Mapping[str, Callable[[DialectServer, Mapping[str, Any]], object]] = {
    "/tokenize": _tokenize,
    "/detokenize": _detokenize,
    "/slots": _slots,
    "/metrics": _metrics,
    "/props": _props,
}


def asked(body: Mapping[str, Any], n_vocab: int) -> Asked:
    """The request that ``body`` is.

    Raises:
        Refused: it makes no sense, or asks for what this server cannot do.
    """
    if not body.get("stream"):
        raise Refused(501, "answers are streamed here", "not_supported_error")
    prompt = _ids(body.get("prompt"), n_vocab)
    if not prompt:
        raise Refused(400, "the prompt is empty", "invalid_request_error")
    try:
        limit = body.get("t_max_predict_ms")
        return Asked(
            prompt=prompt,
            max_tokens=int(body.get("n_predict", -1)),
            stops=tuple(str(stop) for stop in body.get("stop", ())),
            temperature=max(float(body.get("temperature", 0.0)), 0.0),
            begins_with=_beginning(str(body.get("grammar", ""))),
            limit_ms=None if limit is None else float(limit),
        )
    except (TypeError, ValueError) as error:
        raise Refused(400, f"a value has the wrong type: {type(error).__name__}", "invalid_request_error") from None


def _ids(value: object, n_vocab: int) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(token) is int and 0 <= token < n_vocab for token in value):
        raise Refused(400, "expected a list of token ids", "invalid_request_error")
    return tuple(value)


def _beginning(grammar: str) -> str:
    if not grammar:
        return ""
    match = _BEGINNING.fullmatch(grammar)
    if match is None:
        raise Refused(501, "no grammar but a literal beginning is understood here", "not_supported_error")
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _ESCAPES.get(found[2], found[2]), match[1])
