"""When to ask: an automatic request waits for a pause in the typing, which is as long as the typist's rhythm says."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from statistics import median

MIN_DEBOUNCE_MS = 40
"""Shorter is not noticed; typing gaps are 120 to 350 ms (``quality.md``)."""

MAX_DEBOUNCE_MS = 200
"""Longer is felt as slowness; Neovim waits 200 ms already."""

DEBOUNCE_SHARE = 0.5
"""Of the usual gap between two keys: in full flow the next key comes before the model has done much, and a pause is
answered soon."""

LONGEST_GAP_S = 1.0
"""A longer gap is thinking, not typing."""

N_GAPS = 16
"""The last gaps; their median is the rhythm."""


class Debounce:
    """The typing rhythm of one document.

    Args:
        clock: seconds.
        sleep: waits for seconds; tests give their own.
    """

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._gaps: deque[float] = deque(maxlen=N_GAPS)
        self._last: float | None = None

    def key_pressed(self) -> None:
        """Note that a request came in: requests follow the keys."""
        now, last = self._clock(), self._last
        self._last = now
        if last is not None and 0 < now - last <= LONGEST_GAP_S:
            self._gaps.append(now - last)

    async def wait(self, debounce_ms: int | str) -> None:
        """Wait until ``debounce_ms`` milliseconds have passed since the last key; ``auto``: as long as the rhythm says."""
        delay = self.debounce_ms if isinstance(debounce_ms, str) else debounce_ms
        since = 0.0 if self._last is None else self._clock() - self._last
        left = delay / 1000 - since
        if left > 0:
            await self._sleep(left)

    @property
    def debounce_ms(self) -> float:
        """Milliseconds of quiet to wait for, from the last gaps."""
        usual = median(self._gaps) * 1000 if self._gaps else MAX_DEBOUNCE_MS
        return min(MAX_DEBOUNCE_MS, max(MIN_DEBOUNCE_MS, usual * DEBOUNCE_SHARE))
