"""What supervising an engine of our own and a remote one have in common: one attempt after the other in the background,
and requests in front.

An attempt is one engine from its beginning to its end; a change of what is wanted breaks it off.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from devstral_ls.engine.status import EngineStatus, State
from devstral_ls.errors import DevstralError, EngineBusy, EngineError, EngineUnavailable, GenerationFailed
from devstral_ls.generation import Engine, ModelInfo

_log = logging.getLogger(__name__)


class Supervisor(ABC):
    """Finds an engine, watches it, and finds it again. ``start`` it once, ``aclose`` it."""

    def __init__(self, on_status: Callable[[EngineStatus], None]) -> None:
        """``on_status`` is called with every change, in the event loop."""
        self._on_status = on_status
        self._status = EngineStatus("starting")
        self._error: DevstralError | None = None
        self._client: Engine | None = None
        self._n_running = 0
        self._halted = False
        self._changed = asyncio.Event()
        self._check_requested = asyncio.Event()
        self._settled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def model(self) -> ModelInfo | None:
        """The model that would answer now."""
        return self._client.model if self._client is not None else None

    @property
    def status(self) -> EngineStatus:
        """How it is now."""
        return self._status

    @property
    def error(self) -> DevstralError | None:
        """Why it cannot be used, where it is absent, lost or failed."""
        return self._error

    def start(self) -> None:
        """Begin to look for the engine. Again does nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name="devstral-ls engine")

    async def ready(self) -> EngineStatus:
        """The status as soon as there is nothing to wait for."""
        await self._settled.wait()
        return self._status

    async def aclose(self) -> None:
        """Let go of the engine; it may live on for others."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def halt(self) -> None:
        """Stop looking for it or loading it: the user wants that. ``restart`` or another model begins again."""
        if self._client is None:
            self._halted = True
            self._changed.set()

    def check_now(self) -> None:
        """Look now: something may have come, or the engine may be gone."""
        self._check_requested.set()

    @contextmanager
    def using(self) -> Iterator[Engine]:
        """The client for one request, which counts as running during the block. While the engine cannot be used, its
        ``error`` is raised.
        """
        client = self._client
        if client is None:
            raise self._refusal()
        self._running(+1)
        try:
            yield client
            self._note(None)
        except (EngineUnavailable, GenerationFailed) as error:
            self._note(error)
            self.check_now()
            raise
        finally:
            self._running(-1)

    def _refusal(self) -> DevstralError:
        if self._error is not None:
            return type(self._error)(self._error.message, hint=self._error.hint)
        return EngineBusy(self._status.message or "the engine is starting")

    async def _keep(self) -> None:
        await asyncio.to_thread(importlib.import_module, "aiohttp")
        while True:
            attempt = asyncio.create_task(self._attempt())
            changed = asyncio.create_task(self._changed.wait())
            try:
                await asyncio.wait((attempt, changed), return_when=asyncio.FIRST_COMPLETED)
            finally:
                attempt.cancel()
                changed.cancel()
                await asyncio.gather(attempt, changed, return_exceptions=True)
            if not attempt.cancelled() and (bug := attempt.exception()) is not None:
                _log.error("the engine's supervisor failed", exc_info=bug)
                self._say("failed", error=EngineError(f"internal error: {bug!r}"))
                await self._changed.wait()
            while self._changed.is_set():
                self._changed.clear()
                await self._clear_the_way()

    async def _pause(self, seconds: float) -> bool:
        """Wait ``seconds`` or until ``check_now`` is called; True when it was called."""
        try:
            async with asyncio.timeout(
                seconds
            ):  # Python 3.11's wait_for loses a cancellation that comes at the same moment
                await self._check_requested.wait()
        except TimeoutError:
            return False
        self._check_requested.clear()
        return True

    def _set(self, status: EngineStatus) -> None:
        """Be in ``status`` from now on, and say so if that is news."""
        if self._is_settled(status):
            self._settled.set()
        else:
            self._settled.clear()
        if status != self._status:
            self._status = status
            self._on_status(status)

    def _is_settled(self, status: EngineStatus) -> bool:
        """True when there is nothing to wait for."""
        return status.settled

    def _note(self, error: EngineError | None) -> None:  # noqa: B027  a remote engine has nothing to note
        """A request ended, with ``error`` or well."""

    @abstractmethod
    async def _attempt(self) -> None:
        """One engine from its beginning to its end, and the wait for the next."""

    @abstractmethod
    async def _clear_the_way(self) -> None:
        """Something else is wanted: what has to be done before the next attempt."""

    @abstractmethod
    def _running(self, change: int) -> None:
        """So many requests more, or fewer, run."""

    @abstractmethod
    def _say(self, state: State, *, error: DevstralError | None = None) -> None:
        """Tell how it is."""
