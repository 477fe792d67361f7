"""Calibration in idle time: when nobody has asked for a while, one step after another, and none while somebody asks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from devstral_ls.calibration import steps
from devstral_ls.calibration.cases import Hole
from devstral_ls.calibration.marker import Marker
from devstral_ls.calibration.record import save
from devstral_ls.calibration.traffic import Traffic
from devstral_ls.engine import locks
from devstral_ls.engine.calibrated import Calibrated, Subject
from devstral_ls.engine.rates import MIN_TOKENS, Rate
from devstral_ls.errors import EngineError
from devstral_ls.generation import Engine

IDLE_S = 20.0
"""Seconds without a request before anything is measured."""

LOOK_S = 5.0
"""Between two looks whether there is anything to do."""

DRIFT = 2.0
"""So many times faster or slower than calibrated, and the rates are measured again."""

MAX_FAILURES = 3
"""Of the engine during one calibration; then it is left alone: what fails again may be what brings it down."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Calibratable(Engine, Protocol):
    """``engine.managed.ManagedEngine``."""

    @property
    def subject(self) -> Subject | None:
        """What there is to calibrate now."""
        ...

    def calibrating(self, begins: bool) -> None:
        """A calibration begins or ends."""
        ...

    def recalibrated(self) -> None:
        """There is a new result on disk."""
        ...


class Background:
    """The calibration of one server's engine. ``start`` it once, ``aclose`` it."""

    def __init__(
        self,
        engine: Calibratable,
        *,
        cases: Sequence[Hole] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._engine = engine
        self._cases = cases
        self._sleep = sleep
        self._failures = Counter[Path]()
        self._doubted = set[Path]()
        self._unwritten = set[Path]()
        self._known: Calibrated | None = None
        self._traffic = Traffic(engine, clock, self._note)
        self._marker = Marker()
        self.enabled = True
        """May it begin?"""
        self._task: asyncio.Task[None] | None = None

    @property
    def engine(self) -> Engine:
        """The engine for real requests: calibration makes way for them."""
        return self._traffic

    def start(self) -> None:
        """Begin to look for idle time."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name="devstral-ls calibration")
            self._task.add_done_callback(_ended)

    async def aclose(self) -> None:
        """Stop; what was measured is kept."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _keep(self) -> None:
        while True:
            await self._sleep(LOOK_S)
            subject = self._engine.subject
            if subject is None or not self.enabled or self._failures[subject.file] >= MAX_FAILURES:
                continue
            if self._traffic.quiet_s < IDLE_S or self._others_ask(subject):
                continue
            record = steps.begin(subject)
            drift = drifted(subject.observed, record.result, subject.batch)
            if record.finished and not drift and not self._doubts(subject):
                self._use(record.result)
                continue
            await self._in_turn(subject)

    def _note(self) -> None:
        """Tell the other servers of the same engine that we ask."""
        if (subject := self._engine.subject) is not None:
            self._marker.touch(_marker_of(subject))

    def _others_ask(self, subject: Subject) -> bool:
        """Is somebody at work in another editor, on the same engine?"""
        return self._marker.others_quiet_s(_marker_of(subject)) < IDLE_S

    def _doubts(self, subject: Subject) -> bool:
        """Once in a session: a model found too slow is not asked by itself any more, so no request would ever show that
        the machine was only busy then.
        """
        return subject.model.slow and subject.file not in self._doubted

    async def _in_turn(self, subject: Subject) -> None:
        """Calibrate, unless another server does."""
        try:
            subject.file.parent.mkdir(parents=True, exist_ok=True)
            lock = locks.try_exclusive(subject.file.with_suffix(".lock"))
        except OSError as error:
            self._cannot_write(subject.file, error.strerror)
            return
        if lock is None:
            return
        with lock:
            if not save(subject.file, steps.begin(subject)):  # measured now, it would be measured again and again
                self._cannot_write(subject.file, "is the disk full?")
                return
            self._engine.calibrating(True)
            try:
                await self._calibrate(subject)
            except EngineError as error:
                self._failures[subject.file] += 1
                _log.warning("calibration: %s: %s", error.code, error.message)
            finally:
                self._engine.calibrating(False)

    def _cannot_write(self, file: Path, why: str | None) -> None:
        """Say so once; whether it can be written is looked at again."""
        if file not in self._unwritten:
            self._unwritten.add(file)
            _log.warning("calibration: cannot write to %s: %s", file.parent, why)

    async def _calibrate(self, subject: Subject) -> None:
        """All that is left to measure, until a request comes.

        Raises:
            EngineError: the engine failed.
        """
        record = steps.begin(subject)
        if record.finished:  # it drifted, or is doubted
            record = record.without_rates()
        n_requests = self._traffic.n_requests
        for step in steps.left(record, subject, self._cases):
            if not self.enabled or self._others_ask(subject):
                return
            further = await self._unless_asked(steps.do(step, self._engine, record, subject), n_requests)
            if further is None:
                return
            record = further
        self._doubted.add(subject.file)
        self._use(steps.finish(record, subject).result)

    def _use(self, found: Calibrated | None) -> None:
        """Have the engine go on with a result, be it from here, another server or the command line."""
        if found != self._known:
            self._known = found
            self._engine.recalibrated()

    async def _unless_asked(self, work: Coroutine[Any, Any, _T], n_requests: int) -> _T | None:
        """What comes of ``work``; None as soon as there were more real requests than ``n_requests``: that stops it."""
        working = asyncio.create_task(work)
        asked = asyncio.create_task(self._traffic.more_than(n_requests))
        try:
            await asyncio.wait((working, asked), return_when=asyncio.FIRST_COMPLETED)
        finally:
            done = working.done()
            working.cancel()
            asked.cancel()
            await asyncio.gather(working, asked, return_exceptions=True)
        return working.result() if done else None


def _marker_of(subject: Subject) -> Path:
    return subject.file.with_suffix(".asked")


def _ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (bug := task.exception()) is not None:
        _log.error("calibration failed", exc_info=bug)


def drifted(observed: Rate | None, found: Calibrated | None, batch: int) -> bool:
    """Is the engine faster or slower than it was measured, by more than ``DRIFT``? A prompt of less than a batch is
    slower by right.
    """
    if observed is None or found is None:
        return False
    least, most = found.prefill_rate(min(MIN_TOKENS, batch)), found.prefill_rate(batch)
    if not least / DRIFT <= observed.prefill <= most * DRIFT:
        return True
    decode = observed.decode or found.decode_rate
    return not found.decode_rate / DRIFT <= decode <= found.decode_rate * DRIFT
