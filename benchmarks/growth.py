"""Growth of the server's own memory, by activity: ``python -m benchmarks.growth --doing typed --n 20000``.

One thing is done over and over at the real server with the null engine; each thing has a server of its own, so that
growth is attributed to it. Prints resident memory at intervals, and the process's objects at marks: with ``--trace`` also
the lines of code that hold more memory than at the mark before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from benchmarks.session_noise import CAPABLE
from benchmarks.source import TYPED, around_a_method
from devstral_ls.testing.lsp_client import LspClient, edit, start, stop
from devstral_ls.testing.process_usage import usage

N_LINES = 100
"""Lines of the document."""


class Doing:
    """One client at its server."""

    def __init__(self, client: LspClient, workspace: Path) -> None:
        self.client = client
        self.workspace = workspace
        self._text, self._line = around_a_method("python", N_LINES)
        self._n = 0

    async def typed(self) -> AsyncIterator[None]:
        """Type a method, waiting for the answer to each key; then delete it."""
        uri = self._open()
        async for line, column in self._keys(uri):
            await self.client.inline(uri, line, column)
            yield

    async def documents(self) -> AsyncIterator[None]:
        """Open a new document, type into it, and close it."""
        while True:
            self._n += 1
            uri = self._open((self.workspace / "seen" / f"{self._n}.py").as_uri())
            self.client.change(uri, edit((self._line, 0), (self._line, 0), "    def "))
            await self.client.inline(uri, self._line, 8)
            self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
            yield

    def _open(self, uri: str = "") -> str:
        return self.client.open(self._text, uri or (self.workspace / "typed.py").as_uri(), "python")

    async def _keys(self, uri: str) -> AsyncIterator[tuple[int, int]]:
        """Type for ever; yields the cursor after each key."""
        while True:
            line, column = self._line, 0
            for character in TYPED["python"]:
                self.client.change(uri, edit((line, column), (line, column), character))
                line, column = (line + 1, 0) if character == "\n" else (line, column + 1)
                yield line, column
            self.client.change(uri, edit((self._line, 0), (line, column), ""))


DOINGS: dict[str, Callable[[Doing], AsyncIterator[None]]] = {"typed": Doing.typed, "documents": Doing.documents}


async def grown(
    folder: Path, name: str, n: int, marks: set[int], every: int, tell: Callable[[dict[str, Any]], None], *, trace: bool
) -> None:
    """Do ``name`` ``n`` times; ``tell`` gets the memory ``every`` so many times, and all figures at ``marks``."""
    config = folder / "growth.toml"
    config.write_text("[inline]\ndebounceMs = 0\n")
    workspace = folder / "workspace"
    workspace.mkdir()
    more = {"PYTHONTRACEMALLOC": "1"} if trace else {}
    client = await start(
        folder, "--index", module="benchmarks.null_engine_server", DEVSTRAL_LS_CONFIG=str(config), **more
    )
    assert client.process is not None
    try:
        await client.initialize(CAPABLE, folder=workspace)
        await client.request("test/knows")
        done = 0
        async for _ in DOINGS[name](Doing(client, workspace)):
            done += 1
            if done % every == 0:
                client.received.clear()
                found = usage(client.process.pid)
                tell({"doing": name, "n": done, "rss_mb": found.rss_mb if found else None})
            if done in marks:
                tell({"doing": name, "n": done, **await client.request("test/held")})
            if done >= n:
                break
    finally:
        await stop(client)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--doing", choices=sorted(DOINGS), nargs="*", default=list(DOINGS))
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--marks", type=int, nargs="*", default=[5_000, 20_000])
    parser.add_argument("--every", type=int, default=1_000)
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    for name in options.doing:
        with tempfile.TemporaryDirectory(prefix="growth") as folder:
            asyncio.run(
                grown(
                    Path(folder), name, options.n, set(options.marks), options.every,
                    lambda row: print(json.dumps(row), flush=True), trace=options.trace,
                )
            )  # fmt: skip


if __name__ == "__main__":
    main()
