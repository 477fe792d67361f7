"""A hub on loopback: one file of one repository, as the Hugging Face hub serves it, and it can break off or lie."""

from __future__ import annotations

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class LocalHub:
    """``serve`` it in a ``with``; ``url`` is what ``HF_ENDPOINT`` must be."""

    def __init__(self, path: str, content: bytes) -> None:
        """``path``: of the file, ``repository/file``."""
        self.path = path
        self.content = content
        self.told_sha256 = hashlib.sha256(content).hexdigest()
        self.breaks_at: int | None = None
        """From this byte on every answer breaks off, as with a connection that is lost."""
        self.begun_at: list[int] = []
        """The first byte of each part that was asked for."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                hub._head(self, 200, 0)

            def do_GET(self) -> None:
                hub._get(self)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> LocalHub:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _get(self, request: BaseHTTPRequestHandler) -> None:
        begin = re.fullmatch(r"bytes=(\d+)-.*", request.headers.get("Range", ""))
        first = int(begin[1]) if begin else 0
        self.begun_at.append(first)
        self._head(request, 206 if begin else 200, first)
        if request.wfile.closed:
            return
        if self.breaks_at is None:
            request.wfile.write(self.content[first:])
        else:
            request.wfile.write(self.content[first : self.breaks_at])
            request.close_connection = True

    def _head(self, request: BaseHTTPRequestHandler, status: int, first: int) -> None:
        if not re.fullmatch(
            rf"/{self.path.rpartition('/')[0]}/resolve/[^/]+/{self.path.rpartition('/')[2]}", request.path
        ):
            request.send_error(404)
            return
        request.send_response(status)
        request.send_header("X-Repo-Commit", COMMIT)
        request.send_header("ETag", f'"{self.told_sha256}"')
        request.send_header("Accept-Ranges", "bytes")
        if status == 206:
            request.send_header("Content-Range", f"bytes {first}-{len(self.content) - 1}/{len(self.content)}")
        request.send_header("Content-Length", str(len(self.content) - first))
        request.end_headers()
