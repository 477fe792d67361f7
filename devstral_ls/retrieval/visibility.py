"""Which files of a workspace may be read: by ``privacy.exclude``, ignore files, symbolic links, and folders of foreign code."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePath, PurePosixPath

from cachetools import LRUCache
from pathspec import GitIgnoreSpec

from devstral_ls.uris import displayed_path

IGNORE_FILES = (".gitignore", ".ignore")
"""Read in every folder in this order; the later one wins. ``.ignore`` is the file of ripgrep and other tools."""

MAX_IGNORE_BYTES, MAX_PATTERNS, MAX_PATTERN = 64 * 1024, 1_000, 500
"""Of one ignore file; anything beyond is skipped. The longest hand-written ones have some 400 lines."""

MAX_STARS = 2
"""Of one part of a pattern: the time of the regular expression grows with a power of them (six take minutes for a single
name). Anything beyond counts as one star, which ignores more: reading a private file would be worse."""

MAX_DOUBLE_STARS = 3
"""Of one pattern; it is cut behind them."""

SKIPPED_FOLDERS = frozenset({
    ".git", ".hg", ".svn", ".jj", "node_modules", "bower_components", "__pycache__", ".venv", "venv", ".tox", ".nox",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".gradle", ".idea", ".vscode", ".next", ".nuxt",
    ".terraform", "site-packages", ".eggs", "Pods", ".cargo", ".direnv",
})  # fmt: skip
"""Folders with code of others or none at all; skipped whatever the ignore files say."""

_STARS = re.compile(r"(?<!\\)\*{2,}")
"""Inside a part of a pattern these mean the same as one star, but each would become one in the regular expression."""

_MAX_UP = 24
_MAX_KEPT = 20_000


def is_excluded(path: PurePath, patterns: Sequence[str]) -> bool:
    """True when one of ``patterns``, the setting ``privacy.exclude``, matches ``path``.

    A glob without a slash is matched against the file name, one with a slash against the path; ``*`` also matches
    slashes, and case is ignored.
    """
    posix = PurePosixPath(path.as_posix().casefold())
    return any(_excludes(pattern.casefold(), posix) for pattern in patterns)


def is_excluded_document(uri: str, patterns: Sequence[str]) -> bool:
    """``is_excluded`` for the document with this URI."""
    return is_excluded(PurePosixPath(displayed_path(uri)), patterns)


def _excludes(pattern: str, path: PurePosixPath) -> bool:
    if "/" in pattern:
        return fnmatchcase(str(path), f"*/{pattern.lstrip('/')}") or fnmatchcase(str(path), pattern)
    return fnmatchcase(path.name, pattern)


class FolderVisibility:
    """Decides for every path in one workspace folder whether it may be read. Reads ignore files and nothing else."""

    def __init__(self, root: str, exclude: Sequence[str], *, respect_ignore_files: bool) -> None:
        """``root`` is the folder's absolute path."""
        self._root = os.path.realpath(root)
        self._exclude = tuple(exclude)
        self._respect = respect_ignore_files
        self._specs: LRUCache[str, tuple[GitIgnoreSpec, ...]] = LRUCache(_MAX_KEPT)
        self._folders: LRUCache[str, bool] = LRUCache(_MAX_KEPT)
        self._above = tuple(_repository_above(self._root)) if respect_ignore_files else ()

    @property
    def root(self) -> str:
        """The folder, without symbolic links."""
        return self._root

    def forget(self) -> None:
        """Read the ignore files again: one of them has changed."""
        self._specs.clear()
        self._folders.clear()

    def allows(self, path: str) -> bool:
        """True when the file at ``path``, absolute, may be read: neither it nor a folder above it lies outside of the root, also
        by way of a symbolic link, or is excluded or ignored.
        """
        real = os.path.realpath(path)
        if not self._is_inside(real):
            return False
        return self.allows_file(real) and self._allows_folder(os.path.dirname(real))

    def allows_file(self, path: str) -> bool:
        """``allows`` for a path without symbolic links in a folder that is allowed."""
        return not is_excluded(PurePath(path), self._exclude) and not self._ignores(path, "")

    def allows_folder(self, path: str) -> bool:
        """True when the files in a folder may be read; its path has no symbolic links, and the folders above it are allowed."""
        if os.path.basename(path) in SKIPPED_FOLDERS or is_excluded(PurePath(path), self._exclude):
            return False
        return not self._ignores(path, "/")

    def _allows_folder(self, folder: str) -> bool:
        if folder == self._root:
            return True
        allowed = self._folders.get(folder)
        if allowed is None:
            allowed = self._allows_folder(os.path.dirname(folder)) and self.allows_folder(folder)
            self._folders[folder] = allowed
        return allowed

    def _is_inside(self, path: str) -> bool:
        return path.startswith(self._root.rstrip(os.sep) + os.sep) and path.count(os.sep) < 200

    def _ignores(self, path: str, ending: str) -> bool:
        if not self._respect:
            return False
        for folder in self._folders_above(path):
            relative = os.path.relpath(path, folder).replace(os.sep, "/") + ending
            for spec in reversed(self._specs_in(folder)):
                include = spec.check_file(relative).include
                if include is not None:
                    return include
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
            self._specs[folder] = specs
        return specs


def read_ignore_file(path: str) -> GitIgnoreSpec | None:
    """The patterns of an ignore file, within the limits above; ``None`` without any. Never raises."""
    try:
        if os.path.islink(path) or not os.path.isfile(path):
            return None
        with open(path, "rb") as file:
            data = file.read(MAX_IGNORE_BYTES)
    except OSError:
        return None
    lines = data.decode("utf-8-sig", "replace").split("\n")
    patterns = [bounded for line in lines if (bounded := _bounded(line.rstrip("\r")))][:MAX_PATTERNS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about regular expressions made from unusual brackets
        try:
            return GitIgnoreSpec.from_lines(patterns) if patterns else None
        except (ValueError, re.error):  # one of them is malformed: use the others
            return GitIgnoreSpec.from_lines([line for line in patterns if _is_pattern(line)])


def _bounded(line: str) -> str:
    """The pattern in ``line``, or one that ignores more and is matched in bounded time; empty without one."""
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
    bounded = "/".join(parts)
    return "" if bounded != line and line.startswith("!") else bounded


def _is_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True


def _repository_above(root: str) -> Iterator[str]:
    """The folders above ``root`` up to that of the repository around it; none without a repository."""
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
