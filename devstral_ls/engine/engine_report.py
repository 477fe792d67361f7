"""What a running daemon does at this moment, as it and the system say it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from devstral_ls.engine.client import session_for, status
from devstral_ls.engine.rendezvous import endpoint_of
from devstral_ls.engine.runtime_dir import RuntimeFiles
from devstral_ls.engine.state import EngineState
from devstral_ls.errors import EngineUnavailable
from devstral_ls.platform.paths import Directories
from devstral_ls.platform.processes import resident_bytes


@dataclass(frozen=True, slots=True)
class QueuedRequest:
    """One request in the daemon's queue."""

    rank: str
    """A name of ``daemon.queue.Rank``, in lower case."""
    state: str
    """``waiting`` or ``running``."""
    slot: int | None
    seconds: float
    """Since it came, or began to wait again."""


@dataclass(frozen=True, slots=True)
class EngineReport:
    """One engine. What could not be found out is None."""

    state: EngineState
    uptime_s: float
    clients: int | None = None
    """Servers and commands that are attached."""
    slots_busy: int | None = None
    waiting: int | None = None
    """Requests in the queue that wait for their turn."""
    queue: tuple[QueuedRequest, ...] = ()
    """All requests, in the order of coming."""
    runs: int | None = None
    """Runs of the model since its start; a request that was paused for others has several."""
    rss_bytes: int | None = None
    """Resident memory of the process; the model's file, mapped, is part of it."""
    prefill_rate: float | None = None
    """Tokens a second since its start, as it counted them."""
    decode_rate: float | None = None
    reuse: float | None = None
    """The share of all prompt tokens since its start that were in the KV cache already, 0 to 1."""


async def engine_report(state: EngineState, directories: Directories) -> EngineReport:
    """Ask the daemon that ``state`` is of, for some seconds at most."""
    found = EngineReport(state, max(0.0, time.time() - state.started), rss_bytes=resident_bytes(state.pid))
    if state.phase != "ready":
        return found
    try:
        async with session_for(endpoint_of(RuntimeFiles(directories.runtime, state.key), state)) as session:
            return _with_answer(found, await status(session))
    except (EngineUnavailable, OSError, KeyError, TypeError):
        return found


def _with_answer(found: EngineReport, answer: dict[str, Any]) -> EngineReport:
    totals = answer["totals"]
    prompt, cached = totals["prompt_tokens"], totals["cached_tokens"]
    queue = tuple(QueuedRequest(**request) for request in answer["queue"])
    return EngineReport(
        state=found.state,
        uptime_s=found.uptime_s,
        clients=answer["clients"],
        slots_busy=sum(slot["busy"] for slot in answer["slots"]),
        waiting=sum(request.state == "waiting" for request in queue),
        queue=queue,
        runs=totals["runs"],
        rss_bytes=found.rss_bytes,
        prefill_rate=_rate(prompt - cached, totals["prefill_ms"]),
        decode_rate=_rate(totals["generated_tokens"], totals["decode_ms"]),
        reuse=cached / prompt if prompt else None,
    )


def _rate(tokens: int, ms: float) -> float | None:
    return tokens / ms * 1000 if ms else None
