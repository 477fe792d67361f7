"""A server for an editor to start, over an engine that the test commands: ``python -m tests.editors.scripted SOCKET``.

The pipeline is the real one. The test speaks through a Unix socket, a line of JSON each way: what it sends is set, what
it gets is how things are. Further arguments, as editors add them, are not looked at.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from devstral_ls.generation import Text
from devstral_ls.server.app import DevstralServer, serve_stdio
from devstral_ls.server.protocols import Factories
from devstral_ls.testing.scripted_server import Rig, scripted

_SHOWN = (
    "textDocument/inlineCompletion",
    "workspace/executeCommand",
    "workspace/applyEdit",
    "workspace/configuration",
    "textDocument/didOpen",
    "notebookDocument/didOpen",
    "initialize",
)
"""Messages that the test may look at; their answers, too."""


class EditorRig(Rig):
    """An engine that takes its time."""

    delay_s = 0.0

    def factories(self) -> Factories:
        made = super().factories()

        def engine(*args: Any) -> Any:
            slow = made.engine(*args)
            generate = slow.generate

            @asynccontextmanager
            async def late(request: Any) -> AsyncIterator[Any]:
                await asyncio.sleep(self.delay_s)
                async with generate(request) as chunks:
                    yield chunks

            slow.generate = late
            return slow

        return replace(made, engine=engine)


class Wire:
    """What was said, and when, in seconds since the epoch."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self._asked: dict[Any, str] = {}

    def __call__(self, direction: str, body: bytes) -> None:
        message = json.loads(body)
        method, msg_id = message.get("method"), message.get("id")
        if method in _SHOWN:
            self._asked[direction, msg_id] = method
        elif method is None:
            method = self._asked.pop(("received" if direction == "sent" else "sent", msg_id), None)
        if method in _SHOWN:
            said = {key: message[key] for key in ("params", "result", "error") if key in message}
            self.said.append({"at": time.time(), "direction": direction, "method": method, **said})


async def _listen(path: str, server: DevstralServer, rig: EditorRig, wire: Wire) -> None:
    def answer(wanted: dict[str, Any]) -> dict[str, Any]:
        engine = rig.engine
        for name, value in wanted.items():
            if name == "delay":
                rig.delay_s = value
            elif name == "says":
                engine.says = value
            elif name == "status":
                engine.set_status(value)
        asked = ["".join(part.text for part in r.prompt if isinstance(part, Text)) for r in engine.requests]
        return {"pid": os.getpid(), "asked": asked, "said": wire.said}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(json.dumps(answer(json.loads(line))).encode() + b"\n")
            await writer.drain()
        writer.close()

    await server.pipeline()
    with_name = f"{path}.{os.getpid()}"
    await asyncio.start_unix_server(serve, with_name, limit=2**24)
    Path(with_name).replace(path)  # noqa: ASYNC240 - the name is the newest process's


def main() -> int:
    rig, wire = EditorRig(real_pipeline=True), Wire()
    server = scripted(rig)
    server.log_message = wire  # type: ignore[method-assign]
    start = server.start

    def start_and_listen() -> None:
        first = not server._started
        start()
        if first:
            server.tasks.start(_listen(sys.argv[1], server, rig, wire))

    server.start = start_and_listen  # type: ignore[method-assign]
    return serve_stdio(server)


if __name__ == "__main__":
    sys.exit(main())
