"""Sessions that broke a promise: kept as JSON in ``tests/fuzz/found/``, shrunk by replaying, and played by the suite."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from devstral_ls.testing.fuzz.conversation import BATCH, Broken, Session, play
from devstral_ls.testing.lsp_client import ROOT

FOLDER = ROOT / "tests" / "fuzz" / "found"

MOST_REPLAYS = 60
"""Each replay starts a server, which takes a second."""

Fails = Callable[[Session], bool]


def replayed(session: Session) -> str:
    """The promise that ``session`` breaks; empty when it breaks none."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            play(session, Path(folder))
        except Broken as broken:
            return str(broken)
    return ""


def smallest(session: Session, fails: Fails, replays: int = MOST_REPLAYS) -> Session:
    """A part of ``session`` that still fails, found by leaving out ever smaller pieces."""
    steps = session.steps
    size = max(len(steps) // 2, 1)
    while replays > 0:
        begin, is_smaller = 0, False
        while begin < len(steps) and replays > 0:
            fewer = steps[:begin] + steps[begin + size :]
            replays -= 1
            if fewer and fails(replace(session, steps=fewer)):
                steps, is_smaller = fewer, True
            else:
                begin += size
        if size == 1 and not is_smaller:
            break
        size = max(size // 2, 1)
    return replace(session, steps=steps)


def keep(session: Session, broken: str, name: str, checks: int, folder: Path = FOLDER) -> Path:
    """Write the smallest session that breaks the same promise; returns the file.

    ``checks`` is the number of checks passed before it broke: the last batch alone is tried first.
    """
    kind = broken.split(" ")[0]

    def fails(one: Session) -> bool:
        return replayed(one).startswith(kind)

    prefix = replace(session, steps=session.steps[: (checks + 1) * BATCH])
    last = replace(session, steps=prefix.steps[:3] + prefix.steps[max(checks * BATCH, 3) :])
    shorter = next((one for one in (last, prefix) if fails(one)), session)
    found = smallest(shorter, fails) if shorter is not session else session
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.json"
    steps = ",\n".join(json.dumps(step) for step in found.steps)
    head = {"broken": broken[:300], **{key: value for key, value in asdict(found).items() if key != "steps"}}
    file.write_text(f'{json.dumps(head, indent=1)[:-2]},\n "steps": [\n{steps}\n]}}\n', encoding="utf-8")
    return file


def load(file: Path) -> Session:
    """Read a stored session."""
    values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    values.pop("broken")
    return Session(**values)
