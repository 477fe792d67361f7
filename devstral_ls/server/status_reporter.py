"""The engine's status in the editor: as ``devstral/status``, and as work done progress while a model loads."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from devstral_ls.generation import GenerationObserver, GenerationRequest, Priority
from devstral_ls.server.client_port import Client
from devstral_ls.server.reporting import BackgroundTasks
from devstral_ls.server.rpc.work_done_progress import WorkDoneProgress

if TYPE_CHECKING:
    from devstral_ls.engine.status import EngineStatus

METHOD = "devstral/status"

MIN_INTERVAL_S = 0.25
"""Between two notifications that differ only in ``generating`` and in latencies: typing must not flood the client."""

N_LATENCIES = 50
"""How many answered model requests the percentiles look back."""

_WORKING = ("ready", "slow")
"""States in which a running generation is shown as ``generating``."""

_LOADING = ("starting", "loading")


class StatusReporter(GenerationObserver):
    """Sends each change of the status once. Observes the engine's generations: while one runs, it is ``generating``.

    Args:
        send: sends the body of a notification.
        clock: seconds.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None], clock: Callable[[], float]) -> None:
        self._send = send
        self._clock = clock
        self._status: EngineStatus | None = None
        self._download: tuple[str, float] | None = None
        self._n_running = 0
        self._latencies: deque[float] = deque(maxlen=N_LATENCIES)
        self._sent: dict[str, Any] | None = None
        self._sent_status: EngineStatus | None = None
        self._sent_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    @property
    def engine(self) -> EngineStatus | None:
        """The engine's last status."""
        return self._status

    def update(self, status: EngineStatus) -> None:
        """Send the engine's new status at once; ``generating`` is counted here, and not taken from the engine."""
        if status.state == "generating":
            known = self._status.state if self._status else "ready"
            status = replace(status, state="slow" if known == "slow" else "ready")
        self._status = status
        self._publish()

    def downloading(self, model: str, progress: float) -> None:
        """A model is being downloaded; ``progress`` is 0 to 1. Shown while there is none."""
        self._download = model, progress
        self._publish()

    def downloaded(self) -> None:
        """The download has ended, whether the model is there or not."""
        self._download = None
        self._publish()

    def answered(self, latency_ms: float) -> None:
        """The model has answered a request."""
        self._latencies.append(latency_ms)
        self._publish()

    def started(self, request: GenerationRequest) -> None:
        """A generation runs; one in the background does not show."""
        if request.priority is not Priority.BACKGROUND:
            self._n_running += 1
            self._publish()

    def finished(self, request: GenerationRequest) -> None:
        """A generation has ended."""
        if request.priority is not Priority.BACKGROUND:
            self._n_running -= 1
            self._publish()

    def close(self) -> None:
        """Send nothing more."""
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
        if self._download is not None and status.state == "absent":
            model, progress = self._download
            status = replace(status, model=model, message=f"downloading {model}", hint=None, progress=progress)
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


class LoadingProgress:
    """Shows each load of a model as work done progress, which ends in every case.

    Args:
        client: the editor.
        tasks: where the client is asked for the progress.
    """

    def __init__(self, client: Client, tasks: BackgroundTasks) -> None:
        self._client = client
        self._tasks = tasks
        self._numbers = itertools.count(1)
        self._progress: WorkDoneProgress | None = None

    def update(self, status: EngineStatus) -> None:
        """Show the engine's new status."""
        percentage = None if status.progress is None else int(100 * min(max(status.progress, 0), 1))
        message = status.message or status.state
        if status.state not in _LOADING:
            self.end(status.message)
        elif self._progress is None:
            self._progress = WorkDoneProgress(self._client, f"devstral-ls/loading/{next(self._numbers)}", "Devstral")
            self._tasks.start(self._progress.begin(message, percentage))
        else:
            self._progress.report(message, percentage)

    def shows(self, token: object) -> bool:
        """True when ``token`` is that of the progress shown now."""
        return self._progress is not None and self._progress.is_shown and self._progress.token == token

    def end(self, message: str | None = None) -> None:
        """End the progress that is shown."""
        progress, self._progress = self._progress, None
        if progress is not None:
            progress.end(message)


def percentiles(latencies_ms: list[float]) -> dict[str, float]:
    """The median and the 90th percentile, in whole milliseconds."""
    cuts = quantiles(latencies_ms, n=10, method="inclusive") if len(latencies_ms) > 1 else latencies_ms * 9
    return {"p50": round(cuts[4]), "p90": round(cuts[8])}
