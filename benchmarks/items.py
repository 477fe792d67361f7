"""The items of the benchmarks: holes, files to type, quiet places and code actions, read from ``benchmarks/cases/``.

All were written for this project. Two runs with the same ``digest`` asked the same things: the digests of all lists are in
``benchmarks/cases/digests.json``; ``python -m benchmarks.items`` renews them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TypeVar

from benchmarks.case_files import item_id, parse_actions, parse_holes, parse_quiets
from benchmarks.cross_file_cases import parse_cross
from benchmarks.item_kinds import ACTIONS, Action, ActionCase, Bug, CrossHole, Diagnostic, Hole, HoleKind, Quiet, Replay

__all__ = [
    "Action",
    "ActionCase",
    "Bug",
    "CrossHole",
    "Diagnostic",
    "Hole",
    "HoleKind",
    "Quiet",
    "Replay",
    "action_cases",
    "cross_holes",
    "digest",
    "digests",
    "holes",
    "quiets",
    "replays",
]

CASES = Path(__file__).parent / "cases"
DIGESTS = CASES / "digests.json"

Item = Hole | Replay | Quiet | ActionCase
T = TypeVar("T")


@cache
def holes() -> tuple[Hole, ...]:
    """All holes, the languages in turns, so that the first few are of all languages."""
    by_language: dict[str, list[Hole]] = {}
    for language, name, text in _files("holes"):
        by_language.setdefault(language, []).extend(parse_holes(language, name, text))
    return tuple(_in_turns(list(by_language.values())))


@cache
def cross_holes() -> tuple[CrossHole, ...]:
    """All holes in workspaces, the languages in turns."""
    by_language: dict[str, list[CrossHole]] = {}
    for language, name, text in _files("cross"):
        by_language.setdefault(language, []).append(parse_cross(language, name, text))
    return tuple(_in_turns(list(by_language.values())))


@cache
def replays() -> tuple[Replay, ...]:
    """All files to type."""
    return tuple(Replay(item_id(language, name), language, name, text) for language, name, text in _files("replay"))


@cache
def quiets() -> tuple[Quiet, ...]:
    """All places where nothing should be shown."""
    return tuple(quiet for language, name, text in _files("quiet") for quiet in parse_quiets(language, name, text))


@cache
def action_cases() -> tuple[ActionCase, ...]:
    """All cases for code actions."""
    return tuple(
        case
        for language, name, text in _files("actions")
        for case in parse_actions(_action(name), language, Path(name).suffix, text)
    )


@cache
def tuning_cases() -> tuple[ActionCase, ...]:
    """Small cases for developing code actions; those of ``action_cases`` are for judging them."""
    return tuple(
        case
        for language, name, text in _files("tuning")
        for case in parse_actions(_action(name), language, Path(name).suffix, text)
    )


def digest(items: Sequence[Item]) -> str:
    """SHA-256, in hexadecimal, of the items' canonical JSON in the order given."""
    data = json.dumps([asdict(item) for item in items], ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(data.encode()).hexdigest()


def digests() -> dict[str, dict[str, str | int]]:
    """Length and digest of each list, as stored in ``DIGESTS``."""
    lists: dict[str, Sequence[Item]] = {
        "holes": holes(),
        "replays": replays(),
        "quiets": quiets(),
        "action_cases": action_cases(),
        "cross_holes": cross_holes(),
    }
    return {name: {"items": len(items), "sha256": digest(items)} for name, items in lists.items()}


def _action(name: str) -> Action:
    for action in ACTIONS:
        if Path(name).stem == action:
            return action
    raise ValueError(f"no such action: {name}")


def _files(kind: str) -> Iterator[tuple[str, str, str]]:
    """Language, file name and text of each file of one kind, in order of language and name."""
    for path in sorted((CASES / kind).glob("*/*.txt"), key=lambda path: (path.parent.name, path.name)):
        yield path.parent.name, path.name.removesuffix(".txt"), path.read_text(encoding="utf-8")


def _in_turns(lists: list[list[T]]) -> Iterator[T]:
    longest = max((len(found) for found in lists), default=0)
    for n in range(longest):
        yield from (found[n] for found in lists if n < len(found))


if __name__ == "__main__":
    DIGESTS.write_text(json.dumps(digests(), indent=2) + "\n", encoding="utf-8")
