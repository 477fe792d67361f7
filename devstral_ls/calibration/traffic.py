"""Real requests, seen passing: whoever works in idle time must know when there is any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from devstral_ls.generation import Chunk, Engine, GenerationRequest, ModelInfo


class Traffic(Engine):
    """An engine that notes when it is asked.

    Args:
        engine: the engine behind.
        clock: seconds.
        on_request: is called when a request begins, and when it ends.
    """

    def __init__(
        self, engine: Engine, clock: Callable[[], float], on_request: Callable[[], None] = lambda: None
    ) -> None:
        self._on_request = on_request
        self._engine = engine
        self._clock = clock
        self._last = clock()
        self._n_running = 0
        self._asked = asyncio.Event()
        self.n_requests = 0
        """So far."""

    @property
    def model(self) -> ModelInfo | None:
        """The model of the engine behind."""
        return self._engine.model

    @property
    def quiet_s(self) -> float:
        """Seconds since the last request ended; 0 while one runs."""
        return 0.0 if self._n_running else self._clock() - self._last

    async def more_than(self, n_requests: int) -> None:
        """Until there have been more requests than that."""
        while self.n_requests <= n_requests:
            self._asked.clear()
            await self._asked.wait()

    def generate(self, request: GenerationRequest) -> AbstractAsyncContextManager[AsyncIterator[Chunk]]:
        """Run ``request`` in the engine behind."""
        return self._generate(request)

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[Chunk]]:
        self._n_running += 1
        self.n_requests += 1
        self._asked.set()
        self._on_request()
        try:
            async with self._engine.generate(request) as chunks:
                yield chunks
        finally:
            self._n_running -= 1
            self._last = self._clock()
            self._on_request()
