"""The process around a server: stdio or TCP, until the client leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Protocol

from devstral_ls.server.rpc.framing import Frames
from devstral_ls.server.rpc.json_rpc import JsonRpcConnection

_CHUNK = 65_536
_LAST_RESORT_S = 2.0
"""Seconds after which the process ends, whatever still holds it."""

Read = Callable[[], Awaitable[bytes]]
"""The next bytes; none at the end of the stream."""


class Served(Protocol):
    """What this module needs of a server."""

    @property
    def connection(self) -> JsonRpcConnection:
        """Takes what the client sends."""
        ...

    @property
    def leaving(self) -> asyncio.Event:
        """Set when the process is to end."""
        ...

    @property
    def exit_code(self) -> int | None:
        """The code to end with, as soon as ``leaving`` is set."""
        ...

    def begin(self) -> None:
        """The event loop runs, and the client is there."""
        ...

    def leave(self, code: int) -> None:
        """End the process with ``code``; the first call decides."""
        ...

    async def close(self) -> None:
        """Let go of everything, in bounded time."""
        ...


def serve_stdio(server: Served) -> int:
    """Serve the client at the other end of stdin and stdout; returns the code that the process is to exit with.

    The two descriptors are kept for the protocol alone: what else is printed, here or in a child, goes to stderr.
    """
    sys.stdout.flush()
    from_client, to_client = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    for descriptor in (from_client, to_client):
        os.set_blocking(descriptor, True)
    return asyncio.run(_stdio(server, from_client, to_client))


def serve_tcp(server: Served, host: str, port: int) -> int:
    """Serve the first client that connects to ``host`` and ``port``, then return the exit code.

    For debugging. Prints the address on stderr, as port 0 takes any free one.

    Raises:
        OSError: the address cannot be listened on.
    """
    return asyncio.run(_tcp(server, host, port))


async def converse(server: Served, read: Read) -> None:
    """Take messages one by one; after each, its handler runs to its first ``await`` before the next is looked at.

    That is what makes a handler see the document as it was when the client sent the request.
    """
    frames = Frames()
    while data := await read():
        for body in frames.feed(data):
            server.connection.receive(body)
            await asyncio.sleep(0)
    server.leave(0)


async def _stdio(server: Served, from_client: int, to_client: int) -> int:
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes] = asyncio.Queue()

    def write(data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(to_client, left) :]

    def pump() -> None:
        """Read in a thread of its own: a read may block for ever, and this one holds no lock that the exit waits for."""
        data = b"."
        while data:
            try:
                data = os.read(from_client, _CHUNK)
            except OSError:
                data = b""
            try:
                loop.call_soon_threadsafe(chunks.put_nowait, data)
            except RuntimeError:  # the loop is closed
                return

    server.connection.open(write)
    threading.Thread(target=pump, name="stdin", daemon=True).start()
    return await _session(server, chunks.get)


async def _tcp(server: Served, host: str, port: int) -> int:
    loop = asyncio.get_running_loop()
    connected: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = loop.create_future()

    def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if connected.done():
            writer.close()
        else:
            connected.set_result((reader, writer))

    listener = await asyncio.start_server(connect, host, port)
    for socket in listener.sockets:
        address = socket.getsockname()
        sys.stderr.write(f"devstral-ls: listening on {address[0]}:{address[1]}\n")
    sys.stderr.flush()
    reader, writer = await connected
    listener.close()
    server.connection.open(writer.write)

    async def read() -> bytes:
        try:
            return await reader.read(_CHUNK)
        except OSError:
            return b""

    code = await _session(server, read)
    writer.close()
    return code


async def _session(server: Served, read: Read) -> int:
    loop = asyncio.get_running_loop()
    for signal_, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        loop.add_signal_handler(signal_, server.leave, code)
    server.begin()
    conversation = asyncio.create_task(converse(server, read))
    await server.leaving.wait()
    _exit_in_any_case(server.exit_code or 0)
    conversation.cancel()
    await server.close()
    return server.exit_code or 0


def _exit_in_any_case(code: int) -> None:
    """End the process after ``_LAST_RESORT_S``, even if a thread or an engine that does not let go holds it."""
    timer = threading.Timer(_LAST_RESORT_S, os._exit, (code,))
    timer.daemon = True
    timer.start()
