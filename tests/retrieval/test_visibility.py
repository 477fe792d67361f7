"""What may be read of a workspace, and what never."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from devstral_ls.retrieval.index.library import MAX_FILE, Library, read_source
from devstral_ls.retrieval.visibility import FolderVisibility
from tests.retrieval.tree import DEFAULT_EXCLUDE, library, write


def allowed(root: Path, name: str, *, respect: bool = True) -> bool:
    return FolderVisibility(str(root), DEFAULT_EXCLUDE, respect_ignore_files=respect).allows(str(root / name))


@pytest.mark.parametrize(
    ("files", "name", "expected"),
    [
        ({}, "a.py", True),
        ({".gitignore": "*.log\n"}, "x/a.log", False),
        ({".gitignore": "build/\n"}, "build/x/a.py", False),
        ({".gitignore": "/build\n"}, "x/build/a.py", True),
        ({".gitignore": "*.py\n!keep.py\n"}, "keep.py", True),
        ({".gitignore": "*.py\n", "x/.gitignore": "!a.py\n"}, "x/a.py", True),
        ({"x/.gitignore": "a.py\n"}, "x/a.py", False),
        ({"x/.gitignore": "a.py\n"}, "a.py", True),
        ({".ignore": "a.py\n"}, "a.py", False),
        ({".gitignore": "a.py\n", ".ignore": "!a.py\n"}, "a.py", True),
        ({".git/info/exclude": "a.py\n"}, "a.py", False),
        ({}, ".env.local", False),
        ({}, "x/Server.PEM", False),
        ({}, "my-credentials/a.py", False),
        ({}, "node_modules/a/index.js", False),
        ({}, "../a.py", False),
        ({".gitignore": "*a*a*a*a*a*b\n"}, "a" * 200, False),  # more than was meant, and at once
        ({".gitignore": "[\n\\\n!\n***\n" + "x" * 10_000 + "\na.py"}, "a.py", False),
    ],
)
def test_a_file_may_be_read(files: dict[str, str], name: str, expected: bool, tmp_path: Path) -> None:
    start = time.monotonic()
    assert allowed(write(tmp_path, files), name) is expected
    assert time.monotonic() - start < 5


def test_ignore_files_count_only_where_the_user_wants_it(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "a.py\n"})
    assert allowed(tmp_path, "a.py", respect=False)
    assert not allowed(tmp_path, ".env", respect=False)


def test_a_folder_of_a_repository_heeds_the_ignore_files_above_it(tmp_path: Path) -> None:
    write(tmp_path, {".git/HEAD": "", ".gitignore": "a.py\n", "sub/b.py": ""})
    assert not allowed(tmp_path / "sub", "a.py")
    assert allowed(tmp_path / "sub", "b.py")


def test_symbolic_links_do_not_lead_out(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"outside/a.py": "def secret(): pass\n", "w/b.py": "from link.a import secret\nfrom c import secret\n"},
    )
    (tmp_path / "w/link").symlink_to(tmp_path / "outside")
    (tmp_path / "w/c.py").symlink_to(tmp_path / "outside/a.py")
    made, names = library(tmp_path / "w")
    for name in ("link/a.py", "c.py"):
        assert not allowed(tmp_path / "w", name)
        assert made.outline(str(tmp_path / "w" / name)).definitions == ()
    assert names.files_with("secret", 9) == []


def test_excluded_and_ignored_files_are_not_in_the_table(tmp_path: Path) -> None:
    code = "def found(): pass\n"
    write(tmp_path, {".gitignore": "ignored/\n", "ignored/a.py": code, ".venv/a.py": code, "aws_credentials.py": code})
    write(tmp_path, {"b.py": code})
    _, names = library(tmp_path)
    assert names.files_with("found", 9) == [str(tmp_path / "b.py")]


@pytest.mark.parametrize(
    "data",
    [b"\0" * 100, b"x = 1\n" * (MAX_FILE // 6 + 1), b"\xff\xfe" * 1000, b"(" * 100_000, b"def f(" * 20_000, b""],
    ids=["binary", "too long", "no UTF-8", "deep", "unclosed", "empty"],
)
def test_a_hostile_file_costs_bounded_time(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(data)
    start = time.monotonic()
    Library([FolderVisibility(str(tmp_path), (), respect_ignore_files=True)]).outline(str(path))
    assert time.monotonic() - start < 5


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes of POSIX")
def test_a_pipe_and_a_folder_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.py")
    (tmp_path / "b.py").mkdir()
    assert read_source(str(tmp_path / "a.py")) == b""
    assert read_source(str(tmp_path / "b.py")) == b""
    assert library(tmp_path)[1].n_files == 0
