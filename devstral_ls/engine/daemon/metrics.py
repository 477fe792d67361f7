"""What the daemon knows of its work: its queue and slots, the rates measured and the share of prompts that was cached."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from devstral_ls.engine.daemon.backends.backend import BackendInfo
from devstral_ls.engine.daemon.queue import Queue
from devstral_ls.engine.tuning.calibration import read_calibrated
from devstral_ls.engine.tuning.rates import Rate, Rates
from devstral_ls.generation import Usage

_SAVE_SECONDS = 30.0
"""Between two writes of the measured rates, at least."""

_NEWS = 0.02
"""A change of a rate by less than this part of it is not told."""

OnRate = Callable[[list[float | None]], None]


class Metrics:
    """Counted since the daemon started."""

    def __init__(
        self,
        info: BackendInfo,
        queue: Queue,
        rates: Rates,
        calibration: Path | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``rates`` are those remembered on this machine; ``calibration`` is where the backend's calibration is kept."""
        self._info = info
        self._queue = queue
        self._rates = rates
        self._calibration = calibration
        self._clock = clock
        self._saved = clock()
        self._totals = Usage(0, 0, 0, 0.0, 0.0)
        self._n_runs = 0
        self._watchers = set[OnRate]()
        self._announced: Rate | None = rates.get(info.rate_key)

    def add(self, usage: Usage) -> None:
        """A run of the backend cost ``usage``."""
        total = self._totals
        self._n_runs += 1
        self._totals = Usage(
            total.prompt_tokens + usage.prompt_tokens,
            total.cached_tokens + usage.cached_tokens,
            total.generated_tokens + usage.generated_tokens,
            total.prefill_ms + usage.prefill_ms,
            total.decode_ms + usage.decode_ms,
        )
        if self._info.rate_key:
            self._rates.observe(self._info.rate_key, usage)
            self._news()

    def recalibrated(self) -> None:
        """A calibration was written: go on from its rates."""
        found = read_calibrated(self._calibration) if self._calibration is not None else None
        if found is not None:
            self._rates.put(self._info.rate_key, Rate(found.prefill_rate(self._info.batch), found.decode_rate))
            self._news()

    def watch_rate(self, on_rate: OnRate) -> Callable[[], None]:
        """Tell ``on_rate`` the rate, prefill and decode in tokens a second, now and when it changes. Call what is
        returned to stop that.
        """
        self._watchers.add(on_rate)
        if self._announced is not None:
            on_rate([self._announced.prefill, self._announced.decode])
        return lambda: self._watchers.discard(on_rate)

    def remember(self, *, at_once: bool = False) -> None:
        """Write the rates down, now and then. Blocks for a moment."""
        if self._rates.unsaved and (at_once or self._clock() - self._saved > _SAVE_SECONDS):
            self._saved = self._clock()
            self._rates.save()

    @property
    def is_busy(self) -> bool:
        """True while any request runs or waits."""
        return bool(self._queue.tickets)

    def report(self) -> dict[str, Any]:
        """For ``engine status``: no word of a prompt or an answer, and no document's name."""
        now, total = self._queue.clock(), self._totals
        return {
            "queue": [
                {
                    "rank": ticket.rank.name.lower(),
                    "state": "waiting" if ticket.slot is None else "running",
                    "slot": ticket.slot.number if ticket.slot is not None else None,
                    "seconds": round(now - ticket.since, 3),
                }
                for ticket in self._queue.tickets
            ],
            "slots": [
                {"number": slot.number, "busy": slot.busy, "cached_tokens": len(slot.evaluated)}
                for slot in self._queue.slots
            ],
            "totals": {
                "runs": self._n_runs,  # of the backend: a request that was paused has several
                "prompt_tokens": total.prompt_tokens,
                "cached_tokens": total.cached_tokens,
                "generated_tokens": total.generated_tokens,
                "prefill_ms": total.prefill_ms,
                "decode_ms": total.decode_ms,
            },
        }

    def _news(self) -> None:
        rate = self._rates.get(self._info.rate_key)
        if rate is None or (self._announced is not None and _is_like(rate, self._announced)):
            return
        self._announced = rate
        for watcher in list(self._watchers):
            watcher([rate.prefill, rate.decode])


def _is_like(rate: Rate, other: Rate) -> bool:
    if (rate.decode is None) != (other.decode is None):
        return False
    pairs = [(rate.prefill, other.prefill), (rate.decode or 0.0, other.decode or 0.0)]
    return all(abs(new - old) <= _NEWS * old for new, old in pairs)
