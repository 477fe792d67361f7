"""The daemons of other models on the same processor: each tells the others what it is asked for, and yields to them.

One daemon for all models would end with the first model that crashes, and would be deaf while the next one loads (the
library holds Python's lock then). So each model has its own, and every two of them share a WebSocket: a few bytes when
the best rank that is wanted changes, none while nothing does. Nothing waits for an answer: a key costs a message, not a
round trip. Two that begin an inline request at the same moment both run it, which is slower and not wrong.
"""

from __future__ import annotations

import asyncio
import json
from typing import Protocol

from aiohttp import ClientError, WSMessage, WSMsgType

from devstral_ls.engine.client import session_for
from devstral_ls.engine.daemon import private_api
from devstral_ls.engine.daemon.queue import Demand, Queue, Rank
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.runtime_dir import RuntimeFiles, runtime_files
from devstral_ls.engine.state import read_state
from devstral_ls.errors import EngineUnavailable
from devstral_ls.platform import locks

_REPEAT_SECONDS = 1.0
"""Between two messages while the demand does not change."""

_FORGET_SECONDS = 5.0
"""A neighbour that wanted the processor and has been silent for so long was stopped: it is not waited for any more."""


class Socket(Protocol):
    """Either end of a WebSocket."""

    async def send_str(self, data: str) -> None:
        """Send a message."""
        ...

    async def receive(self) -> WSMessage:
        """The next message."""
        ...


class Neighbours:
    """The open connections to other daemons."""

    def __init__(self, queue: Queue, *, on_processor: bool) -> None:
        """Speak for ``queue``. Without ``on_processor`` the model has a processor of its own, and no neighbours."""
        self._queue = queue
        self._on_processor = on_processor
        self._changed = dict[object, asyncio.Event]()
        self._tasks = set[asyncio.Task[None]]()
        if on_processor:
            queue.watch(self._tell)

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self._changed)

    def meet(self, files: RuntimeFiles) -> None:
        """Connect to the daemons that were here before the one of ``files``; later ones connect to us."""
        if not self._on_processor:
            return
        for other in runtime_files(files.folder):
            if other.key != files.key and locks.is_held(other.lock):
                task = asyncio.create_task(self._visit(other), name=f"devstral-ls neighbour {other.key}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def talk(self, socket: Socket) -> None:
        """Tell our demand and hear the other's until the connection ends."""
        if not self._on_processor:
            return
        queue = self._queue
        changed = self._changed[socket] = asyncio.Event()
        talking = asyncio.create_task(_talk(socket, queue, changed))
        forgetting: asyncio.TimerHandle | None = None
        try:
            while (message := await socket.receive()).type is WSMsgType.TEXT:
                queue.note_other(socket, _demand_of(message.data))
                if forgetting is not None:
                    forgetting.cancel()
                forgetting = asyncio.get_running_loop().call_later(_FORGET_SECONDS, queue.note_other, socket, None)
        finally:
            talking.cancel()
            if forgetting is not None:
                forgetting.cancel()
            del self._changed[socket]
            queue.note_other(socket, None)

    def close(self) -> None:
        """Leave them."""
        for task in self._tasks:
            task.cancel()

    def _tell(self) -> None:
        """The demand may have changed: tell the others."""
        for changed in self._changed.values():
            changed.set()

    async def _visit(self, other: RuntimeFiles) -> None:
        state = read_state(other.state)
        if state is None or state.address is None or not state.on_processor:
            return
        try:
            endpoint = Endpoint(state.address, other.api_key.read_text().strip())
            async with session_for(endpoint) as session, session.ws_connect(private_api.NEIGHBOUR) as socket:
                await self.talk(socket)
        except (OSError, ClientError, TimeoutError, EngineUnavailable):
            return


def _demand_of(message: str) -> Demand:
    """What a neighbour says; nothing where that makes no sense."""
    try:
        values = json.loads(message)
        wanted = values["wanted"]
        return Demand(None if wanted is None else Rank[wanted], bool(values["runs_inline"]))
    except (ValueError, TypeError, KeyError):
        return Demand()


async def _talk(socket: Socket, queue: Queue, changed: asyncio.Event) -> None:
    announced = Demand()
    while True:
        try:
            async with asyncio.timeout(_REPEAT_SECONDS if announced.wanted is not None else None):
                await changed.wait()
        except TimeoutError:
            pass
        changed.clear()
        demand = queue.demand
        if demand != announced or demand.wanted is not None:
            announced = demand
            wanted = None if demand.wanted is None else demand.wanted.name
            await socket.send_str(json.dumps({"wanted": wanted, "runs_inline": demand.runs_inline}))
