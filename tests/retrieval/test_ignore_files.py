"""Ignore files mean what they mean to git: no path that git ignores is shown."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from devstral_ls.retrieval.ignores.git_config import parse_config
from devstral_ls.retrieval.ignores.observed import ObservedFiles
from devstral_ls.retrieval.ignores.patterns import ignore_rules
from devstral_ls.retrieval.visibility import Visibility, VisibilityRules, VisibilityScope
from devstral_ls.testing.fuzz.ignore_files import compared, ignored_by_git, run_git, workspace
from tests.retrieval.tree import write

N_PATHS = 1_000
"""``make fuzz`` compares 10,000."""

MAX_HIDDEN = 0.05
"""The share of paths that may be hidden though git does not ignore them: for patterns that would take long to match, and for
bracket expressions that pathspec reads differently."""


def test_no_path_that_git_ignores_is_shown(tmp_path: Path) -> None:
    n_paths = n_hidden = n = 0
    while n_paths < N_PATHS:
        root = tmp_path / str(n)
        root.mkdir()
        found = compared(root, workspace(root, random.Random(f"make test/{n}")))
        assert found.shown == ()
        n, n_paths, n_hidden = n + 1, n_paths + found.n_files, n_hidden + len(found.hidden)
    assert n_hidden <= MAX_HIDDEN * n_paths


@pytest.mark.parametrize(
    "files",
    [
        {".gitignore": "*\n!*/\n!*.py\n", "x/a.py": "", "x/a.txt": ""},
        {".gitignore": "x/*\n!x/a/\n", "x/a/b.py": "", "x/c.py": ""},
        {".gitignore": "x/*\n!x/a/**\n", "x/a/b.py": ""},
        {".gitignore": "a/*\n", "a/b/.gitignore": "!c.py\n", "a/b/c.py": ""},
        {".gitignore": "x\n!x/\n", "x/a.py": "", "y/x": ""},
        {".gitignore": "[[:alpha:]].py\n[\\]].py\n", "a.py": "", "].py": ""},
        {".gitignore": "a/**/b\n**/c/d\n/e/**\n", "a/b": "", "a/x/y/b": "", "x/c/d": "", "e/f/g": "", "x/e/f": ""},
        {".gitignore": "\\#a\n\\!b\n!c\n a\nd \ne\\ \n", "#a": "", "!b": "", "c": "", " a": "", "d": "", "e ": ""},
        {".gitignore": "a\r\n# b\r\nb\\\nc", "a": "", "b": "", "c": ""},
        {".gitignore": "\ufeffa\n", "a": "", "b": ""},
        {".gitignore": "*.py\n", "sub/.git": "", "sub/a.py": ""},
    ],
)  # fmt: skip
def test_a_pattern_means_what_it_means_to_git(files: dict[str, str], tmp_path: Path) -> None:
    run_git(tmp_path, "init", "--quiet")
    write(tmp_path, files)
    names = [name for name in files if not name.endswith((".gitignore", ".git"))]
    scope = VisibilityScope((), True)
    rules = VisibilityRules()
    hidden = {name for name in names if rules.may_show(str(tmp_path / name), scope) is not Visibility.VISIBLE}
    assert hidden == ignored_by_git(tmp_path, names)


@pytest.mark.parametrize("pattern", ["*a*a*a*a*a*b", "**/" * 30 + "x", "*[*]*[*]*[*]*", "?" * 2_000, "[" * 2_000])
def test_a_costly_pattern_takes_bounded_time(pattern: str) -> None:
    start = time.process_time()
    rules = ignore_rules(pattern.encode())
    for path in ("a" * 250, "a/" * 120 + "a"):
        rules.decides(path, is_folder=False, any_case=True)
    assert time.process_time() - start < 5


def test_a_change_within_one_tick_of_the_clock_is_noticed(tmp_path: Path) -> None:
    """The times and the size of the file stay as they are; only the content differs."""
    path, now = tmp_path / "a", [0]
    files = ObservedFiles(lambda: now[0])
    path.write_bytes(b"a")
    now[0] = path.stat().st_mtime_ns + 1
    assert files.parsed(str(path), bytes.upper, b"", max_bytes=9) == b"A"
    path.write_bytes(b"b")
    assert files.parsed(str(path), bytes.upper, b"", max_bytes=9) == b"B"


def test_a_file_that_stays_as_it_is_is_read_once(tmp_path: Path) -> None:
    path, parsed = tmp_path / "a", []
    path.write_bytes(b"a")
    files = ObservedFiles(lambda: path.stat().st_ctime_ns + 10_000_000_000)
    for _ in range(3):
        files.parsed(str(path), lambda data: parsed.append(data) or data, b"", max_bytes=9)  # type: ignore[func-returns-value]
    assert parsed == [b"a"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[core]\n\texcludesFile = /a b/c\n", "/a b/c"),
        ('[Core]\n  excludesfile="/a #b" ; a comment\n', "/a #b"),
        ("[core] excludesFile = /a\\\\b \\\n  c # d", "/a\\b   c"),
        ("# [core]\n[core]\nbare\n;x = y\nexcludesFile=/x\n[other]\nexcludesFile = /y\n", "/x"),
    ],
)
def test_gits_configuration_is_read_as_git_does(text: str, value: str) -> None:
    entries = parse_config(text.encode())
    assert [one for section, key, one in entries if (section, key) == ("core", "excludesfile")] == [value]
