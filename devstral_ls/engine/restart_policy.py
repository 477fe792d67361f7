"""How long to wait before an engine that died is started again, and when to give it up."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """For an engine that dies. Times in seconds."""

    look: float = 1.0
    """Between two checks whether it still lives, or whether a model has come."""
    first: float = 0.5
    """Before the first restart; each further one waits twice as long."""
    most: float = 30.0
    deaths: int = 5
    """So many ``within`` that time, and it is not restarted any more."""
    within: float = 120.0
    silence: float = 20.0
    """Without an event while a request runs, at least; see ``connection.connect``."""
    pulse: float = 5.0
    """For an engine that was silent to answer a health check."""
    stopped: float = 2.0
    """For an engine that was stopped by a signal to go on, while a request runs."""
    silences: int = 2
    """Silent requests in a row after which an engine is ended although it answers health checks."""


class Deaths:
    """The deaths of one server's engine."""

    def __init__(self, policy: RestartPolicy, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._clock = clock
        self._times = deque[float](maxlen=policy.deaths)

    def forget(self) -> None:
        """Begin anew."""
        self._times.clear()

    def add(self) -> float | None:
        """It died: the seconds to wait before it is started again, or None if that is no use any more."""
        now = self._clock()
        self._times.append(now)
        n_recent = sum(now - then <= self._policy.within for then in self._times)
        if n_recent == self._policy.deaths:
            return None
        return min(self._policy.first * 2.0 ** (n_recent - 1), self._policy.most)
