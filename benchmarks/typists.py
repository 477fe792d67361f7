"""How people who type at once share one engine: each with a client of their own, as their editors have.

    python -m benchmarks.typists --typists 1,2,4,8

For each number of typists, all open a file at the same moment (``cold``: nothing is cached), and all type
(``typing``: all but the last tokens are cached). Of two, one also types while the other opens one file after another
(``opening``), runs one long action after another (``action``), or has one prompt after another evaluated in the
background (``ahead``). ``--rate`` starts the engine as if that prefill rate had
been measured before: it decides the batch.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.latency import percentile
from devstral_ls.engine import rendezvous
from devstral_ls.engine.connection import Connection, connect
from devstral_ls.engine.spec import EngineOptions, EngineSpec, spec_of
from devstral_ls.generation import GenerationRequest, Priority, Text
from devstral_ls.models import store
from devstral_ls.platform.paths import Directories, directories

RESULTS = Path(__file__).parent / "results" / "typists.json"
PROMPT_CHARS = 500
"""About 330 tokens: a small window, so that the scenes are short."""
MAX_TOKENS = 16
PAUSES = (0.15, 0.6)
"""Seconds between an answer and the next request."""
TYPED = "total = sum(value for value in rows if value.name == other) + "
STEP = 6
"""Characters between two requests: about two tokens."""


_files = itertools.count(16)


@dataclass
class Times:
    """Milliseconds."""

    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


@dataclass
class Typist:
    """One of them, with an editor of their own."""

    number: int
    engine: Connection

    async def ask(self, text: str, times: Times) -> None:
        """One request, and how long it took."""
        begun = time.perf_counter()
        first = 0.0
        request = GenerationRequest((Text(text),), MAX_TOKENS, conversation=f"file:///{self.number}.py")
        async with self.engine.client.generate(request) as chunks:
            async for _ in chunks:
                first = first or time.perf_counter()
        times.first.append((first - begun) * 1000)
        times.whole.append((time.perf_counter() - begun) * 1000)

    def file(self) -> str:
        """Another file than any before, in its first token too."""
        name = f"v{next(_files):x}"
        return "".join(f"{name}_{n} = {name}({n}, 'row {n * self.number}')\n" for n in range(100))[:PROMPT_CHARS]

    async def open_file(self, times: Times) -> str:
        """A request at the end of a file nobody asked about before: the file."""
        text = self.file()
        await self.ask(text, times)
        return text

    async def type(self, text: str, n_requests: int, times: Times) -> None:
        """Type on at the end of ``text``, asking now and then."""
        pauses = random.Random(self.number)
        for n in range(1, n_requests + 1):
            await asyncio.sleep(pauses.uniform(*PAUSES))
            await self.ask(text + TYPED[: n * STEP], times)


Work = Callable[[Typist], Awaitable[None]]


async def scenes(typists: Sequence[Typist], n_requests: int) -> dict[str, Times]:
    cold, typing = Times(), Times()
    files = await asyncio.gather(*(typist.open_file(cold) for typist in typists))
    await asyncio.gather(*(t.type(file, n_requests, typing) for t, file in zip(typists, files, strict=True)))
    found = {"cold": cold, "typing": typing}
    if len(typists) == 2:
        for name, work in WORKS.items():
            found[f"no {name}"], found[name] = await _beside(typists[0], files[0], n_requests, typists[1], work)
    return found


async def _beside(typist: Typist, file: str, n_requests: int, other: Typist, work: Work) -> tuple[Times, Times]:
    """Requests in turn while nobody else does anything and while ``other`` does: whatever else the machine is doing
    meets both alike.
    """
    alone, beside = Times(), Times()
    pauses = random.Random(other.number)
    for n in range(1, n_requests + 1):
        await asyncio.sleep(pauses.uniform(*PAUSES))
        await typist.ask(file + TYPED[: 2 * n * STEP], alone)
        working = asyncio.create_task(_again_and_again(work, other))
        await asyncio.sleep(pauses.uniform(*PAUSES))
        await typist.ask(file + TYPED[: (2 * n + 1) * STEP], beside)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    return alone, beside


async def _open(typist: Typist) -> None:
    await typist.open_file(Times())


async def _act(typist: Typist) -> None:
    request = GenerationRequest(
        (Text(typist.file()),), 200, conversation=f"file:///{typist.number}.py#action", priority=Priority.ACTION
    )
    async with typist.engine.client.generate(request) as chunks:
        async for _ in chunks:
            pass


async def _evaluate(typist: Typist) -> None:
    request = GenerationRequest(
        (Text(typist.file()),), 0, conversation=f"file:///{typist.number}.py", priority=Priority.BACKGROUND
    )
    async with typist.engine.client.generate(request) as chunks:
        async for _ in chunks:
            pass


WORKS: dict[str, Work] = {"opening": _open, "action": _act, "ahead": _evaluate}
"""What the other one does."""


async def _again_and_again(work: Work, typist: Typist) -> None:
    while True:
        await work(typist)


async def measure(spec: EngineSpec, home: Directories, numbers: Sequence[int], n_requests: int) -> dict[str, object]:
    figures: dict[str, object] = {}
    for number in numbers:
        async with AsyncExitStack() as stack:
            typists = []
            for n in range(number):
                connection = await connect(spec, home)
                stack.push_async_callback(connection.aclose)
                typists.append(Typist(n, connection))
            state = typists[0].engine.state
            print(f"{number} typists, {state.slots} slots, batch {state.batch}, {state.threads} threads", flush=True)
            for scene, times in (await scenes(typists, n_requests)).items():
                row = {
                    "ttft_p50": statistics.median(times.first),
                    "ttft_p90": percentile(times.first, 0.9),
                    "whole_p50": statistics.median(times.whole),
                    "whole_p90": percentile(times.whole, 0.9),
                }
                figures[f"{number} {scene} batch {state.batch} slots {state.slots}"] = row
                shown = "  ".join(f"{name} {value:6.0f}" for name, value in row.items())
                print(f"  {scene:10} {shown}  ms", flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", default="starter", help="name or path")
    parser.add_argument("--typists", default="1,2,4,8")
    parser.add_argument("--requests", type=int, default=10, help="of each, in a scene")
    parser.add_argument("--slots", type=int, help="instead of what sizing chooses")
    parser.add_argument("--threads", type=int, help="instead of what sizing chooses")
    parser.add_argument("--rate", type=float, help="tokens a second the batch is chosen for")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = Directories(Path(temporary) / "data", Path(temporary) / "run", Path(temporary) / "settings.toml")
        model = store.find(directories().models, options.model)
        wishes = EngineOptions(slots=options.slots or "auto", threads=options.threads or "auto", context_tokens=2048)
        spec = spec_of(model, options.model, wishes, home)
        try:
            numbers = [int(number) for number in options.typists.split(",")]
            figures = asyncio.run(_with_rate(spec, home, numbers, options))
        finally:
            rendezvous.stop(home)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=1))


async def _with_rate(
    spec: EngineSpec, home: Directories, numbers: Sequence[int], options: argparse.Namespace
) -> dict[str, object]:
    """The rate is kept under a key only the host knows: it is asked once, then started again."""
    if options.rate:
        first = await connect(spec, home)
        await first.aclose()
        await asyncio.to_thread(rendezvous.stop, home)
        home.data.mkdir(exist_ok=True)
        known = {first.state.rate_key: {"prefill": options.rate}}
        (home.data / "rates.json").write_text(json.dumps(known))
    return await measure(spec, home, numbers, options.requests)


if __name__ == "__main__":
    main()
