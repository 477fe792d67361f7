"""Holes in working code, filled through the real server over stdio and by plain prompts to the same engine.

    python -m benchmarks.holes --limit 40 --kinds line

Every item is asked of each arm in turn, greedy: ``ours`` (the server, unhurried), others of ``benchmarks.variants`` by
``--arms``, and the baselines of ``benchmarks.llama_vim_baseline``. The server gets an automatic request, and an invoked one
where the first shows nothing or less than there may be; the last answer is scored, the first gives the shown rate.
Answers are stored row by row, so an interrupted run resumes, and only what changed is asked again: the server's
answers when its code or settings change, the engine's when model, engine or prompt do.

Python is executed with the file's own tests; in other languages an answer is right when the file is as it was. Holes of
the kind ``cross`` are in a workspace of several files; the baselines see the one file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import items, llama_vim_baseline
from benchmarks.cross_file import workspace
from benchmarks.editors import utf16_length
from benchmarks.holes_table import summary, table
from benchmarks.items import CrossHole, Hole, Quiet
from benchmarks.journal import RESULTS, Journal, digest
from benchmarks.results import write
from benchmarks.rig import Arm, Bench, Rig, ask, rig
from benchmarks.variants import ARMS, SOURCE_ARMS
from devstral_ls.errors import DevstralError
from devstral_ls.languages.table import language_of
from devstral_ls.testing.interruptible import run_interruptible
from devstral_ls.testing.lsp_client import LspClient

KINDS = ("line", "lines", "span", "quiet", "cross")

Item = Hole | Quiet


class Filler:
    """Asks the arms in turn for each item, and stores their answers."""

    def __init__(self, bench: Rig, arms: Sequence[Arm], servers: dict[str, LspClient]) -> None:
        self._rig = bench
        self._arms = arms
        self._servers = servers
        header = bench.header()
        engine = {name: header[name] for name in ("sha256", "engine", "context", "batch", "threads")}
        self._journals = {
            arm.name: Journal(f"holes-{_slug(arm.name)}", {**engine, "code": header["code"], "arm": asdict(arm)})
            for arm in arms
        }
        self._plain = Journal("holes-plain", engine)
        self.seconds: list[float] = []
        """Seconds of each answer that was not stored yet."""

    async def fill(self, item: Item, turn: int) -> dict[str, dict[str, Any]]:
        """The rows of all arms and baselines for ``item``; their order rotates with ``turn``."""
        rows: dict[str, dict[str, Any]] = {}
        arms = [*self._arms[turn % len(self._arms) :], *self._arms[: turn % len(self._arms)]]
        arms = [arm for arm in arms if isinstance(item, CrossHole) or arm.name not in SOURCE_ARMS]
        arms.sort(key=lambda arm: arm.name in SOURCE_ARMS)
        works = [*(lambda arm=arm: self._same(arm, rows) or self._ours(arm, item) for arm in arms)]
        if isinstance(item, Hole):
            works.insert(len(works) * (turn % 2), lambda: self._baselines(item))
        for work in works:
            found = work()
            rows.update(found if isinstance(found, dict) else await found)
        return rows

    def _same(self, arm: Arm, rows: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]] | None:
        """The row of ``ours`` for an arm that switches off context which ``ours`` did not have: the prompt is the same."""
        ours = rows.get("ours")
        if arm.name not in SOURCE_ARMS or ours is None:
            return None
        on = arm.settings["inline"]["context"]
        return {arm.name: ours} if set(ours["why"].get("excerpts", ())) <= set(on) else None

    async def _ours(self, arm: Arm, item: Item) -> dict[str, dict[str, Any]]:
        about = digest(asdict(item)) if isinstance(item, CrossHole) else digest(item.before, item.after)
        journal, key = self._journals[arm.name], f"{item.id} {about}"
        row = journal.get(key)
        if row is None:
            begun = time.perf_counter()
            row = journal.add(key, await _ask_server(self._servers[arm.name], item))
            self.seconds.append(time.perf_counter() - begun)
        return {arm.name: row}

    async def _baselines(self, hole: Hole) -> dict[str, dict[str, Any]]:
        rows = {}
        for baseline in llama_vim_baseline.BASELINES:
            window = llama_vim_baseline.window_of(
                baseline, hole.before, hole.after, self._rig.subject.model.context_tokens
            )
            one_line = is_one_line(hole)
            key = digest(window.prefix, window.suffix, one_line)
            said = self._plain.get(key)
            if said is None:
                begun = time.perf_counter()
                answer = await llama_vim_baseline.say(self._rig.engine, window, _uri(hole), one_line=one_line)
                said = self._plain.add(key, asdict(answer))
                self.seconds.append(time.perf_counter() - begun)
            text = llama_vim_baseline.kept(baseline, said["text"], hole.after, one_line=one_line)
            rows[baseline] = {**said, "text": text, "n_replaced": 0, "shown": bool(text.strip())}
        return rows


def is_one_line(hole: Hole) -> bool:
    """True when one line is expected; for holes in workspaces by the length of the part cut out."""
    return hole.kind == "line" or (hole.kind == "cross" and "\n" not in hole.middle)


async def _ask_server(client: LspClient, item: Item) -> dict[str, Any]:
    """Open the document, in its workspace if it has one, and request a suggestion."""
    if isinstance(item, CrossHole):
        async with workspace(client, item) as uri:
            return await _ask_at(client, uri, item)
    uri = client.open(item.before + item.after, _uri(item), item.language)
    row = await _ask_at(client, uri, item)
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    return row


async def _ask_at(client: LspClient, uri: str, item: Item) -> dict[str, Any]:
    """An automatic request, and an invoked one when it shows nothing or may have cut something; a whole answer comes
    from memory the second time.
    """
    before = item.before.split("\n")
    line, character = len(before) - 1, utf16_length(before[-1])
    asked = await ask(client, uri, line, character, invoked=False)
    shown, reason = bool(asked.items), asked.why.get("reason")
    if isinstance(item, Hole) and (not asked.items or _is_part(asked.why)):
        asked = await ask(client, uri, line, character, invoked=True)
    row = {"shown": shown, "reason": reason, "ms": asked.ms, "why": asked.why, "text": "", "n_replaced": 0}
    if asked.items:
        found = asked.items[0]
        row["text"] = found["insertText"]
        row["n_replaced"] = _n_replaced(found.get("range"), line, character, item.after)
    return row


def _is_part(why: dict[str, Any]) -> bool:
    """True when an invoked request may show more."""
    return not why.get("multiline") or "cut-where-unsure" in why.get("decisions", ())


def _n_replaced(range_: dict[str, Any] | None, line: int, character: int, after: str) -> int:
    """Code points after the cursor that an item replaces.

    Raises:
        ValueError: it replaces something before the cursor, or below its line, which the server never does.
    """
    if range_ is None:
        return 0
    start, end = range_["start"], range_["end"]
    if (start["line"], start["character"], end["line"]) != (line, character, line):
        raise ValueError(f"a suggestion at {line}:{character} replaces {range_}")
    units = after.split("\n", 1)[0].encode("utf-16-le")[: 2 * (end["character"] - character)]
    return len(units.decode("utf-16-le"))


def _uri(item: Item) -> str:
    # The language's own suffix: a file name of the items may be anything.
    suffix = language_of(item.language, item.name).extensions[0]
    stem = item.name.rpartition(".")[0] or item.name
    return f"file:///bench/{item.id}/{stem}{suffix}"


def _slug(name: str) -> str:
    return name.replace(" ", "-")


_LISTS: Mapping[str, Callable[[], Sequence[Item]]] = {"quiet": items.quiets, "cross": items.cross_holes}


def chosen(kinds: Sequence[str], languages: Sequence[str], limit: int | None) -> list[Item]:
    """The first ``limit`` items of each kind, in the list's order: the languages in turns."""
    found: list[Item] = []
    for kind in KINDS:
        if kind not in kinds:
            continue
        source: Sequence[Item] = _LISTS.get(kind, items.holes)()
        fitting = [
            item
            for item in source
            if (kind == "quiet" or getattr(item, "kind", "") == kind) and (not languages or item.language in languages)
        ]
        found += fitting[:limit]
    return found


async def run(bench: Bench, arms: Sequence[Arm], asked: Sequence[Item], name: str = "holes") -> dict[str, Any]:
    """Ask all, score and write ``results/NAME.json``.

    Raises:
        DevstralError: no model, or no engine.
    """
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        async with rig(Path(folder), bench) as running, AsyncExitStack() as stack:
            usable = [arm for arm in arms if arm.layout is None or arm.layout in running.subject.candidates]
            for arm in arms:
                if arm not in usable:
                    print(f"{arm.name}: not a layout of {running.family.title}, left out", file=sys.stderr)
            servers = {arm.name: await stack.enter_async_context(running.server(arm)) for arm in usable}
            filler = Filler(running, usable, servers)
            rows = []
            for n, item in enumerate(asked):
                rows.append((item, await filler.fill(item, n)))
                _progress(n + 1, len(asked), filler.seconds, len(usable) + 1)
            header = running.header(
                arms={arm.name: asdict(arm) for arm in usable},
                layout=running.subject.candidates[0],
                caps={"line": 48, "lines": 192, "baselines": llama_vim_baseline.N_PREDICT},
                trim="ours; raw: none, one line for a hole of one line; llama.vim: the first line",
                healing="ours only",
                items={
                    "holes": items.digest(items.holes()),
                    "quiets": items.digest(items.quiets()),
                    "cross": items.digest(items.cross_holes()),
                },
            )
    result = {"benchmark": name, "header": header, **summary(rows)}
    write(name, result)
    return result


def _progress(n: int, of: int, seconds: Sequence[float], per_item: int) -> None:
    if seconds and (n == 1 or n % 10 == 0 or n == of):
        each = sum(seconds) / len(seconds)
        left = (of - n) * per_item * each / 60
        print(f"{n} of {of} items; {each:.1f} s an answer, {left:.0f} min left at most", file=sys.stderr, flush=True)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options shared with ``compare``."""
    parser.add_argument("--limit", type=int, help="so many items of each kind")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--languages", default="", help="of these languages only, with commas")
    parser.add_argument("--threads", type=int, default=1, help="two only where nothing else runs")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    add_options(parser)
    parser.add_argument("--model", default="starter", help="name or path")
    parser.add_argument("--arms", default="ours", help=f"with commas, of: {', '.join(ARMS)}")
    options = parser.parse_args()
    arms = [ARMS[name.strip()] for name in options.arms.split(",")]
    asked = chosen(options.kinds.split(","), [name for name in options.languages.split(",") if name], options.limit)
    if not asked:
        parser.error("no items of these kinds and languages")
    try:
        result = run_interruptible(run(Bench(options.model, options.threads), arms, asked))
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except DevstralError as error:
        print(f"{error.message}{f' — {error.hint}' if error.hint else ''}", file=sys.stderr)
        return 1
    print("\n".join(table(result)))
    print(f"kept in {RESULTS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
