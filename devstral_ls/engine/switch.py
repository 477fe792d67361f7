"""Which engine the settings mean: the one place that decides between a daemon of our own and a remote engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Protocol

from devstral_ls.engine import rendezvous
from devstral_ls.engine.daemon.backends.remote.options import RemoteOptions
from devstral_ls.engine.managed import ManagedEngine
from devstral_ls.engine.remote_engine import RemoteEngine
from devstral_ls.engine.restart_policy import RestartPolicy
from devstral_ls.engine.spec import Options, options_of
from devstral_ls.engine.status import EngineStatus
from devstral_ls.engine.tuning.calibration import Subject
from devstral_ls.errors import DevstralError
from devstral_ls.generation import Chunk, Engine, GenerationObserver, GenerationRequest, ModelInfo
from devstral_ls.platform.paths import Directories
from devstral_ls.settings.tree import Settings

OnStatus = Callable[[EngineStatus], None]


class _Supervised(Protocol):
    """What both kinds have in common."""

    @property
    def model(self) -> ModelInfo | None: ...
    @property
    def status(self) -> EngineStatus: ...
    @property
    def error(self) -> DevstralError | None: ...
    def start(self) -> None: ...
    def reconfigure(self, options: Any) -> None: ...
    def restart(self) -> None: ...
    def halt(self) -> None: ...
    def check_now(self) -> None: ...
    async def ready(self) -> EngineStatus: ...
    async def aclose(self) -> None: ...
    def using(self) -> AbstractContextManager[Engine]: ...


def engine_of(settings: Settings, directories: Directories, on_status: OnStatus) -> ConfiguredEngine:
    """The engine ``settings`` mean. Not started yet."""
    return ConfiguredEngine(options_of(settings), directories, on_status)


class ConfiguredEngine:
    """An ``Engine`` of the kind its options are of; other options may make it one of the other kind."""

    def __init__(
        self,
        options: Options,
        directories: Directories,
        on_status: OnStatus = lambda status: None,
        *,
        policy: RestartPolicy | None = None,
    ) -> None:
        """``on_status`` is called with every change, in the event loop."""
        self._options = options
        self._directories = directories
        self._on_status = on_status
        self._policy = policy
        self._observers = list[GenerationObserver]()
        self._started = False
        self._leaving = set[asyncio.Task[None]]()
        self._swapped = asyncio.Event()
        self._engine = self._made(options)

    @property
    def model(self) -> ModelInfo | None:
        """The model that would answer now."""
        return self._engine.model

    @property
    def status(self) -> EngineStatus:
        """How it is now."""
        return self._engine.status

    @property
    def error(self) -> DevstralError | None:
        """Why it cannot be used, where it is absent, lost or failed."""
        return self._engine.error

    @property
    def subject(self) -> Subject | None:
        """What calibration measures: a ready engine of our own."""
        return self._engine.subject if isinstance(self._engine, ManagedEngine) else None

    def calibrating(self, begins: bool) -> None:
        """A calibration begins or ends."""
        if isinstance(self._engine, ManagedEngine):
            self._engine.calibrating(begins)

    def recalibrated(self) -> None:
        """Use what calibration found."""
        if isinstance(self._engine, ManagedEngine):
            self._engine.recalibrated()

    def start(self) -> None:
        """Begin to find or start the engine. Again does nothing."""
        self._started = True
        self._engine.start()

    async def ready(self) -> EngineStatus:
        """The status as soon as there is nothing to wait for."""
        while True:
            engine, swapped = self._engine, self._swapped
            waits = [asyncio.ensure_future(engine.ready()), asyncio.ensure_future(swapped.wait())]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
                await asyncio.gather(*waits, return_exceptions=True)
            if engine is self._engine:
                return engine.status

    async def aclose(self) -> None:
        """Let go of it."""
        await self._engine.aclose()
        for task in list(self._leaving):
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def reconfigure(self, options: Options) -> None:
        """Use ``options`` from now on."""
        same_kind = type(options) is type(self._options)
        self._options = options
        if same_kind:
            self._engine.reconfigure(options)
        else:
            self._swap(options)

    def restart(self) -> None:
        """Give up the process or connection at hand and start over."""
        self._engine.restart()

    def halt(self) -> None:
        """Stop loading, if it loads."""
        self._engine.halt()

    def check_now(self) -> None:
        """Look now whether something has changed."""
        self._engine.check_now()

    def observe(self, observer: GenerationObserver) -> None:
        """Tell ``observer`` of each generation from now on."""
        self._observers.append(observer)

    @asynccontextmanager
    async def generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[Chunk]]:
        """Run ``request``; see ``generation.Engine``. While the engine cannot be used, its ``error`` is raised."""
        with self._observed(request), self._engine.using() as client:
            async with client.generate(request) as chunks:
                yield chunks

    @contextmanager
    def _observed(self, request: GenerationRequest) -> Iterator[None]:
        for observer in self._observers:
            observer.started(request)
        try:
            yield
        finally:
            for observer in self._observers:
                observer.finished(request)

    def _swap(self, options: Options) -> None:
        old, self._engine = self._engine, self._made(options)
        swapped, self._swapped = self._swapped, asyncio.Event()
        swapped.set()
        leaving = asyncio.create_task(self._leave(old))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        if self._started:
            self._engine.start()

    async def _leave(self, old: _Supervised) -> None:
        await old.aclose()
        if isinstance(old, ManagedEngine):  # no other server may need the memory it holds
            await rendezvous.stop_unused(self._directories)

    def _made(self, options: Options) -> _Supervised:
        def say(status: EngineStatus) -> None:
            if self._engine is made:  # one that is being left is silent
                self._on_status(status)

        made: _Supervised
        if isinstance(options, RemoteOptions):
            made = RemoteEngine(options, say, policy=self._policy)
        else:
            made = ManagedEngine(options, self._directories, say, policy=self._policy)
        return made
