"""What of a workspace may be read at all: ``privacy.exclude``, ignore files, symbolic links, folders of others' code."""

from __future__ import annotations

import os
import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePath, PurePosixPath
from typing import TypeVar

from pathspec import GitIgnoreSpec

from devstral_ls.uris import path_in

IGNORE_FILES = (".gitignore", ".ignore")
"""Read in every folder, in this order; the later one wins. ``.ignore`` is what ripgrep and others read, too."""

MAX_IGNORE_BYTES, MAX_PATTERNS, MAX_PATTERN = 64 * 1024, 1_000, 500
"""Of one ignore file; what is beyond is left out. The longest hand-written ones have some 400 lines."""

MAX_STARS = 2
"""Of one part of a pattern: it becomes a regular expression whose time grows with a power of them (six take minutes
for a single name). What is beyond is taken as one star: rather ignore too much than read what was not meant for us."""

MAX_DOUBLE_STARS = 3
"""Of one pattern; one with more is taken up to there."""

FOREIGN = frozenset({
    ".git", ".hg", ".svn", ".jj", "node_modules", "bower_components", "__pycache__", ".venv", "venv", ".tox", ".nox",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".gradle", ".idea", ".vscode", ".next", ".nuxt",
    ".terraform", "site-packages", ".eggs", "Pods", ".cargo", ".direnv",
})  # fmt: skip
"""Folders that hold nobody's own code; skipped without asking."""

_STARS = re.compile(r"(?<!\\)\*{2,}")
"""In a part of a pattern these say what one star says, and each would become a star of the regular expression."""

_T = TypeVar("_T")
_MAX_UP = 24
_MAX_KEPT = 20_000


def is_excluded(path: PurePath, patterns: Sequence[str]) -> bool:
    """Is ``path`` on the list, ``privacy.exclude``?

    A glob without a slash is matched against the name of the file, one with a slash against the path; ``*`` matches
    slashes as well, and case does not count.
    """
    posix = PurePosixPath(path.as_posix().casefold())
    return any(_excludes(pattern.casefold(), posix) for pattern in patterns)


def is_excluded_document(uri: str, patterns: Sequence[str]) -> bool:
    """``is_excluded`` for a document."""
    return is_excluded(PurePosixPath(path_in(uri)), patterns)


def _excludes(pattern: str, path: PurePosixPath) -> bool:
    if "/" in pattern:
        return fnmatchcase(str(path), f"*/{pattern.lstrip('/')}") or fnmatchcase(str(path), pattern)
    return fnmatchcase(path.name, pattern)


class Readable:
    """Says of every path in one workspace folder whether it may be read. Reads the ignore files, and nothing else."""

    def __init__(self, root: str, exclude: Sequence[str], *, respect_ignore_files: bool) -> None:
        """``root`` is the folder's absolute path."""
        self._root = os.path.realpath(root)
        self._exclude = tuple(exclude)
        self._respect = respect_ignore_files
        self._specs: OrderedDict[str, tuple[GitIgnoreSpec, ...]] = OrderedDict()
        self._folders: OrderedDict[str, bool] = OrderedDict()
        self._above = tuple(_repository_above(self._root)) if respect_ignore_files else ()

    @property
    def root(self) -> str:
        """The folder, without symbolic links."""
        return self._root

    def forget(self) -> None:
        """An ignore file has changed."""
        self._specs.clear()
        self._folders.clear()

    def allows(self, path: str) -> bool:
        """May the file at ``path``, absolute, be read? Not where it, or a folder above it, lies outside, is a symbolic
        link that leads outside, is excluded or ignored.
        """
        real = os.path.realpath(path)
        if not self._is_inside(real):
            return False
        return self.allows_file(real) and self._allows_folder(os.path.dirname(real))

    def allows_file(self, path: str) -> bool:
        """The same of a path without symbolic links in a folder that is allowed."""
        return not is_excluded(PurePath(path), self._exclude) and not self._ignores(path, "")

    def allows_folder(self, path: str) -> bool:
        """May what is in the folder be read? Its path has no symbolic links, and what is above it is allowed."""
        if os.path.basename(path) in FOREIGN or is_excluded(PurePath(path), self._exclude):
            return False
        return not self._ignores(path, "/")

    def _allows_folder(self, folder: str) -> bool:
        if folder == self._root:
            return True
        known = self._folders.get(folder)
        if known is None:
            known = self._allows_folder(os.path.dirname(folder)) and self.allows_folder(folder)
            _put(self._folders, folder, known)
        return known

    def _is_inside(self, path: str) -> bool:
        return path.startswith(self._root.rstrip(os.sep) + os.sep) and path.count(os.sep) < 200

    def _ignores(self, path: str, ending: str) -> bool:
        if not self._respect:
            return False
        for folder in self._folders_above(path):
            relative = os.path.relpath(path, folder).replace(os.sep, "/") + ending
            for spec in reversed(self._specs_in(folder)):
                said = spec.check_file(relative).include
                if said is not None:
                    return said
        return False

    def _folders_above(self, path: str) -> Iterator[str]:
        folder = os.path.dirname(path)
        while self._is_inside(folder):
            yield folder
            folder = os.path.dirname(folder)
        yield self._root
        yield from self._above

    def _specs_in(self, folder: str) -> tuple[GitIgnoreSpec, ...]:
        specs = self._specs.get(folder)
        if specs is None:
            files = [os.path.join(folder, name) for name in IGNORE_FILES]
            if os.path.isdir(os.path.join(folder, ".git")):
                files.insert(0, os.path.join(folder, ".git", "info", "exclude"))
            specs = tuple(spec for file in files if (spec := read_ignore_file(file)) is not None)
            _put(self._specs, folder, specs)
        return specs


def read_ignore_file(path: str) -> GitIgnoreSpec | None:
    """Its patterns, as far as the limits allow; ``None`` where there are none. Never raises."""
    try:
        if os.path.islink(path) or not os.path.isfile(path):
            return None
        with open(path, "rb") as file:
            data = file.read(MAX_IGNORE_BYTES)
    except OSError:
        return None
    lines = data.decode("utf-8-sig", "replace").split("\n")
    patterns = [tame for line in lines if (tame := _tamed(line.rstrip("\r")))][:MAX_PATTERNS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of the expressions that odd brackets become
        try:
            return GitIgnoreSpec.from_lines(patterns) if patterns else None
        except (ValueError, re.error):  # one of them is none: take those that are
            return GitIgnoreSpec.from_lines([line for line in patterns if _is_pattern(line)])


def _tamed(line: str) -> str:
    """The pattern, or one that ignores more and is matched in bounded time; empty where there is none."""
    if not line.strip() or line.startswith("#") or len(line) > MAX_PATTERN:
        return ""
    parts: list[str] = []
    for part in line.split("/"):
        if parts.count("**") == MAX_DOUBLE_STARS and part == "**":
            break
        if part != "**":
            part = _STARS.sub("*", part)
        at = [match.start() for match in re.finditer(r"\*+", part)] if part != "**" else []
        parts.append(part if len(at) <= MAX_STARS else part[: at[MAX_STARS - 1]] + "*")
    tame = "/".join(parts)
    return "" if tame != line and line.startswith("!") else tame


def _is_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True


def _repository_above(root: str) -> Iterator[str]:
    """The folders above ``root`` up to that of the repository it is in; none where it is in none."""
    above: list[str] = []
    folder = root
    for _ in range(_MAX_UP):
        if os.path.exists(os.path.join(folder, ".git")):
            yield from above
            return
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent
        above.append(folder)


def _put(kept: OrderedDict[str, _T], key: str, value: _T) -> None:
    kept[key] = value
    if len(kept) > _MAX_KEPT:
        kept.popitem(last=False)
