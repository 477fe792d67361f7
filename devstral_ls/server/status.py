"""``devstral/status``: how the engine is, whether it writes at the moment, and how long answers took."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from devstral_ls.generation import Chunk, Engine, GenerationRequest, ModelInfo, Priority

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from devstral_ls.engine.status import EngineStatus

METHOD = "devstral/status"

MIN_INTERVAL_S = 0.25
"""Between two notifications that differ only in ``generating`` and in latencies: typing must not flood the client."""

N_LATENCIES = 50
"""How many answered model requests the percentiles look back."""

_WORKING = ("ready", "slow")
"""States in which a running generation is shown as ``generating``."""


class StatusReporter:
    """Says every change once.

    Args:
        send: sends the body of a notification.
        clock: seconds.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None], clock: Callable[[], float]) -> None:
        self._send = send
        self._clock = clock
        self._status: EngineStatus | None = None
        self._n_running = 0
        self._latencies: deque[float] = deque(maxlen=N_LATENCIES)
        self._sent: dict[str, Any] | None = None
        self._sent_status: EngineStatus | None = None
        self._sent_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    @property
    def engine(self) -> EngineStatus | None:
        """What the engine said last."""
        return self._status

    def update(self, status: EngineStatus) -> None:
        """The engine says how it is: said on at once, but for ``generating``, which is counted here."""
        if status.state == "generating":
            known = self._status.state if self._status else "ready"
            status = replace(status, state="slow" if known == "slow" else "ready")
        self._status = status
        self._publish()

    def answered(self, latency_ms: float) -> None:
        """The model has answered a request."""
        self._latencies.append(latency_ms)
        self._publish()

    @contextmanager
    def generating(self) -> Iterator[None]:
        """A generation runs in the block."""
        self._n_running += 1
        self._publish()
        try:
            yield
        finally:
            self._n_running -= 1
            self._publish()

    def close(self) -> None:
        """Say nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._status = None

    def body(self) -> dict[str, Any] | None:
        """The notification as it would be sent now."""
        status = self._status
        if status is None:
            return None
        if self._n_running and status.state in _WORKING:
            status = replace(status, state="generating")
        body: dict[str, Any] = {
            "state": status.state,
            "model": status.model,
            "engine": status.engine,
            "message": status.message,
            "hint": status.hint,
        }
        if status.progress is not None:
            body["progress"] = status.progress
        if self._latencies:
            body["latencyMs"] = percentiles(list(self._latencies))
        return body

    def _publish(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        body = self.body()
        if body is None or body == self._sent:
            return
        left = self._sent_at + MIN_INTERVAL_S - self._clock()
        if left > 0 and self._status == self._sent_status:
            self._timer = asyncio.get_running_loop().call_later(left, self._publish)
            return
        self._sent, self._sent_status, self._sent_at = body, self._status, self._clock()
        self._send(body)


def percentiles(latencies_ms: list[float]) -> dict[str, float]:
    """The median and the 90th percentile, in whole milliseconds."""
    cuts = quantiles(latencies_ms, n=10, method="inclusive") if len(latencies_ms) > 1 else latencies_ms * 9
    return {"p50": round(cuts[4]), "p90": round(cuts[8])}


class ReportingEngine(Engine):
    """An engine whose running generations show in the status."""

    def __init__(self, engine: Engine, status: StatusReporter) -> None:
        self._engine = engine
        self._status = status

    @property
    def model(self) -> ModelInfo | None:
        """The model of the engine behind."""
        return self._engine.model

    def generate(self, request: GenerationRequest) -> AbstractAsyncContextManager[AsyncIterator[Chunk]]:
        """Run ``request`` in the engine behind; what nobody waits for does not show."""
        if request.priority is Priority.BACKGROUND:
            return self._engine.generate(request)
        return self._generate(request)

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[Chunk]]:
        with self._status.generating():
            async with self._engine.generate(request) as chunks:
                yield chunks
