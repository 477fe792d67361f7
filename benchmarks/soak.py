"""Growth in hours of work: typing at a human pace through the real server, index and engine.

    python -m benchmarks.soak --hours 2 --model tiny --samples soak.jsonl
    python -m benchmarks.soak --read soak.jsonl

Files are typed with slips, suggestions accepted, dismissed and undone; other documents are opened, edited, saved and
closed; settings change; other servers start, send a request and are killed. Every few seconds a line with the usage of
each process goes to ``--samples``; ``--read`` makes figures and plot of it, also during a run and after one that was
killed. The exit status is 1 when something was not flat (``benchmarks.growth_report``). Between two lines the typist rests
while all processes together have used more than ``--core`` of a core.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any, TextIO

from benchmarks import growth_report, items
from benchmarks.keystrokes import stretch
from benchmarks.results import write
from benchmarks.rig import Arm, Bench, Rig, ask, rig
from benchmarks.session_noise import CAPABLE, SessionNoise
from benchmarks.typist import Typist
from devstral_ls.engine import rendezvous
from devstral_ls.engine.engine_report import engine_report
from devstral_ls.errors import DevstralError
from devstral_ls.testing.interruptible import run_interruptible
from devstral_ls.testing.lsp_client import LspClient
from devstral_ls.testing.process_usage import children, on_disk, usage

CHARACTERS = 500
"""Characters typed of each file at a time."""

SAMPLE_S = 5.0
ARM = Arm("soak", latency_ms=2_000, settings={"inline": {"debounceMs": "auto"}})
"""As shipped, with a latency budget that shows something on a busy machine too."""


class Ended(Exception):
    """A process of the run has ended unexpectedly."""


@dataclass
class Soak:
    """One run."""

    running: Rig
    client: LspClient
    noise: SessionNoise
    typist: Typist
    out: TextIO
    core: float
    visit_s: float
    begun: float = field(default_factory=time.monotonic)
    cpu_s: float = 0.0

    async def type_until(self, end: float) -> None:
        """Type one file after another."""
        parts = cycle(enumerate(items.replays()))
        while time.monotonic() < end:
            n, file = next(parts)
            part = stretch(file.text, CHARACTERS, with_rest=n % 2 == 0)
            uri = (self.noise.workspace / file.name).as_uri()
            await self.typist.type_part(uri, file.language, part, self._at_line_end)

    async def sample_for_ever(self) -> None:
        """A line every few seconds.

        Raises:
            Ended: a process has ended.
        """
        while True:
            row = await asyncio.to_thread(self._sample)
            self.out.write(json.dumps(row) + "\n")
            self.out.flush()
            # Received messages are dropped, so that the harness does not grow either.
            self.client.received.clear()
            self.cpu_s = sum(one["cpu_s"] for one in row["processes"].values())
            await asyncio.sleep(SAMPLE_S)

    async def visit_for_ever(self) -> None:
        """Start another server, send one request, and kill it."""
        file = items.replays()[0]
        for n in range(1 << 30):
            await asyncio.sleep(self.visit_s)
            async with self.running.server(Arm("visitor", settings=ARM.settings), self.noise.workspace) as client:
                uri = client.open(file.text, f"file:///visit/{n}.py", file.language)
                await ask(client, uri, file.text.count("\n"), 0, invoked=True)
            self.typist.did["visits"] += 1

    async def _at_line_end(self) -> None:
        await self.noise.something()
        too_much = self.cpu_s / self.core - max(60.0, time.monotonic() - self.begun)
        await asyncio.sleep(max(0.0, too_much))

    def _sample(self) -> dict[str, Any]:
        assert self.client.process is not None
        server = self.client.process.pid
        states = rendezvous.engines(self.running.places)
        index = children(server)
        pids = {"server": server, "index": index[0] if index else 0, "engine": states[0].pid if states else 0}
        found = {name: usage(pid) for name, pid in pids.items()}
        if gone := [name for name, one in found.items() if one is None]:
            raise Ended(f"gone: {', '.join(gone)}")
        engine = asyncio.run(engine_report(states[0], self.running.places))  # looked at from a thread
        return {
            "t": round(time.monotonic() - self.begun, 1),
            "pids": pids,
            "processes": {name: asdict(one) for name, one in found.items() if one},
            "engine": {"clients": engine.clients, "busy": engine.slots_busy, "waiting": engine.waiting},
            "unanswered": self.client.n_unanswered,
            "disk_mb": on_disk(self.running.places.data, self.running.places.runtime) / 1e6,
            "did": dict(self.typist.did),
        }


async def soak(bench: Bench, seconds: float, samples: Path, core: float, visit_s: float, seed: int = 7) -> None:
    """Run it, with a line in ``samples`` every few seconds.

    Args:
        bench: the options of the engine.
        seconds: the time of typing.
        samples: the file of the samples, written anew.
        core: the share of a core that all processes may use.
        visit_s: seconds between two visits of another server.
        seed: of all random choices.

    Raises:
        DevstralError: no model, or no engine.
        Ended: a process has ended.
        TimeoutError: a request was not answered.
    """
    with tempfile.TemporaryDirectory(prefix="soak") as name, samples.open("w", encoding="utf-8") as out:
        folder = Path(name)
        workspace = _workspace(folder)
        async with rig(folder, bench) as running, running.server(ARM, workspace, CAPABLE) as client:
            header = running.header(seconds=seconds, core=core, seed=seed, items=items.digest(items.replays()))
            out.write(json.dumps({"header": header}) + "\n")
            did: Counter[str] = Counter()
            noise = SessionNoise(client, workspace, Random(f"desk {seed}"), did)
            run = Soak(running, client, noise, Typist(client, Random(f"person {seed}"), did), out, core, visit_s)
            await _first_of(run.type_until(time.monotonic() + seconds), run.sample_for_ever(), run.visit_for_ever())


async def _first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Wait until one of ``works`` ends; raises its exception."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def _workspace(folder: Path) -> Path:
    workspace = folder / "workspace"
    workspace.mkdir()
    for file in items.replays():
        (workspace / file.name).write_text(file.text, encoding="utf-8")
    return workspace


def rows_of(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Header and samples; the last line of a run that was killed may be incomplete."""
    rows = list(_lines(path))
    return dict(rows[0]["header"]), [row for row in rows[1:] if "t" in row]


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return


def told(samples: Path) -> int:
    """Write, print and judge the figures of ``samples``; returns the exit status."""
    header, rows = rows_of(samples)
    result = {"benchmark": "soak", "header": header, **growth_report.figures(rows)}
    write("soak", result)
    print("\n".join(growth_report.table(result)))
    return 1 if result["broken"] else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--model", default="tiny", help="name or path")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--core", type=float, default=0.35, help="the share of a core that all of it may have")
    parser.add_argument("--visit", type=float, default=600.0, help="seconds between two visits of another server")
    parser.add_argument("--samples", type=Path, default=Path("soak.jsonl"))
    parser.add_argument("--read", type=Path, help="only figures and plot, of these samples")
    options = parser.parse_args()
    if options.read:
        return told(options.read)
    why = ""
    try:
        bench = Bench(options.model, options.threads)
        run_interruptible(soak(bench, 3600 * options.hours, options.samples, options.core, options.visit))
    except KeyboardInterrupt:
        why = "stopped before its end"
    except DevstralError as error:
        print(f"{error.message}{f' — {error.hint}' if error.hint else ''}", file=sys.stderr)
        return 1
    except (Ended, TimeoutError) as error:
        why = str(error) or "a request was not answered"
    status = told(options.samples)
    if why:
        print(f"BROKEN: {why}", file=sys.stderr)
    return 1 if why else status


if __name__ == "__main__":
    sys.exit(main())
