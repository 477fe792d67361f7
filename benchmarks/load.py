"""Fairness and piling up: twelve typists, each with a server of its own, at one engine.

    python -m benchmarks.load --servers 12 --minutes 10 --model tiny

Each types files at a human pace; the next key overtakes a request, which is cancelled as editors do it. One request in
seven is waited for, and its time measured. Every few seconds the engine reports its work. At the end all typists stop in
the middle of their requests, and the engine must soon be idle. The exit status is 1 when one server was treated worse
than the others (``UNFAIR``), one starved, or work piled up.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import items
from benchmarks.charts import Bar, bars
from benchmarks.editors import Offer
from benchmarks.journal import RESULTS
from benchmarks.keystrokes import stretch
from benchmarks.results import header_lines, write
from benchmarks.rig import Arm, Bench, Rig, rig
from benchmarks.stats import percentile
from benchmarks.typist import Typist
from devstral_ls.engine import rendezvous
from devstral_ls.engine.engine_report import engine_report
from devstral_ls.errors import DevstralError
from devstral_ls.testing.interruptible import run_interruptible
from devstral_ls.testing.process_usage import usage

CONTEXT_TOKENS = 256
"""Prompts as long as on a slow machine (``budget.FLOOR``), and answers not cut short by the time limit."""

CHARACTERS = 400
"""Characters typed of each file."""

LOOK_S = 2.0
IDLE_S = 30.0
"""Seconds after the last typist stopped within which the engine must be idle."""

UNFAIR = 3.0
"""The greatest allowed ratio of the slowest server's p95 to the fastest one's."""

STARVED_SHARE = 1 / 3
"""Share of the median number of answers; a server with fewer starved."""

MIN_ANSWERS = 20
"""Answers below which a p95 says nothing."""

N_EACH = 1
"""The most requests in the engine for each client, running and waiting: cancelled ones are gone."""


@dataclass
class Seat:
    """One typist and its server."""

    number: int
    waited: list[float] = field(default_factory=list)
    """Milliseconds until each awaited answer of the model."""
    did: Counter[str] = field(default_factory=Counter)

    def take(self, offer: Offer) -> None:
        """Record an answer."""
        if offer.asked_model or offer.late:
            self.waited.append(offer.ms)
            self.did["given up"] += offer.late


async def type_on(typist: Typist, number: int, end: float) -> None:
    """Type one file after another; each typist begins with another one."""
    files = items.replays()
    for n, file in enumerate(cycle([*files[number % len(files) :], *files[: number % len(files)]])):
        if time.monotonic() >= end:
            return
        part = stretch(file.text, CHARACTERS, with_rest=(n + number) % 2 == 0)
        await typist.type_part(f"file:///seat{number}/{n}_{file.name}", file.language, part)


def look(running: Rig) -> dict[str, Any]:
    """The engine's work, as in ``engine status --json``."""
    (state,) = rendezvous.engines(running.places)
    found = asyncio.run(engine_report(state, running.places))  # looked at from a thread
    memory = usage(state.pid) if state.pid else None
    return {
        "t": time.monotonic(),
        "clients": found.clients,
        "busy": found.slots_busy,
        "waiting": found.waiting,
        "rss_mb": memory.rss_mb if memory else None,
    }


async def load(bench: Bench, n_servers: int, seconds: float) -> dict[str, Any]:
    """Let all type; returns the result.

    Raises:
        DevstralError: no model, or no engine.
    """
    looks: list[dict[str, Any]] = []
    seats = [Seat(number) for number in range(n_servers)]
    with tempfile.TemporaryDirectory(prefix="load") as folder:
        async with rig(Path(folder), bench) as running, AsyncExitStack() as stack:
            people = []
            for seat in seats:
                arm = Arm(f"seat {seat.number}", settings={"inline": {"debounceMs": "auto"}})
                client = await stack.enter_async_context(running.server(arm))
                dice = Random(f"seat {seat.number}")
                people.append(Typist(client, dice, seat.did, seat.take, patient_ms=1000.0 * seconds))
            begun = time.monotonic()
            work = [asyncio.create_task(type_on(one, n, begun + seconds)) for n, one in enumerate(people)]
            try:
                while time.monotonic() < begun + seconds and not any(task.done() for task in work):
                    looks.append(await asyncio.to_thread(look, running))
                    await asyncio.sleep(LOOK_S)
            finally:
                for task in work:
                    task.cancel()
                ends = await asyncio.gather(*work, return_exceptions=True)
            for end in ends:
                if isinstance(end, Exception):
                    raise end
            idle_s = await _idle_after(running)
            memory = [usage(one.client.process.pid) for one in people if one.client.process]
            header = running.header(seconds=seconds, servers=n_servers, items=items.digest(items.replays()))
    found = {
        "idle_s": idle_s,
        "looks": [look | {"t": round(look["t"] - begun, 1)} for look in looks],
        "servers_mb": [round(one.rss_mb, 1) for one in memory if one],
        "seats": [_figures(seat) for seat in seats],
    }
    return {"benchmark": "load", "header": header, **found, "broken": list(broken(found, n_servers))}


async def _idle_after(running: Rig) -> float | None:
    """Seconds until the engine is idle; None when it does not become idle."""
    begun = time.monotonic()
    while time.monotonic() < begun + IDLE_S:
        seen = await asyncio.to_thread(look, running)
        if seen["busy"] == 0 and seen["waiting"] == 0:
            return time.monotonic() - begun
    return None


def _figures(seat: Seat) -> dict[str, Any]:
    return {
        "n": len(seat.waited),
        "p50": percentile(seat.waited, 0.5),
        "p95": percentile(seat.waited, 0.95),
        "most": max(seat.waited, default=None),
        "did": dict(seat.did),
    }


def unfairness(seats: Sequence[Mapping[str, Any]]) -> float | None:
    """The slowest p95 as a multiple of the fastest; None when a server got no answer."""
    found = [seat["p95"] for seat in seats]
    return max(found) / min(found) if found and all(found) else None


def broken(result: Mapping[str, Any], n_servers: int) -> list[str]:
    """The broken limits, a sentence each."""
    found = []
    share = unfairness(result["seats"])
    if share is None or share > UNFAIR:
        found.append(f"the slowest p95 is {share or float('inf'):.1f} times the fastest")
    if (fewest := min(seat["n"] for seat in result["seats"])) < MIN_ANSWERS:
        found.append(f"a server got only {fewest} answers: too few to judge")
    usual = statistics.median(seat["n"] for seat in result["seats"])
    found += [
        f"server {n + 1} got {seat['n']} answers, the others {usual:.0f}"
        for n, seat in enumerate(result["seats"])
        if seat["n"] < STARVED_SHARE * usual
    ]
    inside = max(((look["busy"] or 0) + (look["waiting"] or 0) for look in result["looks"]), default=0)
    if inside > N_EACH * n_servers:
        found.append(f"{inside} requests lay in the engine")
    if result["idle_s"] is None:
        found.append(f"the engine still worked {IDLE_S:.0f} s after all typists stopped")
    return found


def table(result: Mapping[str, Any]) -> list[str]:
    """The result as text."""
    looks, header = result["looks"], result["header"]
    rows = [
        f"{n + 1:6}{seat['n']:9}{_s(seat['p50']):>9}{_s(seat['p95']):>9}{_s(seat['most']):>9}"
        f"{seat['did'].get('asked', 0):9}{seat['did'].get('overtaken', 0):11}{seat['did'].get('shown', 0):7}"
        for n, seat in enumerate(result["seats"])
    ]
    share = unfairness(result["seats"])
    idle = result["idle_s"]
    return [
        *header_lines(header),
        f"{header['servers']} servers, {header['seconds'] / 60:.0f} minutes, {header['slots']} slots",
        "",
        f"{'server':6}{'answers':>9}{'p50 s':>9}{'p95 s':>9}{'most s':>9}{'asked':>9}{'overtaken':>11}{'shown':>7}",
        *rows,
        f"slowest p95 / fastest p95: {'-' if share is None else f'{share:.2f}'}",
        f"in the engine at {len(looks)} looks: at most {_most(looks, 'busy')} running, {_most(looks, 'waiting')} waiting, "
        f"{_most(looks, 'clients')} clients",
        f"nothing to do {'-' if idle is None else f'{idle:.1f} s'} after all typists stopped",
        f"memory: servers {min(result['servers_mb']):.0f} to {max(result['servers_mb']):.0f} MB, "
        f"engine {_most(looks, 'rss_mb'):.0f} MB",
        *(f"BROKEN: {one}" for one in result["broken"]),
    ]


def _most(looks: Sequence[Mapping[str, Any]], what: str) -> float:
    return max((look[what] for look in looks if look[what] is not None), default=0)


def _s(ms: float | None) -> str:
    return "-" if ms is None else f"{ms / 1000:.2f}"


def charts(result: Mapping[str, Any]) -> dict[str, str]:
    """The p95 of each server, with the median as the lower end of its interval."""
    found = [
        Bar(f"server {n + 1}", seat["p95"] / 1000, said=f"{_s(seat['p95'])} s, p50 {_s(seat['p50'])} s")
        for n, seat in enumerate(result["seats"])
        if seat["p95"]
    ]
    title = f"{len(result['seats'])} servers at one engine: p95 of an answer"
    return {"fairness": bars(title, found)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--servers", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--model", default="tiny", help="name or path")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--slots", type=int, default=4)
    options = parser.parse_args()
    bench = Bench(options.model, options.threads, options.slots, CONTEXT_TOKENS)
    try:
        result = run_interruptible(load(bench, options.servers, 60 * options.minutes))
    except KeyboardInterrupt:
        print("stopped; nothing is kept", file=sys.stderr)
        return 130
    except DevstralError as error:
        print(f"{error.message}{f' — {error.hint}' if error.hint else ''}", file=sys.stderr)
        return 1
    write("load", result)
    print("\n".join([*table(result), f"kept in {RESULTS}"]))
    return 1 if result["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
