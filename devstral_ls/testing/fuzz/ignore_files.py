"""Random workspaces with ignore files, and what git says of their files: none that git ignores may be shown."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NAMES = (
    "a", "b", "A", "foo", "Foo.py", "foo.py", "bar.txt", "build", "a b", "a ", " a", "x[1]", "!a", "#a", "é.py", "a*b", "a?b",
    "back\\slash", "a\\", "-", "a-b", "].py", "[a", ".hidden", "..a", "~", "a\tb", "a\t", "$x", "(a)", "a.b.c", "日本",
)  # fmt: skip

PIECES = (
    "*", "**", "***", "?", "[ab]", "[!ab]", "[^a]", "[a-z]", "[]x]", "[[:alpha:]]", "[\\]]", "[a", "[z-a]", "[x/]", "\\", "\\ ",
    "\\*", "\\[", ".py", "a", "b", "foo", ".", "é", " ", "#", "!", "-", "x", "[A-Z]", "[*]", "{a,b}", "+", "(a)", "|", "^", "$",
)  # fmt: skip

MAX_FOLDERS, MAX_FILES = 12, 60


@dataclass(frozen=True, slots=True)
class Compared:
    """How the answers for the files of a workspace compare."""

    shown: tuple[str, ...]
    """Files that git ignores, and that would be shown: there must be none."""
    hidden: tuple[str, ...]
    """Files that git does not ignore, and that would not be shown."""
    n_files: int


def workspace(root: Path, chance: random.Random) -> list[str]:
    """Make a repository at ``root``; the paths of its files, with slashes."""
    folders = [""]
    for _ in range(chance.randint(1, MAX_FOLDERS)):
        folder = os.path.join(chance.choice(folders), chance.choice(NAMES))
        (root / folder).mkdir(parents=True, exist_ok=True)
        folders.append(folder)
    files = []
    for _ in range(MAX_FILES):
        path = os.path.join(chance.choice(folders), chance.choice(NAMES))
        if not (root / path).is_dir():
            (root / path).write_text("")
            files.append(path)
    run_git(root, "init", "--quiet")
    for folder in {"", *chance.choices(folders, k=3)}:
        _write(root / folder / ".gitignore", chance)
    if chance.random() < 0.3:
        _write(root / ".git" / "info" / "exclude", chance)
    if chance.random() < 0.3:
        _write(root / ".git" / "everywhere", chance)
        run_git(root, "config", "core.excludesFile", chance.choice((".git/everywhere", str(root / ".git/everywhere"))))
    if chance.random() < 0.1:
        run_git(root, "config", "core.ignoreCase", "true")
    return sorted(set(files))


def pattern(chance: random.Random) -> str:
    """A line of an ignore file."""
    parts = []
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
        kind = chance.random()
        if kind < 0.5:
            parts.append(chance.choice(NAMES))
        elif kind < 0.65:
            parts.append(chance.choice(("*", "**")))
        else:
            parts.append("".join(chance.choices(PIECES, k=chance.randint(1, 4))))
    line = "/".join(parts)
    line = chance.choice(("", "", "", "/", "**/")) + line + chance.choice(("", "", "", "/", "/*", "/**", " ", "\r"))
    return chance.choice(("", "", "", "!", "!", "\\", "#")) + line


def ignored_by_git(root: Path, files: Sequence[str]) -> frozenset[str]:
    """The ``files`` of a repository that git ignores."""
    command = ["git", "-C", str(root), "check-ignore", "--no-index", "--stdin", "-z"]
    told = subprocess.run(
        command, input=b"\0".join(map(os.fsencode, files)), capture_output=True, env=git_environment(), check=False
    )
    if told.returncode not in (0, 1):
        raise OSError(told.stderr.decode(errors="replace"))
    return frozenset(os.fsdecode(path) for path in told.stdout.split(b"\0") if path)


def run_git(root: Path, *arguments: str) -> None:
    """Run git in ``root``."""
    subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, env=git_environment())


def git_environment() -> Mapping[str, str]:
    """An environment in which git has no configuration but the repository's."""
    return {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}


def compared(root: Path, files: Sequence[str]) -> Compared:
    """What git says of ``files`` and what ``visibility`` does."""
    from devstral_ls.retrieval.visibility import Visibility, VisibilityLook, VisibilityRules, VisibilityScope

    ignored = ignored_by_git(root, files)
    look = VisibilityLook(VisibilityRules(), VisibilityScope((), True, (str(root),)))
    visible = {path for path in files if look.may_show(str(root / path)) is Visibility.VISIBLE}
    return Compared(tuple(sorted(ignored & visible)), tuple(sorted(set(files) - visible - ignored)), len(files))


def _write(path: Path, chance: random.Random) -> None:
    lines = [pattern(chance) for _ in range(chance.randint(1, 8))]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\n".join(lines).encode() + chance.choice((b"", b"\n")))
