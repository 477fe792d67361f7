"""The cost of 100,000 files in the workspace, or 500 open documents: time of keys and look-ups, and memory.

    python -m benchmarks.workspace --files 100000 --open 500 --wait 3600

Real servers over stdio with the null engine and the real index. In the full workspace code is typed at the beginning of
the scan, at intervals during it, and after it; then a thousand files change at once. The same is typed in an empty
workspace, and with all the documents open.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice, product
from pathlib import Path
from typing import Any

from benchmarks.results import write
from benchmarks.rig import LONG_S
from benchmarks.stats import percentile
from devstral_ls.testing import lsp_client
from devstral_ls.testing.lsp_client import LspClient
from devstral_ls.testing.process_usage import children, rss, usage

N_FILES, N_FOLDERS = 100_000, 1_000
N_OPEN = 500
N_CHANGED = 1_000
N_KEYS = 150
GAP_S = 0.05
N_MEANWHILE, REST_S = 5, 5.0
"""Keys, and seconds of rest, in turn, during the scan."""

N_TIMES = 30
LONG = """\
class Account{n}:
    def report(self, rates: dict[str, float]) -> str:
        lines = [f"{{name}}: {{rate:.2f}}" for name, rate in rates.items()]
        return "\\n".join(lines)

    def total(self, values: list[float]) -> float:
        found = 0.0
        for value in values:
            if value > 0:
                found += value
        return found


"""
"""A part of the opened documents; ``N_TIMES`` of it are some 15 KB."""


def paths(root: Path, n_files: int) -> Iterator[Path]:
    """Paths of the files, up to a hundred in a folder."""
    for folder, number in product(range(N_FOLDERS), range(n_files // N_FOLDERS)):
        yield root / f"package_{folder}" / f"module_{number}.py"


def make(root: Path, n_files: int) -> None:
    """Small Python files, each with a class and three functions."""
    for n, path in enumerate(paths(root, n_files)):
        path.parent.mkdir(parents=True, exist_ok=True)
        name = f"{path.parent.name.removeprefix('package_')}_{path.stem.removeprefix('module_')}"
        path.write_text(
            f'"""Module {name}."""\n\n\ndef first_{name}(left: int, right: int) -> int:\n    return left + right\n\n\n'
            f"def second_{name}(text: str) -> str:\n    return text\n\n\nclass Thing_{name}:\n    size: int = {n}\n\n"
            f"    def grow(self, by: int) -> None:\n        self.size += by\n"
        )


class Typing:
    """Keys at the end of one document, and the time of each."""

    def __init__(self, client: LspClient, root: Path) -> None:
        self._client = client
        text = "from package_1.module_1 import first_1_1\n\n\ndef f():\n    x = "
        self.uri = client.open(text, uri=(root / "main.py").as_uri())
        self._n = 0

    async def keys(self, n_keys: int) -> list[float]:
        """Milliseconds from each key to its answer."""
        took = []
        for _ in range(n_keys):
            at = (4, 8 + self._n)
            self._client.change(self.uri, lsp_client.edit(at, at, "a"))
            self._n += 1
            start = time.monotonic()
            await self._client.inline(self.uri, 4, 8 + self._n)
            took.append(1000 * (time.monotonic() - start))
            await asyncio.sleep(GAP_S)
        return took


def figures(took: Sequence[float]) -> dict[str, Any]:
    """Of milliseconds."""
    found = {"p50": percentile(took, 0.5), "p95": percentile(took, 0.95), "most": max(took, default=None)}
    return {"n": len(took), **{name: None if ms is None else round(ms, 1) for name, ms in found.items()}}


@asynccontextmanager
async def serving(folder: Path, root: Path) -> AsyncIterator[tuple[LspClient, float]]:
    """A server on the workspace at ``root``, and the milliseconds of its ``initialize``."""
    config = folder / "workspace.toml"
    config.write_text("[inline]\ndebounceMs = 0\n")
    client = await lsp_client.start(
        folder, "--index", module="benchmarks.null_engine_server", DEVSTRAL_LS_CONFIG=str(config)
    )
    client.timeout_s = LONG_S
    try:
        start = time.monotonic()
        await client.initialize(folder=root)
        took = 1000 * (time.monotonic() - start)
        await client.request("test/knows")
        yield client, took
    finally:
        await lsp_client.stop(client)


def memory(client: LspClient) -> dict[str, float]:
    """Resident memory, 10^6 bytes, and the CPU time of the index."""
    assert client.process is not None
    pid = client.process.pid
    index = [one for child in children(pid) if (one := usage(child)) is not None]
    return {
        "server_mb": round(rss(pid) / 1e6, 1),
        "index_mb": round(sum(one.rss_mb for one in index), 1),
        "index_cpu_s": round(sum(one.cpu_s for one in index), 1),
    }


async def empty(folder: Path, root: Path) -> dict[str, Any]:
    """An empty workspace."""
    async with serving(folder, root) as (client, initialize_ms):
        took = await Typing(client, root).keys(N_KEYS)
        return {"initialize_ms": round(initialize_ms, 1), "key_ms": figures(took), **memory(client)}


async def full(folder: Path, root: Path, n_files: int, wait_s: float) -> dict[str, Any]:
    """All the files: the scan to its end, or for ``wait_s``."""
    async with serving(folder, root) as (client, initialize_ms):
        typing = Typing(client, root)
        start = time.monotonic()
        found: dict[str, Any] = {"initialize_ms": round(initialize_ms, 1)}
        found["key_ms"] = figures(await typing.keys(N_KEYS))
        took: list[float] = []
        state: dict[str, Any] = {}
        while not state.get("done") and time.monotonic() - start < wait_s:
            took += await typing.keys(N_MEANWHILE)
            await asyncio.sleep(REST_S)
            state = await client.request("test/index")
        seen = {name: state.get(name) for name in ("files", "names", "done")}
        found |= {"walk_s": round(time.monotonic() - start), **seen, "key_ms_meanwhile": figures(took)}
        found["key_ms_after"] = figures(await typing.keys(N_KEYS))
        found |= memory(client)
        found["lookup"] = await _lookup(client, typing.uri)
        changes = [{"uri": path.as_uri(), "type": 2} for path in islice(paths(root, n_files), N_CHANGED)]
        client.notify("workspace/didChangeWatchedFiles", {"changes": changes})
        found["lookup_after_changes"] = await _lookup(client, typing.uri)
        return found


async def _lookup(client: LspClient, uri: str) -> dict[str, Any]:
    found = await client.request("test/lookup", {"uri": uri, "name": "first_7_7"})
    return {**found, "ms": round(found["ms"], 1)}


async def many_open(folder: Path, root: Path, n_documents: int) -> dict[str, Any]:
    """``n_documents`` documents of some 400 lines open, each typed into once."""
    async with serving(folder, root) as (client, _):
        typing = Typing(client, root)
        found: dict[str, Any] = {"documents": n_documents, "before": {"key_ms": figures(await typing.keys(N_KEYS))}}
        found["before"] |= memory(client)
        start = time.monotonic()
        took = []
        for n in range(n_documents):
            text = LONG.format(n=n) * N_TIMES
            uri = client.open(text, (root / f"open_{n}.py").as_uri())
            line = text.count("\n")
            client.change(uri, lsp_client.edit((line, 0), (line, 0), "    x = "))
            began = time.monotonic()
            await client.inline(uri, line, 8)
            took.append(1000 * (time.monotonic() - began))
        found |= {"open_s": round(time.monotonic() - start, 1), "first_key_ms": figures(took)}
        found["key_ms"] = figures(await typing.keys(N_KEYS))
        found |= memory(client)
        for n in range(n_documents):
            uri = (root / f"open_{n}.py").as_uri()
            client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        found["closed"] = {"key_ms": figures(await typing.keys(N_KEYS)), **memory(client)}
        return found


def table(result: Mapping[str, Any]) -> list[str]:
    """The result as text: a line for each figure."""
    return [f"{' '.join(names):40} {value}" for names, value in _leaves(result)]


def _leaves(tree: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from (((name, *names), leaf) for names, leaf in _leaves(value))
        else:
            yield (name,), value


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--files", type=int, default=N_FILES)
    options.add_argument("--open", type=int, default=N_OPEN, help="documents")
    options.add_argument("--wait", type=float, default=3600, help="seconds to wait for the walk at most")
    chosen = options.parse_args()
    result: dict[str, Any] = {"benchmark": "workspace", "files": chosen.files, "machine": platform.platform()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "empty").mkdir()
        make(folder / "full", chosen.files)
        result["empty"] = asyncio.run(empty(folder, folder / "empty"))
        print("empty", json.dumps(result["empty"]), flush=True)
        result["open"] = asyncio.run(many_open(folder, folder / "empty", chosen.open))
        print("open", json.dumps(result["open"]), flush=True)
        result["full"] = asyncio.run(full(folder, folder / "full", chosen.files, chosen.wait))
        print("full", json.dumps(result["full"]), flush=True)
    write("workspace", result)


if __name__ == "__main__":
    main()
