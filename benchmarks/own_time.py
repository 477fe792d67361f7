"""The server's own time for each key: ``python -m benchmarks.own_time``; ``benchmarks.latency`` prints it, too.

A method is typed character by character into the middle of a long file, over stdio to the real server; the engine
takes no time, so that only the server is measured: from ``didChange`` to the answer of the request after it. The next key
comes with that answer, so that it also pays for work after an answer (prefetch). The pipe and JSON are included.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.source import TYPED, around_a_method, one_line
from benchmarks.stats import percentile
from devstral_ls.testing.lsp_client import LspClient, edit, start, stop

Row = tuple[str, float, str]
"""Name, figure, unit."""

WITHOUT_THE_MODEL = frozenset({"typed-through", "cached"})
"""Reason codes of a trace."""

N_ONE_LINE = 1_000_000
"""Characters of the single-line file."""


N_FILES = 100

OTHER = """\
def compute(first: float, second: list[float]) -> float:
    return first + sum(second)


def deposit{n}(amount: float) -> float:
    return amount


class Account{n}:
    def report(self, rates: dict[str, float]) -> str:
        return str(rates)
"""
"""The other files of the workspace, which define names used in the typed code."""


@dataclass(frozen=True, slots=True)
class Case:
    """A document, the code to type, and the place."""

    name: str
    language: str
    text: str
    line: int
    column: int
    typed: str
    invoked: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """The cost of one key."""

    ms: float
    """Milliseconds from the change to the answer."""
    cpu_ms: float
    """CPU milliseconds of the server, including work after the answer; less noisy than ``ms``."""
    reason: str


def cases(languages: Sequence[str] = ("python", "typescript")) -> Iterator[Case]:
    """The measured cases."""
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
        rows += _rows(case, await typed(folder, case))
    return rows


def _rows(case: Case, keys: Sequence[Key]) -> Iterator[Row]:
    groups = {
        "every key": keys,
        "for the model": [key for key in keys if key.reason not in WITHOUT_THE_MODEL],
        "from memory": [key for key in keys if key.reason in WITHOUT_THE_MODEL],
    }
    for name, some in groups.items():
        if some and (name == "every key" or len(some) < len(keys)):
            for share in (0.5, 0.95):
                said = f"{case.name}: {name} ({len(some)}), p{share * 100:.0f}"
                yield said, percentile([key.ms for key in some], share) or 0.0, "ms"
                yield f"{said} of CPU", percentile([key.cpu_ms for key in some], share) or 0.0, "ms"


async def typed(folder: Path, case: Case) -> list[Key]:
    """Type ``case.typed``, with a request after each key."""
    config = folder / "own-time.toml"
    config.write_text("[inline]\ndebounceMs = 0\n")
    workspace = folder / "workspace"
    workspace.mkdir(exist_ok=True)
    for n in range(N_FILES):
        (workspace / f"module{n}.py").write_text(OTHER.format(n=n))
    client = await start(folder, "--index", module="benchmarks.null_engine_server", DEVSTRAL_LS_CONFIG=str(config))
    try:
        await client.initialize(folder=workspace)
        uri = client.open(case.text, (workspace / "a.txt").as_uri(), case.language)
        await client.request("test/knows")
        await client.inline(uri, case.line, case.column)  # imports, the first parse
        keys: list[Key] = []
        cpu = (await client.request("test/key", {"uri": uri}))["cpu"]
        for one in _places(case):
            ms = await _key(client, uri, *one, invoked=case.invoked)
            told = await client.request("test/key", {"uri": uri})
            keys.append(Key(ms, 1000 * (told["cpu"] - cpu), told["reason"]))
            cpu = told["cpu"]
        return keys
    finally:
        await stop(client)


def _places(case: Case) -> Iterator[tuple[int, int, str]]:
    line, column = case.line, case.column
    for character in case.typed:
        yield line, column, character
        line, column = (line + 1, 0) if character == "\n" else (line, column + 1)


async def _key(client: LspClient, uri: str, line: int, column: int, character: str, *, invoked: bool) -> float:
    behind = (line + 1, 0) if character == "\n" else (line, column + 1)
    begun = time.perf_counter()
    client.change(uri, edit((line, column), (line, column), character))
    await client.inline(uri, *behind, kind=1 if invoked else 2)
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "").parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for what, amount, unit in asyncio.run(measure(Path(folder))):
            print(f"{what:64} {amount:9.1f} {unit}")


if __name__ == "__main__":
    main()
