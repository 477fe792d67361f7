"""The folders above a file with their ignore files, and what all of them say of it together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from devstral_ls.retrieval.ignores.patterns import IgnoreRules


@dataclass(frozen=True, slots=True)
class Level:
    """One folder above a file, with what it says of the entries below it."""

    folder: str
    rules: tuple[IgnoreRules, ...]
    """The one that decides first is first."""
    shared: tuple[IgnoreRules, ...]
    """Of the user, where the folder is a repository's: any of them ignores."""
    any_case: bool


def ignores(chain: Sequence[Level], path: str, is_folder: bool, *, any_case: bool) -> bool:
    """True when the ignore files of ``chain``, the nearest first, ignore an entry of the first one's folder or below."""
    if any(rules.exceeds for level in chain for rules in (*level.rules, *level.shared)):
        return True
    for level in chain:
        relative = path[len(level.folder.rstrip(os.sep)) + 1 :].replace(os.sep, "/")
        for rules in level.rules:
            decided = rules.decides(relative, is_folder=is_folder, any_case=any_case)
            if decided is not None:
                return decided
        if any(rules.decides(relative, is_folder=is_folder, any_case=any_case) for rules in level.shared):
            return True
    return False
