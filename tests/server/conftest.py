from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.platform.paths import directories
from devstral_ls.server.protocols import Fetching
from devstral_ls.server.rpc.serving import converse
from devstral_ls.testing import lsp_client
from devstral_ls.testing.lsp_client import LspClient, environment
from devstral_ls.testing.scripted_server import Rig, scripted

Start = Callable[..., Awaitable[LspClient]]


@pytest.fixture(autouse=True)
def _loggers_as_they_were() -> Iterator[None]:
    """A server in this process sets up logging for all of it."""
    yield
    for name in ("devstral_ls", "pygls"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True


@pytest.fixture
async def spawn(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts server processes that speak on stdio, and ends what is left of them."""
    clients: list[LspClient] = []

    async def start(*arguments: str, **options: Any) -> LspClient:
        client = await lsp_client.start(tmp_path, *arguments, **options)
        clients.append(client)
        return client

    yield start
    for client in clients:
        await lsp_client.stop(client)


class Here(LspClient):
    """A conversation with a server in this very process; ``server`` and ``rig`` may be looked into."""

    def __init__(self, rig: Rig, folder: Path, variables: dict[str, str], **options: Any) -> None:
        self.to_server: asyncio.Queue[bytes] = asyncio.Queue()
        super().__init__(self.to_server.put_nowait)
        environ = environment(folder, **variables)
        self.rig = rig
        self.server = scripted(rig, directories=directories(environ), environ=environ, **options)
        self.task = asyncio.create_task(converse(self.server, self.to_server.get))

    def write_to_client(self, data: bytes) -> None:
        asyncio.get_running_loop().call_soon(self.take, data)

    async def end(self) -> None:
        self.task.cancel()
        await self.server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Callable[..., Here]]:
    """Makes conversations with servers in this process."""
    made: list[Here] = []

    def make(
        *,
        real_pipeline: bool = False,
        status: dict[str, Any] | None = None,
        fetching: Fetching | None = None,
        index: bool = False,
        clock: Callable[[], float] = time.monotonic,
        **variables: str,
    ) -> Here:
        given = {} if status is None else {"status": status}
        rig = Rig(real_pipeline=real_pipeline, fetching=fetching, index=index, **given)
        client = Here(rig, tmp_path, variables, clock=clock)
        client.server.connection.open(client.write_to_client)
        made.append(client)
        return client

    yield make
    for client in made:
        await client.end()
