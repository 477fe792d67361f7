"""Real files typed character by character through the server, and through a plain client of the same engine.

    python -m benchmarks.replay --files 4 --characters 200

Each key is a ``didChange`` and a request, as editors send them; suggestions are accepted by a fixed policy (whole when
right, else word by word), and typing continues with the truth. ``--pace patient`` waits for every answer, which measures
the text. ``--pace real`` keeps the recorded gaps between keys and cancels an answer that the next key overtakes, which
measures what a person on this machine sees. ``--take nothing`` presses every key of the file, which measures how many of
them need the model. Every other file has its rest below the cursor.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import items, score
from benchmarks.editors import Editor, Offer, OurEditor, RivalEditor
from benchmarks.holes_table import share
from benchmarks.items import Replay
from benchmarks.journal import RESULTS, Journal, digest
from benchmarks.keystrokes import Key, Stretch, accepted, key_at, keys_at, n_keys, stretch
from benchmarks.results import header_lines, number, write
from benchmarks.rig import SHIPPED_MS, Arm, Bench, Rig, rig
from benchmarks.stats import percentile
from benchmarks.variants import ARMS
from devstral_ls.errors import DevstralError
from devstral_ls.languages.table import language_of
from devstral_ls.testing.interruptible import run_interruptible

SEED = 4


@dataclass(frozen=True)
class Manner:
    """The manner of typing a file."""

    real: bool = False
    """True: at the recorded pace; False: every answer is waited for."""
    takes: bool = True
    """True when right suggestions are accepted."""


@dataclass
class Session:
    """One file being typed."""

    editor: Editor
    stretch: Stretch
    language: str
    manner: Manner
    at: int = 0
    """Characters of ``stretch.typed`` in the document."""
    keys: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    accepted: int = 0
    accept_keys: int = 0

    async def type_all(self) -> None:
        """Type, look, accept, type on."""
        await self.editor.open(self.stretch.above, self.stretch.below)
        typed = self.stretch.typed
        while self.at < len(typed):
            for key in keys_at(typed, self.at, SEED):
                await self._press(key)
        await self.editor.close()

    async def _press(self, key: Key) -> None:
        typed = self.stretch.typed
        is_right = key.text == key_at(typed, self.at)
        await self.editor.put(key.text, n_back=len(key.takes_back))
        self.keys += 1
        self.at += len(key.text) if is_right else 0
        written = typed[: self.at] + ("" if is_right else key.text)
        begun = time.perf_counter()
        offer = await self._look(key.gap_ms, written, key.takes_back)
        while is_right and self.manner.takes and await self._take(offer):
            offer = await self._look(key.gap_ms, typed[: self.at], "")
        if self.manner.real:
            await asyncio.sleep(max(0.0, key.gap_ms / 1000 - (time.perf_counter() - begun)))

    async def _look(self, gap_ms: float, written: str, deleted: str) -> Offer:
        offer = await self.editor.offer(gap_ms if self.manner.real else None)
        self.rows.append(self._row(offer, written, deleted))
        return offer

    async def _take(self, offer: Offer) -> bool:
        """Accept the right part of ``offer``; True when there was one."""
        rest = self.stretch.typed[self.at :]
        if not offer.text or offer.n_replaced:
            return False
        n, n_accepts = accepted(offer.text, rest)
        if n == 0:
            return False
        await self.editor.put(offer.text[:n])
        if n == len(offer.text):
            await self.editor.took_all()
        self.at += n
        self.keys += n_accepts
        self.accepted += n
        self.accept_keys += n_accepts
        return self.at < len(self.stretch.typed)

    def _row(self, offer: Offer, written: str, deleted: str) -> dict[str, Any]:
        row = {**asdict(offer), "at": self.at}
        if offer.text:
            before = self.stretch.above + written
            answer = score.Answer(offer.text, offer.n_replaced)
            row["valid"] = score.is_valid(before, self.stretch.below, answer, self.language)
            row["repeats"] = score.repeats_suffix(before, offer.text, self.stretch.below)
            row["undoes"] = score.undoes(offer.text, deleted)
        return row


async def type_file(editor: Editor, file: Replay, part: Stretch, manner: Manner) -> dict[str, Any]:
    """Type ``part`` of ``file``; returns its figures."""
    begun = time.perf_counter()
    session = Session(editor, part, language_of(file.language, file.name).id, manner)
    await session.type_all()
    return {
        "file": file.id, "seconds": time.perf_counter() - begun, "characters": len(part.typed),
        "keys_alone": n_keys(part.typed), "keys": session.keys, "accepted": session.accepted,
        "accept_keys": session.accept_keys, "rows": session.rows,
    }  # fmt: skip


def figures(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One arm over all its files."""
    rows = [row for run in runs for row in run["rows"]]
    shown = [row for row in rows if row["text"]]
    asked = [row for row in rows if row["asked_model"]]
    usages = [row["usage"] for row in asked if row["usage"]]
    n_prompt = sum(usage["prompt_tokens"] for usage in usages)
    alone, keys = sum(run["keys_alone"] for run in runs), sum(run["keys"] for run in runs)
    unasked_ms = [row["ms"] for row in rows if not row["asked_model"]]
    asked_ms = [row["ms"] for row in asked if not row["late"]]
    return {
        "files": len(runs),
        "keys_alone": alone,
        "saved": sum(run["accepted"] - run["accept_keys"] for run in runs) / sum(run["characters"] for run in runs),
        "keys_saved": 1 - keys / alone,
        "per_opportunity": sum(run["accepted"] for run in runs) / len(rows),
        "shown": share(len(shown), len(rows)),
        "late": share(sum(row["late"] for row in rows), len(rows)),
        "unasked": share(len(rows) - len(asked), len(rows)),
        "valid": share(sum(row["valid"] for row in shown), len(shown)),
        "repeats": share(sum(row["repeats"] for row in shown), len(shown)),
        "undoes": share(sum(row["undoes"] for row in shown), len(shown)),
        "reuse": sum(usage["cached_tokens"] for usage in usages) / n_prompt if n_prompt else None,
        "asked_ms": {str(p): percentile(asked_ms, p / 100) for p in (50, 90, 95)},
        "unasked_ms": {str(p): percentile(unasked_ms, p / 100) for p in (50, 95)},
        "reasons": _counted(row["reason"] for row in rows),
        "by_file": {run["file"]: run["accepted"] - run["accept_keys"] for run in runs},
    }


def _counted(reasons: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for reason in reasons:
        found[reason] = found.get(reason, 0) + 1
    return dict(sorted(found.items(), key=lambda entry: -entry[1]))


async def run(
    bench: Bench,
    arms: Sequence[Arm],
    files: Sequence[Replay],
    characters: int | None,
    manner: Manner | None = None,
    *,
    baseline: bool = True,
) -> dict[str, Any]:
    """Type all files with each arm, and write ``results/replay.json``.

    Raises:
        DevstralError: no model, or no engine.
    """
    manner = manner or Manner()
    runs: dict[str, list[dict[str, Any]]] = {arm.name: [] for arm in arms} | ({"llama.vim": []} if baseline else {})
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        async with rig(Path(folder), bench) as running:
            header = running.header(
                layout=running.subject.candidates[0], pace="real" if manner.real else "patient",
                takes="what is right" if manner.takes else "nothing", seed=SEED, characters=characters,
                arms={arm.name: asdict(arm) for arm in arms}, items=items.digest(items.replays()),
            )  # fmt: skip
            for n, file in enumerate(files):
                part = stretch(file.text, characters, with_rest=n % 2 == 0)
                for name in sorted(runs, reverse=bool(n % 2)):
                    found = await _typed(running, ARMS.get(name), file, part, header, manner)
                    runs[name].append(found)
                    _say(name, found, n + 1, len(files))
    result = {"benchmark": "replay", "header": header, "arms": {name: figures(found) for name, found in runs.items()}}
    write("replay", result)
    return result


async def _typed(
    running: Rig, arm: Arm | None, file: Replay, part: Stretch, header: dict[str, Any], manner: Manner
) -> dict[str, Any]:
    """A stored run, or a new one with a fresh server, which knows nothing of the other files."""
    depends_on = {name: header[name] for name in ("sha256", "engine", "context", "batch", "threads", "pace", "seed")}
    if not manner.takes:
        depends_on["takes"] = header["takes"]
    name = arm.name if arm else "llama.vim"
    if arm is not None:
        depends_on |= {"arm": asdict(arm), "code": header["code"]}
    journal = Journal(f"replay-{name.replace(' ', '-')}", depends_on)
    key = f"{file.id} {digest(asdict(part))}"
    kept = journal.get(key)
    if kept is not None:
        return kept
    uri = f"file:///bench/{file.name}"
    if arm is None:
        return journal.add(key, await type_file(RivalEditor(running.engine, uri), file, part, manner))
    async with running.server(arm) as client:
        return journal.add(key, await type_file(OurEditor(client, uri, file.language), file, part, manner))


def _say(name: str, run: dict[str, Any], n: int, of: int) -> None:
    saved = (run["accepted"] - run["accept_keys"]) / run["characters"]
    print(f"{n} of {of} {run['file']}, {name}: {saved:.0%} saved, {run['seconds']:.0f} s", file=sys.stderr, flush=True)


def table(result: dict[str, Any]) -> list[str]:
    """The result as text."""
    lines = [
        *header_lines(result["header"]),
        f"pace {result['header']['pace']}, {result['header']['takes']} is taken",
        "",
    ]
    arms = result["arms"]
    lines += [f"{'':34}" + "".join(f"{name:>16}" for name in arms)]
    for title, value in _ROWS:
        lines.append(f"{title:34}" + "".join(f"{value(found):>16}" for found in arms.values()))
    baseline = arms.get("llama.vim")
    for name, found in arms.items():
        if name != "llama.vim" and baseline and baseline["saved"] > 0:
            lines.append(
                f"{name}: saves {found['saved'] / baseline['saved']:.2f} times what the llama.vim prompt saves"
            )
    for name, found in arms.items():
        lines.append(f"reasons, {name}: " + ", ".join(f"{why} {n}" for why, n in found["reasons"].items()))
    return lines


def _percent(found: dict[str, Any]) -> str:
    return f"{found['share']:.1%}" if found["n"] else "-"


_ROWS: tuple[tuple[str, Any], ...] = (
    ("characters saved", lambda f: f"{f['saved']:.1%}"),
    ("key presses saved", lambda f: f"{f['keys_saved']:.1%}"),
    ("accepted characters a request", lambda f: f"{f['per_opportunity']:.2f}"),
    ("something shown", lambda f: _percent(f["shown"])),
    ("too late for the next key", lambda f: _percent(f["late"])),
    ("answered without the model", lambda f: _percent(f["unasked"])),
    ("... of those, p95 ms", lambda f: number(f["unasked_ms"]["95"], 1)),
    ("asked the model, p50 ms", lambda f: number(f["asked_ms"]["50"])),
    ("... p90 ms", lambda f: number(f["asked_ms"]["90"])),
    ("prompt tokens reused", lambda f: "-" if f["reuse"] is None else f"{f['reuse']:.1%}"),
    ("shown: parses as well as before", lambda f: _percent(f["valid"])),
    ("shown: repeats what follows", lambda f: _percent(f["repeats"])),
    ("shown: undoes the last edit", lambda f: _percent(f["undoes"])),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", default="starter", help="name or path")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--files", type=int, help="so many files")
    parser.add_argument("--characters", type=int, help="about so many of each file; the whole file by default")
    parser.add_argument("--pace", choices=("patient", "real"), default="patient")
    parser.add_argument("--take", choices=("right", "nothing"), default="right", help="what is right, or nothing")
    parser.add_argument("--arms", default="", help=f"with commas, of: {', '.join(ARMS)}; by default ours, or shipped")
    parser.add_argument("--no-baseline", action="store_true", help="without the plain client, which is slow")
    options = parser.parse_args()
    real = options.pace == "real"
    names = [name for name in options.arms.split(",") if name] or ["shipped" if real else "ours"]
    files = items.replays()[: options.files]
    try:
        work = run(
            Bench(options.model, options.threads), [ARMS[name] for name in names], files, options.characters,
            Manner(real, options.take == "right"), baseline=not options.no_baseline,
        )  # fmt: skip
        print("\n".join(table(run_interruptible(work))))
    except KeyboardInterrupt:
        print("stopped; the same command goes on with the file that was not finished", file=sys.stderr)
        return 130
    except DevstralError as error:
        print(f"{error.message}{f' — {error.hint}' if error.hint else ''}", file=sys.stderr)
        return 1
    print(f"kept in {RESULTS}; a server keeps to {SHIPPED_MS} ms with the arm `shipped`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
