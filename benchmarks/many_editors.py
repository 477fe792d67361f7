"""Many editors at once, as a session manager restores windows: how long each waits, and what a start costs.

    python -m benchmarks.many_editors --editors 50 --rounds 2 --against ../before

All servers are started at the same moment, each with a folder of its own and one model. Told are the seconds until
``initialize`` was answered and until the model was ready, the seconds of CPU of a start, and what there is afterwards: one
daemon, and no process left over. With ``--against`` the same is done with another checkout of this repository, in turn,
so that both see the same machine; on a busy one only the ratios and the CPU seconds mean anything. The exit status is 1
when there was more than one daemon, or anything was left.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.stats import percentile
from devstral_ls.engine import rendezvous
from devstral_ls.platform.paths import Directories
from devstral_ls.testing import lsp_client
from devstral_ls.testing.gguf_files import write_devstral_shaped
from devstral_ls.testing.interruptible import run_interruptible
from devstral_ls.testing.lsp_client import ROOT, LspClient
from devstral_ls.testing.process_usage import cpu_s

READY_S = 300.0
"""Seconds after which a server without a model counts as one that never had one."""

LEFT_S = 30.0
"""Seconds within which servers, indexes and the daemon must be gone."""


@dataclass
class Round:
    """What one round saw. Seconds."""

    load: float
    """Average of the last minute, before the round."""
    initialized: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    cpu_initialized: list[float] = field(default_factory=list)
    """Of a server, when it had answered ``initialize``."""
    cpu: list[float] = field(default_factory=list)
    """Of a server and its index, when all were ready."""
    daemons: int = 0
    left: int = 0
    """Processes that were still there when all had been told to leave."""

    @property
    def is_clean(self) -> bool:
        """True when there was one daemon, and nothing was left over."""
        return self.daemons == 1 and self.left == 0


async def one_round(tree: Path, n: int) -> Round:
    """Start ``n`` servers of the checkout ``tree`` at once, and have them leave."""
    seen = Round(os.getloadavg()[0])
    with tempfile.TemporaryDirectory(prefix="many-editors-") as name:
        home = Path(name)
        clients: list[LspClient] = []
        try:
            await asyncio.gather(*(_editor(tree, home, number, clients, seen) for number in range(n)))
            processes = [found for client in clients for found in _family(client)]
            seen.cpu = [sum(cpu_s(found.pid) for found in _family(client)) for client in clients]
            seen.daemons = _n_daemons(home)
            await asyncio.gather(*(client.leave() for client in clients), return_exceptions=True)
            await asyncio.to_thread(rendezvous.stop, _directories(home))
            _gone, left = await asyncio.to_thread(psutil.wait_procs, processes, LEFT_S)
            seen.left = len(left) + _n_daemons(home)
        finally:
            for client in clients:
                await lsp_client.stop(client)
            await asyncio.to_thread(rendezvous.stop, _directories(home))
    return seen


async def _editor(tree: Path, home: Path, number: int, clients: list[LspClient], seen: Round) -> None:
    """One window: a folder with a file, opened."""
    own = home / f"window-{number}"
    folder = own / "work"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("def first(a):\n    return a\n")
    model = home / "m.gguf"
    if not model.exists():
        write_devstral_shaped(model)
        _directories(home).config_file.write_text('[model]\ncalibrate = "never"\n')
    begun = time.perf_counter()
    shared = {
        "DEVSTRAL_LS_MODEL": str(model),
        "DEVSTRAL_LS_RUNTIME_DIR": str(home / "run"),
        "DEVSTRAL_LS_DATA_DIR": str(home / "data"),
        "DEVSTRAL_LS_CONFIG": str(home / "settings.toml"),
    }
    client = await lsp_client.start(own, module="devstral_ls", cwd=tree, **shared)
    clients.append(client)
    try:
        await client.initialize(folder=folder)
    except TimeoutError:
        return
    seen.initialized.append(time.perf_counter() - begun)
    assert client.process is not None
    seen.cpu_initialized.append(cpu_s(client.process.pid))
    client.open("def first(a):\n    return a\n", uri=(folder / "a.py").as_uri())
    while not any(status["state"] == "ready" for status in client.all("devstral/status")):
        if time.perf_counter() - begun > READY_S:
            return
        await asyncio.sleep(0.05)
    seen.ready.append(time.perf_counter() - begun)


def _directories(home: Path) -> Directories:
    return Directories(home / "data", home / "run", home / "settings.toml")


def _n_daemons(home: Path) -> int:
    """Processes of a daemon of ``home``, whatever their files say."""
    n = 0
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        n += "devstral_ls.engine.daemon" in words and any(word.startswith(str(home)) for word in words)
    return n


def _family(client: LspClient) -> list[psutil.Process]:
    """The server and its children."""
    assert client.process is not None
    try:
        server = psutil.Process(client.process.pid)
        return [server, *server.children(recursive=True)]
    except psutil.Error:
        return []


def table(rounds: dict[str, list[Round]], n: int) -> str:
    """The rounds of each checkout, as Markdown."""
    lines = [
        "| checkout | load before | initialized: median | slowest | within 30 s | ready: slowest | CPU to initialize | CPU of a start | daemons | left |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, seen in rounds.items():
        for one in seen:
            within = sum(seconds <= 30 for seconds in one.initialized)
            lines.append(
                f"| {name} | {one.load:.1f} | {statistics.median(one.initialized):.1f} s | {max(one.initialized):.1f} s ({len(one.initialized)}) "
                f"| {within} of {n} | {max(one.ready, default=float('nan')):.1f} s ({len(one.ready)}) "
                f"| {statistics.median(one.cpu_initialized):.2f} s (p95 {percentile(one.cpu_initialized, 0.95):.2f}) "
                f"| {statistics.median(one.cpu):.2f} s | {one.daemons} | {one.left} |"
            )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rounds and print them."""
    parser = argparse.ArgumentParser(prog="benchmarks.many_editors")
    parser.add_argument("--editors", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--against", type=Path, help="another checkout, measured in turn with this one")
    options = parser.parse_args(arguments)
    trees = {"this": ROOT} | ({} if options.against is None else {"against": options.against.resolve()})
    rounds: dict[str, list[Round]] = {name: [] for name in trees}
    for _ in range(options.rounds):
        for name, tree in trees.items():
            rounds[name].append(run_interruptible(one_round(tree, options.editors)))
            print(f"{name}: {rounds[name][-1].initialized[-1]:.1f} s", file=sys.stderr)
    print(table(rounds, options.editors))
    return 0 if all(one.is_clean for seen in rounds.values() for one in seen) else 1


if __name__ == "__main__":
    sys.exit(main())
