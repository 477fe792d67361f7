"""The share of each prompt that the one before held already: typing traces through the real server, without a model.

    python -m benchmarks.reuse

The server runs the real pipeline over an engine that records its prompts and answers nothing, so that every key asks.
For comparison, from the same keys: a window that slides by characters with the suffix last, and llama.vim's 256 and 64
lines. Counted in characters of the text between control tokens, without those that token healing moves out.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import items, llama_vim_baseline
from benchmarks.items import Replay
from benchmarks.journal import code_digest
from benchmarks.keystrokes import Stretch, key_at, stretch
from benchmarks.results import write
from benchmarks.stats import percentile
from devstral_ls import __version__
from devstral_ls.testing.lsp_client import LspClient, start
from devstral_ls.testing.lsp_client import stop as stop_client

CHARACTERS = 600
"""Characters typed in each file."""

SLIDING = 3_000, 1_000
"""Characters before and after the cursor in the sliding window."""

TARGET = 0.97

Cursor = tuple[str, str]


def cursors(part: Stretch) -> Iterator[Cursor]:
    """The text before and after the cursor, key by key."""
    at = 0
    while at < len(part.typed):
        at += len(key_at(part.typed, at))
        yield part.above + part.typed[:at], part.below


def sliding(cursor: Cursor) -> str:
    """A window that moves with every character, the suffix last."""
    before, after = cursor
    return before[-SLIDING[0] :] + "\0" + after[: SLIDING[1]]


def llama_vim(cursor: Cursor) -> str:
    """256 lines before, 64 after, the suffix last."""
    window = llama_vim_baseline.window_of("llama.vim", *cursor, context_tokens=1 << 20)
    return window.prefix + "\0" + window.suffix


def reused(prompts: Sequence[str]) -> tuple[int, int, int]:
    """Reused characters, all characters, and the requests that reuse less than half; the first prompt does not count."""
    kept = total = n_again = 0
    for before, now in pairwise(prompts):
        common = _common(before, now)
        kept += common
        total += len(now)
        n_again += common < len(now) / 2
    return kept, total, n_again


def _common(one: str, other: str) -> int:
    """Length of the common prefix."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


async def ours(client: LspClient, file: Replay, part: Stretch) -> list[str]:
    """The prompts that the server sends while ``part`` is typed."""
    uri = f"file:///bench/{file.id}/{file.name}"
    n_before = len((await client.script())["asked"])
    version = 1
    for before, after in cursors(part):
        text = before + after
        if version == 1:
            client.open(text, uri, file.language)
        else:
            client.change(uri, {"text": text})
        version += 1
        line = before.rsplit("\n", 1)[-1]
        await client.inline(uri, before.count("\n"), len(line.encode("utf-16-le")) // 2)
    return list((await client.script())["asked"][n_before:])


async def measure(files: Sequence[Replay], characters: int) -> dict[str, Any]:
    """All files, each with its rest below the cursor, in a server each."""
    others: dict[str, Callable[[Cursor], str]] = {"sliding by characters": sliding, "llama.vim": llama_vim}
    found: dict[str, list[tuple[int, int, int]]] = {"ours": [], **{name: [] for name in others}}
    by_file = {}
    for file in files:
        part = stretch(file.text, characters, with_rest=True)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            (folder / "settings.toml").write_text("[inline]\ndebounceMs = 0\n")
            client = await start(folder, "--real-pipeline")
            try:
                await client.initialize()
                await client.script(says="")
                prompts = await ours(client, file, part)
            finally:
                await stop_client(client)
        found["ours"].append(reused(prompts))
        for name, prompt in others.items():
            found[name].append(reused([prompt(cursor) for cursor in cursors(part)]))
        kept, total, n_again = found["ours"][-1]
        by_file[file.id] = {"prompts": len(prompts), "reused": kept / max(1, total), "read_again": n_again}
    return {
        "header": {"devstral-ls": __version__, "code": code_digest(), "items": items.digest(items.replays()),
                   "characters": characters, "target": TARGET},
        "arms": {name: _figures(counts) for name, counts in found.items()},
        "by_file": by_file,
    }  # fmt: skip


def _figures(counts: Sequence[tuple[int, int, int]]) -> dict[str, Any]:
    shares = [kept / max(1, total) for kept, total, _ in counts]
    return {
        "reused": sum(kept for kept, _, _ in counts) / max(1, sum(total for _, total, _ in counts)),
        "lowest": percentile(shares, 0.0),
        "characters": sum(total for _, total, _ in counts),
        "read_again": sum(n for _, _, n in counts),
    }


def table(result: dict[str, Any]) -> list[str]:
    """The result as text."""
    lines = [f"{'prompt characters reused while typing':40} {'all':>7} {'lowest file':>12} {'read anew':>10}"]
    lines += [
        f"  {name:38} {found['reused']:7.2%} {found['lowest']:12.2%} {found['read_again']:10}"
        for name, found in result["arms"].items()
    ]
    met = result["arms"]["ours"]["reused"] >= TARGET
    return [*lines, f"at least {TARGET:.0%} is {'met' if met else 'missed'}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--files", type=int, help="so many files")
    parser.add_argument("--characters", type=int, default=CHARACTERS, help="typed in each")
    options = parser.parse_args()
    result = asyncio.run(measure(items.replays()[: options.files], options.characters))
    write("reuse", {"benchmark": "reuse", **result})
    print("\n".join(table(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
