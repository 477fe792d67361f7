"""Start-up, overhead, memory and latency, measured through the real server over stdio: ``python -m benchmarks.latency``.

Five parts, printed as one table and kept as JSON in ``benchmarks/results/latency.json``:

* the server alone, with a scripted engine that takes no time: ``initialize`` from the start of the process, overhead of a
  request in a 2,000-line file, resident memory;
* the overhead of each key of code typed into long files: ``benchmarks.own_time``;
* a real model: a cold request, the same place again, typing on, typing through a suggestion;
* cancelling a request during the prefill of a 1,500-token prompt: the answer, and the engine's next free moment;
* of each of those keys, the time outside of the request to the engine (``stages`` of ``devstral.why``).

The machine is noisy: medians and percentiles of one run, to be compared within it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import platform
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import own_time
from benchmarks.rig import why
from benchmarks.source import long_file
from benchmarks.stats import percentile
from devstral_ls import __version__
from devstral_ls.engine.rendezvous import stop
from devstral_ls.engine.spec import EngineOptions
from devstral_ls.engine.switch import ConfiguredEngine
from devstral_ls.errors import ModelNotFound
from devstral_ls.generation import GenerationRequest, Text
from devstral_ls.models import store
from devstral_ls.platform.paths import Directories, directories
from devstral_ls.testing.lsp_client import LspClient, edit, start
from devstral_ls.testing.lsp_client import stop as stop_client
from devstral_ls.testing.process_usage import rss

RESULTS = Path(__file__).parent / "results" / "latency.json"
N_STARTS = 5
N_REQUESTS = 200
N_LINES = 2_000
N_TYPED = 24
LONG_PROMPT_TOKENS = 1_500

Row = tuple[str, float | None, str]
"""Name, figure, unit."""


async def start_ups(folder: Path) -> list[Row]:
    """Time from the start of the process to the answer to ``initialize``."""
    taken = []
    for _ in range(N_STARTS):
        begun = time.perf_counter()
        client = await start(folder, module="devstral_ls")
        await client.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        taken.append(time.perf_counter() - begun)
        await stop_client(client)
    return [
        ("initialize, median", statistics.median(taken) * 1000, "ms"),
        ("initialize, slowest", max(taken) * 1000, "ms"),
    ]


async def overhead(folder: Path) -> list[Row]:
    """Overhead of a request when the engine takes no time, with a key before each."""
    client = await start(folder, "--real-pipeline", DEVSTRAL_LS_CONFIG=str(_no_debounce(folder)))
    try:
        await client.initialize()
        text, line = long_file(N_LINES, N_REQUESTS + 1)
        uri = client.open(text)
        await client.inline(uri, line, 8)
        taken = []
        # Another line each time: nothing is answered from the cache.
        for n, at in enumerate(range(line + 1, line + 1 + N_REQUESTS)):
            begun = time.perf_counter()
            client.change(uri, edit((at, 8), (at, 8), f"v{n} = "))
            await client.inline(uri, at, 8 + len(f"v{n} = "))
            taken.append((time.perf_counter() - begun) * 1000)
        assert client.process is not None
        memory = rss(client.process.pid) / 1e6
        asked = (await client.script())["asked"]
    finally:
        await stop_client(client)
    assert len(asked) > N_REQUESTS * 0.9, f"only {len(asked)} of {N_REQUESTS} requests reached the engine"
    return [
        (f"overhead in {N_LINES} lines, p50", percentile(taken, 0.5), "ms"),
        (f"overhead in {N_LINES} lines, p95", percentile(taken, 0.95), "ms"),
        ("server without engine, resident", memory, "MB"),
    ]


def _no_debounce(folder: Path) -> Path:
    """Settings without debounce, which is no overhead."""
    path = folder / "no-debounce.toml"
    path.write_text("[inline]\ndebounceMs = 0\n")
    return path


async def with_model(folder: Path, model: Path) -> list[Row]:
    """Open a document, request, type on, type through a suggestion."""
    client = await _real_server(folder, model)
    try:
        begun = time.perf_counter()
        await client.initialize()
        text, line = long_file(120, 8)
        uri = client.open(text)
        await asyncio.wait_for(client.status("ready"), 120)
        rows = [("start to ready (model in the page cache or not)", (time.perf_counter() - begun) * 1000, "ms")]
        items, cold = await _timed(client, uri, line, 8)
        rows.append(("cold request", cold, "ms"))
        _, again = await _timed(client, uri, line, 8)
        rows.append(("same place again", again, "ms"))
        rows += await _type_through(client, uri, line, items[0]["insertText"]) if items else []
        rows += await _type_on(client, uri, line + 4)
        assert client.process is not None
        rows.append(("server with model client, resident", rss(client.process.pid) / 1e6, "MB"))
    finally:
        await stop_client(client)
    return rows


async def _real_server(folder: Path, model: Path) -> LspClient:
    return await start(
        folder,
        module="devstral_ls",
        DEVSTRAL_LS_MODEL=str(model),
        DEVSTRAL_LS_CONFIG=str(_no_debounce(folder)),
    )


async def _timed(client: LspClient, uri: str, line: int, character: int) -> tuple[list[Any], float]:
    begun = time.perf_counter()
    items = (await asyncio.wait_for(client.ask_inline(uri, line, character, kind=1), 120))["items"]
    return items, (time.perf_counter() - begun) * 1000


async def _type_through(client: LspClient, uri: str, line: int, suggestion: str) -> list[Row]:
    """Type three characters of the suggestion, with a request after each."""
    taken = []
    for n, c in enumerate(suggestion[:3]):
        client.change(uri, edit((line, 8 + n), (line, 8 + n), c))
        items, ms = await _timed(client, uri, line, 9 + n)
        assert items, "typing through a suggestion must show the rest of it"
        taken.append(ms)
    return [("typing through a suggestion, slowest of three keys", max(taken), "ms")]


async def _type_on(client: LspClient, uri: str, line: int) -> list[Row]:
    """Type against the suggestion: the prompt is cached but for the last tokens."""
    typed = "total_of_all = compute_it("[:N_TYPED]
    taken, ours = [], []
    for n, c in enumerate(typed):
        client.change(uri, edit((line, 8 + n), (line, 8 + n), c))
        _, ms = await _timed(client, uri, line, 9 + n)
        taken.append(ms)
        told = await why(client, uri)
        if not told["cached"] and "engine" in told["stages"]:
            ours.append(ms - told["stages"]["engine"])
    # The first key is at a new place, cold; the others go on from it.
    return [
        ("typing on, p50", percentile(taken[1:], 0.5), "ms"),
        ("typing on, p90", percentile(taken[1:], 0.9), "ms"),
        (f"... of it outside of the engine ({len(ours)} keys), p50", percentile(ours, 0.5), "ms"),
        ("... of it outside of the engine, p90", percentile(ours, 0.9), "ms"),
    ]


async def cancelling(folder: Path, model: Path) -> list[Row]:
    """Cancel a request during a long prefill: time to its answer, and until the engine is free."""
    places = _places(folder)
    engine = ConfiguredEngine(EngineOptions(str(model), context_tokens=8192, slots=1), places, lambda status: None)
    engine.start()
    try:
        await engine.ready()
        if engine.error is not None:
            raise engine.error
        rows = []
        for _ in range(3):
            rows.append(await _cancelled(engine))
    finally:
        await engine.aclose()
    answered, free = zip(*rows, strict=True)
    return [
        (f"leaving a {LONG_PROMPT_TOKENS}-token prefill, answered", statistics.median(answered), "ms"),
        ("... until the only slot has answered another request, median", statistics.median(free), "ms"),
        ("... slowest", max(free), "ms"),
    ]


async def _cancelled(engine: ConfiguredEngine) -> tuple[float, float]:
    text = "".join(f"value_{n} = {n}\n" for n in range(time.time_ns() % 1000, 5000))[: LONG_PROMPT_TOKENS * 2]

    async def long_one() -> None:
        async with engine.generate(GenerationRequest((Text(text),), 8)) as chunks:
            async for _ in chunks:
                pass

    task = asyncio.create_task(long_one())
    await asyncio.sleep(1.0)
    begun = time.perf_counter()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    answered = time.perf_counter()
    async with engine.generate(GenerationRequest((Text("x"),), 1)) as chunks:
        async for _ in chunks:
            pass
    return (answered - begun) * 1000, (time.perf_counter() - begun) * 1000


def _places(folder: Path) -> Directories:
    return Directories(folder / "data", folder / "run", folder / "settings.toml")


def environment() -> dict[str, str]:
    """The header of the result: machine, versions, model."""
    return {
        "machine": platform.platform(),
        "python": platform.python_version(),
        "devstral-ls": __version__,
        "xllamacpp": version("xllamacpp"),
    }


async def measure(name: str) -> list[Row]:
    """Run all parts."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        try:
            rows += await start_ups(folder)
            rows += await overhead(folder)
            rows += await own_time.measure(folder)
            model = store.find(directories().models, name)
            rows += await with_model(folder, model)
            stop(_places(folder))
            rows += await cancelling(folder, model)
        except ModelNotFound as missing:
            print(f"no model, so only the server alone is measured: {missing.message}", file=sys.stderr)
        finally:
            stop(_places(folder))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", default="starter", help="name or path")
    options = parser.parse_args()
    rows = asyncio.run(measure(options.model))
    for what, amount, unit in rows:
        print(f"{what:64} {amount:9.1f} {unit}")
    RESULTS.parent.mkdir(exist_ok=True)
    figures = {what: {"value": round(amount, 2), "unit": unit} for what, amount, unit in rows}
    RESULTS.write_text(json.dumps({"environment": environment(), "model": options.model, "figures": figures}, indent=1))


if __name__ == "__main__":
    main()
