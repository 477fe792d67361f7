"""What a running engine does at this moment, as it and the system say it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from devstral_ls.engine import locks
from devstral_ls.engine.place import Place
from devstral_ls.engine.state import EngineState
from devstral_ls.platform.paths import Directories

_ASK_SECONDS = 2.0
_METRIC = re.compile(r"^llamacpp:(\w+) (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class EngineReport:
    """One engine. What could not be found out is None."""

    state: EngineState
    uptime_s: float
    clients: int | None = None
    """Servers and commands that are connected."""
    slots_busy: int | None = None
    waiting: int | None = None
    """Requests inside the engine that wait for a slot; its clients wait outside, so there are none but for moments."""
    rss_bytes: int | None = None
    """Resident memory of the process; the model's file, mapped, is part of it."""
    prefill_rate: float | None = None
    """Tokens a second since its start, as it counted them."""
    decode_rate: float | None = None
    reuse: float | None = None
    """The share of all prompt tokens since its start that were in the KV cache already, 0 to 1."""


def report(state: EngineState, directories: Directories) -> EngineReport:
    """Ask the engine that ``state`` is of, for two seconds at most."""
    place = Place(directories.runtime, state.key)
    metrics = _metrics(state, place) if state.phase == "ready" else {}
    new, cached = metrics.get("prompt_tokens_total", 0.0), metrics.get("prompt_tokens_cached_total", 0.0)
    busy, waiting = metrics.get("requests_processing"), metrics.get("requests_deferred")
    return EngineReport(
        state=state,
        uptime_s=max(0.0, time.time() - state.started),
        clients=locks.n_holders(place.clients),
        slots_busy=None if busy is None else int(busy),
        waiting=None if waiting is None else int(waiting),
        rss_bytes=_resident(state.pid),
        prefill_rate=_rate(new, metrics.get("prompt_seconds_total")),
        decode_rate=_rate(metrics.get("tokens_predicted_total", 0.0), metrics.get("tokens_predicted_seconds_total")),
        reuse=cached / (new + cached) if new + cached else None,
    )


def _metrics(state: EngineState, place: Place) -> dict[str, float]:
    import httpx

    address = state.address or ""
    socket = address.removeprefix("unix:") if address.startswith("unix:") else None
    try:
        key = place.api_key.read_text(encoding="ascii").strip()
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=socket, trust_env=False),
            base_url="http://engine" if socket else address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=_ASK_SECONDS,
            trust_env=False,
        ) as http:
            answer = http.get("/metrics")
    except (OSError, httpx.HTTPError, httpx.InvalidURL):
        return {}
    found = _METRIC.findall(answer.text) if answer.status_code == 200 else []
    return {name: float(value) for name, value in found}


def _resident(pid: int | None, system: Path = Path("/proc")) -> int | None:
    try:
        status = (system / str(pid) / "status").read_text()
    except OSError:
        return None
    found = re.search(r"^VmRSS:\s*(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _rate(tokens: float, seconds: float | None) -> float | None:
    return tokens / seconds if seconds else None
