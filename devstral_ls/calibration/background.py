"""Calibration while the editor is idle: once for each model on a machine, interrupted by every real request."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

from devstral_ls.calibration.cases import Hole
from devstral_ls.calibration.measurement import begin, calibrate
from devstral_ls.calibration.record import Record, save
from devstral_ls.calibration.speed import CONVERSATION
from devstral_ls.engine.tuning.calibration import Calibrated, Subject
from devstral_ls.errors import EngineError
from devstral_ls.generation import Engine, GenerationObserver, GenerationRequest
from devstral_ls.platform import locks

IDLE_S = 20.0
"""Seconds without a request before anything is measured."""

LOOK_S = 5.0
"""Seconds between two checks whether there is anything to do."""

_log = logging.getLogger(__name__)


class Calibratable(Engine, Protocol):
    """An engine that uses a calibration: ``ManagedEngine`` and what wraps it."""

    @property
    def subject(self) -> Subject | None:
        """What can be calibrated now."""
        ...

    def calibrating(self, begins: bool) -> None:
        """A calibration begins or ends."""
        ...

    def recalibrated(self) -> None:
        """There is a new result on disk."""
        ...

    def observe(self, observer: GenerationObserver) -> None:
        """Tell ``observer`` of each generation from now on."""
        ...


class IdleCalibration(GenerationObserver):
    """The calibration of one server's engine. ``start`` it once, ``aclose`` it.

    Args:
        engine: the engine to calibrate.
        enabled: True when calibration may begin.
        cases: the holes to ask; the built-in ones by default.
        clock: seconds.
        sleep: as ``asyncio.sleep``.
    """

    def __init__(
        self,
        engine: Calibratable,
        *,
        enabled: Callable[[], bool] = lambda: True,
        cases: Sequence[Hole] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._engine = engine
        self._enabled = enabled
        self._cases = cases
        self._clock = clock
        self._sleep = sleep
        self._done: dict[Path, Calibrated | None] = {}
        """By file: the result in use; None after a failure, since a second try may bring the engine down again."""
        self._unwritable = set[Path]()
        self._measuring: asyncio.Task[Record] | None = None
        self._task: asyncio.Task[None] | None = None
        self._n_running = 0
        self._last = clock()
        engine.observe(self)

    def start(self) -> None:
        """Wait for idle time, in a task."""
        if self._task is None:
            self._task = asyncio.create_task(self._watch(), name="devstral-ls calibration")
            self._task.add_done_callback(_log_bug)

    async def aclose(self) -> None:
        """Stop; what was measured stays on disk."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def started(self, request: GenerationRequest) -> None:
        """Any request but calibration's own interrupts it."""
        if request.conversation != CONVERSATION:
            self._n_running += 1
            if self._measuring is not None:
                self._measuring.cancel()

    def finished(self, request: GenerationRequest) -> None:
        """A request has ended: from now on the engine may be idle."""
        if request.conversation != CONVERSATION:
            self._n_running -= 1
            self._last = self._clock()

    @property
    def _quiet_s(self) -> float:
        """Seconds since the last request ended; 0 while one runs."""
        return 0.0 if self._n_running else self._clock() - self._last

    async def _watch(self) -> None:
        while True:
            await self._sleep(LOOK_S)
            subject = self._engine.subject
            if subject is None or not self._enabled() or self._quiet_s < IDLE_S:
                continue
            record = begin(subject)
            result = record.result if record.finished else await self._calibrate(subject)
            if result is not None and result != self._done.get(subject.file):
                self._done[subject.file] = result
                self._engine.recalibrated()

    async def _calibrate(self, subject: Subject) -> Calibrated | None:
        """The result; None when another server calibrates, a request interrupts, or the engine or the disk fails."""
        if subject.file in self._done:
            return None
        try:
            subject.file.parent.mkdir(parents=True, exist_ok=True)
            lock = locks.try_lock(subject.file.with_suffix(".lock"))
        except OSError as error:
            self._cannot_write(subject.file, error.strerror)
            return None
        if lock is None:
            return None
        with lock:
            if not save(
                subject.file, begin(subject)
            ):  # a result that cannot be stored would be measured again and again
                self._cannot_write(subject.file, "is the disk full?")
                return None
            self._engine.calibrating(True)
            self._measuring = asyncio.create_task(calibrate(self._engine, subject, cases=self._cases))
            try:
                await asyncio.wait((self._measuring,))
                return None if self._measuring.cancelled() else self._measuring.result().result
            except EngineError as error:
                self._done[subject.file] = None
                _log.warning("calibration: %s: %s", error.code, error.message)
                return None
            finally:
                self._measuring.cancel()
                await asyncio.gather(self._measuring, return_exceptions=True)
                self._measuring = None
                self._engine.calibrating(False)

    def _cannot_write(self, file: Path, why: str | None) -> None:
        """Log it once; the next check tries again."""
        if file not in self._unwritable:
            self._unwritable.add(file)
            _log.warning("calibration: cannot write to %s: %s", file.parent, why)


def _log_bug(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (bug := task.exception()) is not None:
        _log.error("calibration failed", exc_info=bug)
