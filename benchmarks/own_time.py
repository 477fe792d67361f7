"""The server's own time for each key: ``python -m benchmarks.own_time``; ``benchmarks.latency`` prints it, too.

A method is typed character by character into the middle of a long file, over stdio to the real server; the engine
takes no time, so what is measured is ours: from ``didChange`` to the answer of the request behind it. The next key comes
as soon as the one before is answered, so it also pays for what goes on behind an answer (writing ahead).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.source import TYPED, around_a_method, one_line
from benchmarks.stats import percentile
from tests.server.lsp_client import LspClient, edit, start, stop

Row = tuple[str, float, str]
"""What, how much, of what."""

WITHOUT_THE_MODEL = frozenset({"typed-through", "cached"})
"""Reasons in a trace."""

N_ONE_LINE = 1_000_000
"""Characters of the single-line file."""


@dataclass(frozen=True, slots=True)
class Case:
    """A document, and what is typed where."""

    name: str
    language: str
    text: str
    line: int
    column: int
    typed: str
    invoked: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """What one key took."""

    ms: float
    reason: str


def cases(languages: Sequence[str] = ("python", "typescript")) -> Iterator[Case]:
    """What is measured."""
    for language in languages:
        for n_lines in (2_000, 20_000):
            text, line = around_a_method(language, n_lines)
            yield Case(f"{language}, {n_lines:,} lines", language, text, line, 0, TYPED[language])
    typed = "return compute(first, [second, third]) + f(" * 3
    for invoked in (False, True):
        name = "one line of 1 MB, asked by key" if invoked else "one line of 1 MB"
        yield Case(name, "javascript", one_line(N_ONE_LINE), 0, N_ONE_LINE // 2, typed, invoked)


async def measure(folder: Path) -> list[Row]:
    """All cases, each in a server of its own."""
    rows: list[Row] = []
    for case in cases():
        keys, cpu_ms = await typed(folder, case)
        rows += _rows(case, keys, cpu_ms)
    return rows


def _rows(case: Case, keys: Sequence[Key], cpu_ms: float) -> Iterator[Row]:
    asked = [key.ms for key in keys if key.reason not in WITHOUT_THE_MODEL]
    known = [key.ms for key in keys if key.reason in WITHOUT_THE_MODEL]
    everything = [key.ms for key in keys]
    yield f"{case.name}: a key, p50", percentile(everything, 0.5), "ms"
    yield f"{case.name}: a key, p95", percentile(everything, 0.95), "ms"
    for name, taken in ((f"{case.name}: {len(asked)} for the model", asked), ("... answered from memory", known)):
        if taken and len(taken) < len(everything):
            yield f"{name}, p50", percentile(taken, 0.5), "ms"
            yield f"{name}, p95", percentile(taken, 0.95), "ms"
    yield f"{case.name}: CPU of a key, mean", cpu_ms, "ms"


async def typed(folder: Path, case: Case) -> tuple[list[Key], float]:
    """Type ``case.typed``, asking after each key; and what CPU time the server took for each, in milliseconds."""
    config = folder / "own-time.toml"
    config.write_text("[inline]\ndebounceMs = 0\n")
    workspace = folder / "workspace"
    workspace.mkdir(exist_ok=True)
    client = await start(folder, "--index", module="benchmarks.costless_server", DEVSTRAL_LS_CONFIG=str(config))
    try:
        await client.initialize(folder=workspace)
        uri = client.open(case.text, (workspace / "a.txt").as_uri(), case.language)
        await client.request("test/knows")
        await client.inline(uri, case.line, case.column)  # imports, the first parse
        assert client.process is not None
        before = _cpu_seconds(client.process.pid)
        keys = [await _key(client, uri, *one, invoked=case.invoked) for one in _places(case)]
        return keys, 1000 * (_cpu_seconds(client.process.pid) - before) / len(keys)
    finally:
        await stop(client)


def _places(case: Case) -> Iterator[tuple[int, int, str]]:
    line, column = case.line, case.column
    for character in case.typed:
        yield line, column, character
        line, column = (line + 1, 0) if character == "\n" else (line, column + 1)


async def _key(client: LspClient, uri: str, line: int, column: int, character: str, *, invoked: bool) -> Key:
    behind = (line + 1, 0) if character == "\n" else (line, column + 1)
    begun = time.perf_counter()
    client.change(uri, edit((line, column), (line, column), character))
    await client.inline(uri, *behind, kind=1 if invoked else 2)
    taken = (time.perf_counter() - begun) * 1000
    why: dict[str, Any] = await client.request(
        "workspace/executeCommand", {"command": "devstral.why", "arguments": [uri]}
    )
    return Key(taken, why["reason"])


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "").parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for what, amount, unit in asyncio.run(measure(Path(folder))):
            print(f"{what:64} {amount:9.1f} {unit}")


if __name__ == "__main__":
    main()
