"""The repository of a folder: where it is, and what it says about ignored files outside of the folders themselves."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from devstral_ls.retrieval.ignores import patterns
from devstral_ls.retrieval.ignores.git_config import ignore_settings
from devstral_ls.retrieval.ignores.observed import ObservedFiles
from devstral_ls.retrieval.ignores.patterns import NO_RULES, IgnoreRules, ignore_rules

_MAX_LINK = 8 * 1024
"""Bytes of a ``.git`` file."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A folder with ``.git`` in it."""

    is_whole: bool
    """False where git would not take it for a repository, and look further up."""
    exclude: IgnoreRules
    """Of ``info/exclude``."""
    shared: tuple[IgnoreRules, ...]
    """Of ``core.excludesFile``, for all repositories of the user."""
    ignores_case: bool


def repository_at(folder: str, files: ObservedFiles, environ: Mapping[str, str] = os.environ) -> Repository | None:
    """The repository whose top is ``folder``; ``None`` where there is none.

    Raises:
        OSError: it cannot be told.
    """
    git = git_folder(folder, files)
    if git is None:
        return None
    common = os.path.normpath(os.path.join(git, _line(os.path.join(git, "commondir"), files) or "."))
    configs = [os.path.join(common, "config"), os.path.join(git, "config.worktree")]
    settings = ignore_settings(folder, configs, files, environ)
    return Repository(
        _is_whole(git, common),
        _rules(os.path.join(common, "info", "exclude"), files),
        tuple(_users_rules(path, files) for path in settings.excludes_files),
        settings.ignores_case,
    )


def git_folder(folder: str, files: ObservedFiles) -> str | None:
    """The folder that ``.git`` in ``folder`` is or, for a linked worktree or a submodule, names; ``None`` without any.

    Raises:
        OSError: it cannot be told.
    """
    path = os.path.join(folder, ".git")
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(status.st_mode):
        return path
    line = _line(path, files)
    return os.path.normpath(os.path.join(folder, line.removeprefix("gitdir:").strip())) if line else path


def _line(path: str, files: ObservedFiles) -> str:
    return files.parsed(path, _first_line, "", max_bytes=_MAX_LINK)


def _first_line(data: bytes) -> str:
    return os.fsdecode(data).partition("\n")[0].strip().replace("\0", "")


def _is_whole(git: str, common: str) -> bool:
    parts = (os.path.join(git, "HEAD"), os.path.join(common, "objects"), os.path.join(common, "refs"))
    return all(os.path.lexists(path) for path in parts)


def _rules(path: str, files: ObservedFiles) -> IgnoreRules:
    return files.parsed(path, ignore_rules, NO_RULES, max_bytes=patterns.MAX_BYTES)


def _users_rules(path: str, files: ObservedFiles) -> IgnoreRules:
    try:
        return _rules(path, files)
    except PermissionError:  # as git does
        return NO_RULES
    except ValueError:  # no path at all
        return NO_RULES
