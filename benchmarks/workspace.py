"""A hundred thousand files in the workspace: what `initialize`, typing and memory cost, with and without them.

``python -m benchmarks.workspace [--files N] [--wait SECONDS]``: real servers over stdio, an engine that costs nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.processes import children, rss
from devstral_ls.workspace.index import Scope, WorkspaceIndex
from tests.server import lsp_client
from tests.server.lsp_client import LspClient

N_FILES, N_FOLDERS = 100_000, 1_000
N_KEYS = 150
GAP_S = 0.05
RESULTS = Path(__file__).parent / "results" / "workspace.json"


def make(root: Path, n_files: int) -> None:
    """Small Python files, a hundred in a folder, each with a class and three functions."""
    for folder in range(N_FOLDERS):
        path = root / f"package_{folder}"
        path.mkdir(parents=True, exist_ok=True)
        for number in range(n_files // N_FOLDERS):
            name = f"{folder}_{number}"
            (path / f"module_{number}.py").write_text(
                f'"""Module {name}."""\n\n\ndef first_{name}(left: int, right: int) -> int:\n    return left + right\n\n\n'
                f"def second_{name}(text: str) -> str:\n    return text\n\n\nclass Thing_{name}:\n    size: int = {number}\n\n"
                f"    def grow(self, by: int) -> None:\n        self.size += by\n"
            )


async def typed(client: LspClient, root: Path) -> list[float]:
    """Milliseconds from a key to its answer, at ``N_KEYS`` keys."""
    uri = client.open(
        "from package_1.module_1 import first_1_1\n\n\ndef f():\n    x = ", uri=(root / "main.py").as_uri()
    )
    took: list[float] = []
    for number in range(N_KEYS):
        client.change(uri, lsp_client.edit((4, 8 + number), (4, 8 + number), "a"))
        start = time.monotonic()
        await client.ask_inline(uri, 4, 9 + number)
        took.append(1000 * (time.monotonic() - start))
        await asyncio.sleep(GAP_S)
    return took


async def measure(root: Path, folder: Path) -> dict[str, Any]:
    """One server on the workspace at ``root``."""
    client = await lsp_client.start(folder, "--real-pipeline", "--index")
    try:
        start = time.monotonic()
        await client.initialize(folder=root)
        first = 1000 * (time.monotonic() - start)
        took = sorted(await typed(client, root))
        pid = client.process.pid
        index = children(pid)
        return {
            "initialize_ms": round(first, 1),
            "key_ms": {"p50": round(statistics.median(took), 2), "p95": round(took[int(0.95 * len(took))], 2)},
            "server_mb": round(rss(pid) / 1e6),
            "index_mb": round(sum(map(rss, index)) / 1e6),
        }
    finally:
        await lsp_client.stop(client)


async def walk(root: Path, wait_s: float) -> dict[str, Any]:
    """The index alone, until it has seen everything or ``wait_s`` is over."""
    index = WorkspaceIndex(answer_s=60)
    index.begin(Scope((str(root),)))
    start = time.monotonic()
    state: Any = {}
    while not state.get("done") and time.monotonic() - start < wait_s:
        state = await index.state()
        await asyncio.sleep(1)
    took, memory = time.monotonic() - start, rss(index.pid or 0)
    start = time.monotonic()
    found = await index.signatures(["first_7_7"], (root / "main.py").as_uri())
    one = 1000 * (time.monotonic() - start)
    await index.aclose()
    seen = {"files": state.get("files"), "names": state.get("names"), "done": state.get("done")}
    return {
        **seen,
        "walk_s": round(took),
        "index_mb": round(memory / 1e6),
        "lookup_ms": round(one, 1),
        "found": len(found),
    }


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--files", type=int, default=N_FILES)
    options.add_argument("--wait", type=float, default=600, help="seconds to wait for the walk at most")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "empty").mkdir()
        make(folder / "full", chosen.files)
        result: dict[str, Any] = {"files": chosen.files}
        for kind in ("empty", "full"):
            result[kind] = asyncio.run(measure(folder / kind, folder))
            print(kind, json.dumps(result[kind]), flush=True)
        result["walk"] = asyncio.run(walk(folder / "full", chosen.wait))
        print("walk", json.dumps(result["walk"]), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
