"""Which files a model may be shown: decided by ``privacy.exclude``, ignore files, and folders of foreign code, and nowhere else.

Nothing is shown that cannot be decided. ``visibility_check`` asks beside the event loop; the process of the workspace index
uses the same rules for its walk.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import PurePath, PurePosixPath

from cachetools import LRUCache

from devstral_ls.retrieval.ignores import patterns
from devstral_ls.retrieval.ignores.levels import Level, ignores
from devstral_ls.retrieval.ignores.links import is_at_or_below, names_of, upwards
from devstral_ls.retrieval.ignores.observed import ObservedFiles
from devstral_ls.retrieval.ignores.patterns import NO_RULES, IgnoreRules, ignore_rules
from devstral_ls.retrieval.ignores.repository import Repository, repository_at
from devstral_ls.uris import displayed_path, paths_named_by

IGNORE_FILES = (".gitignore", ".ignore")
"""Read in every folder; the later one wins. ``.ignore`` is the file of ripgrep and other tools."""

SKIPPED_FOLDERS = frozenset({
    ".git", ".hg", ".svn", ".jj", "node_modules", "bower_components", "__pycache__", ".venv", "venv", ".tox", ".nox",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".gradle", ".idea", ".vscode", ".next", ".nuxt",
    ".terraform", "site-packages", ".eggs", "Pods", ".cargo", ".direnv",
})  # fmt: skip
"""Folders with code of others or none at all; ignored whatever the ignore files say."""

MAX_DEPTH = 200
"""Folders of a path; of a longer one it is not decided whether it may be shown."""

_MAX_KEPT = 20_000


class Visibility(Enum):
    """Whether a model may be shown a file."""

    VISIBLE = "visible"
    EXCLUDED = "excluded"
    """``privacy.exclude`` names it."""
    IGNORED = "ignored"
    """An ignore file names it."""
    UNKNOWN = "unknown"
    """It cannot be told, or not yet: it is not shown."""


def is_excluded(path: PurePath, patterns: Sequence[str]) -> bool:
    """True when one of ``patterns``, the setting ``privacy.exclude``, matches ``path``.

    A glob without a slash is matched against the file name, one with a slash against the path; ``*`` also matches
    slashes, and case is ignored.
    """
    posix = PurePosixPath(path.as_posix().casefold())
    return any(_excludes(pattern.casefold(), posix) for pattern in patterns)


@lru_cache(4_096)
def is_excluded_by_name(path_or_uri: str, patterns: tuple[str, ...]) -> bool:
    """``is_excluded`` for what the path or the URI shows; other names of the same file are not looked up."""
    return is_excluded(PurePosixPath(displayed_path(path_or_uri)), patterns)


def _excludes(pattern: str, path: PurePosixPath) -> bool:
    if "/" in pattern:
        return fnmatchcase(str(path), f"*/{pattern.lstrip('/')}") or fnmatchcase(str(path), pattern)
    return fnmatchcase(path.name, pattern)


@dataclass(frozen=True, slots=True)
class VisibilityScope:
    """What decides about files, besides ignore files."""

    exclude: tuple[str, ...]
    """The setting ``privacy.exclude``."""
    respect_ignore_files: bool
    folders: tuple[str, ...] = ()
    """Absolute paths of the workspace's folders: their ignore files count without a repository."""


class VisibilityRules:
    """Keeps ignore files as long as they stay as they are, and what was decided by them. Not for several threads at once."""

    def __init__(self) -> None:
        self.files = ObservedFiles()
        self.decisions: LRUCache[tuple[str, bool, VisibilityScope], tuple[tuple[Level, ...], Visibility]] = LRUCache(
            _MAX_KEPT
        )
        self._folders: LRUCache[VisibilityScope, tuple[str, ...]] = LRUCache(16)

    def may_show(self, path_or_uri: str, scope: VisibilityScope) -> Visibility:
        """Whether a model may be shown the file. Reads what has changed since the last question."""
        return VisibilityLook(self, scope).may_show(path_or_uri)

    def folders(self, scope: VisibilityScope) -> tuple[str, ...]:
        """The workspace's folders by the names they were given, and without symbolic links."""
        folders = self._folders.get(scope)
        if folders is None:
            given = [os.path.normpath(folder) for folder in scope.folders]
            folders = tuple(dict.fromkeys((*given, *map(os.path.realpath, given))))
            self._folders[scope] = folders
        return folders


class VisibilityLook:
    """One look at the files of some folders: within it, what has been read once is taken to stay as it is."""

    def __init__(self, rules: VisibilityRules, scope: VisibilityScope) -> None:
        self._rules = rules
        self._scope = scope
        self._repositories: dict[str, Repository | None] = {}
        self._levels: dict[str, Level] = {}
        self._above: dict[str, tuple[Level, ...]] = {}
        self._folders: dict[tuple[str, str], Visibility] = {}
        self._plain: set[str] = set()
        """Paths that are no symbolic links."""
        self.exceeding: dict[str, str] = {}
        """Ignore files that exceed a limit, so that everything below them is ignored, with the limit in words."""

    def may_show(self, path_or_uri: str) -> Visibility:
        """Whether a model may be shown the file: by every name that leads to it, each of its symbolic links' and its own."""
        try:
            paths = paths_named_by(path_or_uri)
            names = dict.fromkeys(name for path in paths for name in names_of(path, self._plain))
            answers = {self._decided(name, is_folder=is_folder) for name, is_folder in names}
        except (OSError, ValueError, RecursionError):
            return Visibility.UNKNOWN
        if is_excluded_by_name(path_or_uri, self._scope.exclude):
            return Visibility.EXCLUDED
        order = (Visibility.EXCLUDED, Visibility.IGNORED, Visibility.UNKNOWN)
        return next((answer for answer in order if answer in answers), Visibility.VISIBLE)

    def entry(self, path: str, *, is_folder: bool) -> Visibility:
        """Whether an entry of a folder may be shown, where the folder may; its path has no symbolic links.

        Raises:
            OSError: it cannot be told.
        """
        return self._entry(path, self._chain(os.path.dirname(path)), is_folder=is_folder)

    def _decided(self, path: str, *, is_folder: bool) -> Visibility:
        """``may_show`` for one name of a file, or for a folder; what was decided before holds while the ignore files are the same."""
        if path.count(os.sep) > MAX_DEPTH:
            return Visibility.UNKNOWN
        chain = self._chain(os.path.dirname(path))
        key = (path, is_folder, self._scope)
        known = self._rules.decisions.get(key)
        if known is not None and known[0] == chain:
            return known[1]
        answer = self._below(path, chain, is_folder=is_folder)
        self._rules.decisions[key] = chain, answer
        return answer

    def _below(self, path: str, chain: tuple[Level, ...], *, is_folder: bool) -> Visibility:
        """The answer for the first of ``path`` and the folders between it and the top that may not be shown."""
        folder, top = os.path.dirname(path), chain[-1].folder
        if folder != top:
            above = self._folders.get((folder, top))
            if above is None:
                above = self._below(folder, chain[1:], is_folder=True)
                self._folders[folder, top] = above
            if above is not Visibility.VISIBLE:
                return above
        return self._entry(path, chain, is_folder=is_folder)

    def _entry(self, path: str, chain: tuple[Level, ...], *, is_folder: bool) -> Visibility:
        if is_excluded(PurePath(path), self._scope.exclude):
            return Visibility.EXCLUDED
        if is_folder and os.path.basename(path) in SKIPPED_FOLDERS:
            return Visibility.IGNORED
        if not self._scope.respect_ignore_files:
            return Visibility.VISIBLE
        any_case = any(level.any_case for level in chain)
        ignored = ignores(chain, path, is_folder, any_case=False) or (
            any_case and ignores(chain, path, is_folder, any_case=True)
        )
        return Visibility.IGNORED if ignored else Visibility.VISIBLE

    # --- the folders above a file ---

    def _chain(self, folder: str) -> tuple[Level, ...]:
        """``folder`` and those above it whose ignore files count: up to the repository's, or the workspace's where that is
        above it; without either only ``folder``.
        """
        chain = self._above.get(folder)
        if chain is None:
            chain = tuple(self._level(one) for one in self._counting(folder))
            self._above[folder] = chain
        return chain

    def _counting(self, folder: str) -> list[str]:
        around = [root for root in self._rules.folders(self._scope) if is_at_or_below(folder, root)]
        outermost = min(map(len, around), default=len(folder))
        folders: list[str] = []
        n_counting = 1
        for above in upwards(folder):
            folders.append(above)
            repository = self._repository(above) if self._scope.respect_ignore_files else None
            if repository is not None or above in around:
                n_counting = len(folders)
            if repository is not None and repository.is_whole and len(above) <= outermost:
                break
        return folders[:n_counting]

    def _repository(self, folder: str) -> Repository | None:
        if folder not in self._repositories:
            self._repositories[folder] = repository_at(folder, self._rules.files)
        return self._repositories[folder]

    def _level(self, folder: str) -> Level:
        level = self._levels.get(folder)
        if level is None:
            level = self._levels[folder] = self._read(folder)
        return level

    def _read(self, folder: str) -> Level:
        if not self._scope.respect_ignore_files:
            return Level(folder, (), (), any_case=False)
        repository = self._repository(folder)
        rules = [(os.path.join(folder, name), self._ignore_file(folder, name)) for name in reversed(IGNORE_FILES)]
        if repository is not None:
            rules.append((os.path.join(folder, ".git", "info", "exclude"), repository.exclude))
        self.exceeding |= {path: one.exceeds for path, one in rules if one.exceeds}
        shared = repository.shared if repository is not None else ()
        any_case = repository is not None and repository.ignores_case
        return Level(folder, tuple(one for _, one in rules if one is not NO_RULES), shared, any_case)

    def _ignore_file(self, folder: str, name: str) -> IgnoreRules:
        follows = name != ".gitignore"  # git does not follow a link there
        path = os.path.join(folder, name)
        return self._rules.files.parsed(
            path, ignore_rules, NO_RULES, max_bytes=patterns.MAX_BYTES, follow_links=follows
        )


class FolderVisibility:
    """Decides for the files in one workspace folder, until ``forget`` is called: for a walk over all of them."""

    def __init__(self, root: str, exclude: Sequence[str], *, respect_ignore_files: bool) -> None:
        """``root`` is the folder's absolute path."""
        self._root = os.path.realpath(root)
        self._rules = VisibilityRules()
        self._scope = VisibilityScope(tuple(exclude), respect_ignore_files, (self._root,))
        self._look = VisibilityLook(self._rules, self._scope)

    @property
    def root(self) -> str:
        """The folder, without symbolic links."""
        return self._root

    def forget(self) -> None:
        """Look at the ignore files again: one of them has changed."""
        self._look = VisibilityLook(self._rules, self._scope)

    def allows(self, path: str) -> bool:
        """True when the file at ``path``, absolute, may be shown and is inside the folder, also by its symbolic links."""
        try:
            is_inside = is_at_or_below(os.path.realpath(path), self._root)
        except (OSError, ValueError):
            return False
        return is_inside and self._look.may_show(path) is Visibility.VISIBLE

    def allows_file(self, path: str) -> bool:
        """``allows`` for a path without symbolic links in a folder that is allowed."""
        return self._allows(path, is_folder=False)

    def allows_folder(self, path: str) -> bool:
        """True when the files in a folder may be read; its path has no symbolic links, and the folders above it are allowed."""
        return self._allows(path, is_folder=True)

    def _allows(self, path: str, *, is_folder: bool) -> bool:
        try:
            return self._look.entry(path, is_folder=is_folder) is Visibility.VISIBLE
        except OSError:
            return False
