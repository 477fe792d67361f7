"""Where tests of a definition go: the project's own framework, and a file that is there or should be."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from devstral_ls.actions.frameworks import Framework, rows_of
from devstral_ls.actions.query import Project
from devstral_ls.text import Snapshot

_MAX_UP = 6
"""Folders above the code that are searched for the marks of a framework."""


@dataclass(frozen=True, slots=True)
class TestsPlace:
    """What to write and where."""

    framework: Framework
    path: str
    before: str | None
    """The file's text; ``None``: it is to be made."""
    opening: str
    """How what is written begins."""


def place_of(language: str, snapshot: Snapshot, name: str, project: Project) -> TestsPlace | None:
    """Where tests of ``name`` in ``snapshot`` go; ``None`` for a language without known frameworks."""
    path = project.path(snapshot.uri) or snapshot.uri.rpartition("/")[2]
    rows = rows_of(language)
    if not rows or not name:
        return None
    folder = posixpath.dirname(path)
    framework, root = _framework(rows, folder, project)
    values = _values(path, snapshot.text, name)
    places = [_resolved(place.format(**values), folder, root) for place in framework.places]
    for place in places:
        before = snapshot.text if place == path else project.read(place)
        if before is not None and framework.more:
            return TestsPlace(framework, place, before, framework.more.format(**values))
    chosen = next((place for place in places[:-1] if project.names(posixpath.dirname(place))), places[-1])
    if project.read(chosen) is not None:  # it cannot be added to
        return None
    module = _module(framework, path, chosen, root)
    return TestsPlace(framework, chosen, None, framework.opening.format(**values, module=module).lstrip("\n"))


def _framework(rows: Sequence[Framework], folder: str, project: Project) -> tuple[Framework, str]:
    """The first row a mark of which is found in the folder or above it, and the folder the mark is in."""
    at = folder
    for _ in range(_MAX_UP):
        for row in rows:
            for mark, contains in row.marks:
                text = project.read(posixpath.join(at, mark))
                if text is not None and contains in text:
                    return row, at
        if not at:
            break
        at = posixpath.dirname(at)
    unmarked = next((row for row in rows if not row.marks), rows[-1])
    return unmarked, ""


def _values(path: str, text: str, name: str) -> dict[str, str]:
    base = posixpath.basename(path)
    stem, _, ext = base.rpartition(".")
    package = re.search(r"^package\s+[\w.]+;?", text, re.MULTILINE)
    return {
        "name": name,
        "Name": _capital(name),
        "stem": stem,
        "Stem": _capital(stem),
        "ext": ext,
        "package": package[0] if package else "",
    }


def _capital(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[_\W]+", name))


def _resolved(place: str, folder: str, root: str) -> str:
    return posixpath.normpath(posixpath.join(folder if place.startswith("./") else root, place))


def _module(framework: Framework, path: str, test: str, root: str) -> str:
    """How the test file imports the code."""
    if "python" in framework.languages:
        inside = posixpath.relpath(path, root or ".").removesuffix(".py")
        inside = inside.removeprefix("src/")
        return inside.removesuffix("/__init__").replace("/", ".")
    relative = posixpath.relpath(path, posixpath.dirname(test) or ".")
    stem = re.sub(r"\.(tsx?|mts|cts|jsx?|mjs|cjs)$", "", relative)
    return stem if stem.startswith(".") else f"./{stem}"
