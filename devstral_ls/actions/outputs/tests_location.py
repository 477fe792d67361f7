"""The file for tests of a definition, in the project's own framework: an existing one or a new one."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from devstral_ls.actions.outputs.frameworks import Framework, frameworks_of
from devstral_ls.actions.query import Project
from devstral_ls.text import Snapshot

_MAX_UP = 6
"""The most folders, from the code's own upwards, that are searched for the marks of a framework."""


@dataclass(frozen=True, slots=True)
class TestsLocation:
    """The test file, and how new tests begin."""

    framework: Framework
    path: str
    before: str | None
    """The file's text; None: it does not exist yet."""
    opening: str
    """The beginning of the new text."""

    @property
    def is_new(self) -> bool:
        """True when the file does not exist yet, or has nothing in it."""
        return self.before is None or not self.before.strip()


def tests_location(language: str, snapshot: Snapshot, name: str, project: Project) -> TestsLocation | None:
    """The file for tests of ``name`` in ``snapshot``; None where no framework is known, or the file cannot be added to."""
    path = project.path(snapshot.uri) or snapshot.uri.rpartition("/")[2]
    rows = frameworks_of(language)
    if not rows or not name:
        return None
    folder = posixpath.dirname(path)
    framework, root = _framework_of(rows, folder, project)
    values = _template_values(path, snapshot.text, name)
    candidates = [_project_path(pattern.format(**values), folder, root) for pattern in framework.paths]
    for candidate in candidates:
        before = snapshot.text if candidate == path else project.read(candidate)
        if before is not None and not before.strip():
            return TestsLocation(framework, candidate, before, _opening(framework, path, candidate, root, values))
        if before is not None and framework.more:
            return TestsLocation(framework, candidate, before, framework.more.format(**values))
    in_existing = (candidate for candidate in candidates[:-1] if project.names(posixpath.dirname(candidate)))
    chosen = next(in_existing, candidates[-1])
    if project.read(chosen) is not None:
        return None
    return TestsLocation(framework, chosen, None, _opening(framework, path, chosen, root, values))


def _opening(framework: Framework, path: str, test: str, root: str, values: Mapping[str, str]) -> str:
    """The beginning of a test file that has nothing yet."""
    return framework.opening.format(**values, module=_module_of(framework, path, test, root)).lstrip("\n")


def _framework_of(rows: Sequence[Framework], folder: str, project: Project) -> tuple[Framework, str]:
    """The first framework with a mark in the folder or above it, and the folder of the mark."""
    searched = folder
    for _ in range(_MAX_UP):
        for row in rows:
            for mark, contains in row.marks:
                text = project.read(posixpath.join(searched, mark))
                if text is not None and contains in text:
                    return row, searched
        if not searched:
            break
        searched = posixpath.dirname(searched)
    unmarked = next((row for row in rows if not row.marks), rows[-1])
    return unmarked, ""


def _template_values(path: str, text: str, name: str) -> dict[str, str]:
    base = posixpath.basename(path)
    stem, _, ext = base.rpartition(".")
    package = re.search(r"^package\s+[\w.]+;?", text, re.MULTILINE)
    return {
        "name": name,
        "Name": _capitalized(name),
        "stem": stem,
        "Stem": _capitalized(stem),
        "ext": ext,
        "package": package[0] if package else "",
    }


def _capitalized(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[_\W]+", name))


def _project_path(pattern: str, folder: str, root: str) -> str:
    return posixpath.normpath(posixpath.join(folder if pattern.startswith("./") else root, pattern))


def _module_of(framework: Framework, path: str, test: str, root: str) -> str:
    """The module that the test file imports the code from."""
    if "python" in framework.languages:
        inside = posixpath.relpath(path, root or ".").removesuffix(".py")
        inside = inside.removeprefix("src/")
        return inside.removesuffix("/__init__").replace("/", ".")
    relative = posixpath.relpath(path, posixpath.dirname(test) or ".")
    stem = re.sub(r"\.(tsx?|mts|cts|jsx?|mjs|cjs)$", "", relative)
    return stem if stem.startswith(".") else f"./{stem}"
