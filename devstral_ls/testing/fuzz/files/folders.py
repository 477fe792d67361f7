"""Ignore files and whole workspaces: expensive patterns, invalid names, circular links, pipes."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
from pathlib import Path

from devstral_ls.languages.table import language_of
from devstral_ls.retrieval.index.library import Library
from devstral_ls.retrieval.index.lookup import Lookup, counterpart
from devstral_ls.retrieval.index.names import NameTable
from devstral_ls.retrieval.index.walk import walk_folders
from devstral_ls.retrieval.visibility import FolderVisibility, is_excluded
from devstral_ls.testing.fuzz.files import sources
from devstral_ls.testing.fuzz.files.kind import Read, damaged

_REAL = (b"*.py[cod]\n__pycache__/\n!keep.py\n/build\n**/node_modules/**\n*.log\n.env*\n# comment\n\\#x\nfoo/**/bar\n"
         b"[Dd]ebug/\n[!a-c]x\n*~\n.DS_Store\nsrc/*.gen.ts\n\\ trailing\\ \n")  # fmt: skip
_PARTS = (
    "*",
    "**",
    "?",
    "a",
    "b",
    "/",
    "[a-z]",
    "[!a",
    "[",
    "]",
    "!",
    "\\",
    "*a",
    "a*",
    "[[:alpha:]]",
    "{a,b}",
    "(a+)+",
    "é",
    "\0",
    "#",
    " ",
    ".*",
)
_PATHS = (
    "a.py",
    "a" * 200 + ".py",
    "a/b/c/d/e/f.ts",
    "x" * 40 + "/" + "a" * 100 + "b.c",
    "é😀.go",
    "a\nb.py",
    ".env",
    "a b.py",
    "aaaa/aaaa/aaaa/b",
)


def make_ignore(chance: random.Random) -> bytes:
    """A file of patterns."""
    if chance.random() < 0.4:
        return damaged(_REAL * chance.choice((1, 1, 20)), chance, 12)
    lines = []
    for _ in range(chance.randint(1, 30)):
        parts = chance.choices(_PARTS, k=chance.randint(1, 25))
        lines.append("".join(parts) * chance.choice((1, 1, 1, 10)))
    many = 2_000 if chance.random() < 0.02 else 1
    return "\n".join(lines * many).encode("utf-8", "surrogatepass")


def ignore_reader(folder: Path) -> Read:
    """Reads it as the ignore file of a folder, and as names in ``privacy.exclude``."""
    root = folder / "ignored"
    root.mkdir(exist_ok=True)

    def read(data: bytes) -> str:
        (root / ".gitignore").write_bytes(data)
        exclude = [line for line in data.decode("utf-8", "replace").split("\n")[:8] if line][:4]
        readable = FolderVisibility(str(root), (), respect_ignore_files=True)
        allowed = [readable.allows(str(root / path)) for path in _PATHS]
        short = [pattern for pattern in exclude if len(pattern) < 40]
        for path in _PATHS:
            is_excluded(root / path, short)
        return f"{sum(allowed)} of {len(allowed)} allowed" if len(set(allowed)) == 1 else "some allowed"

    return read


_NAMES = (
    "a.py",
    "b.ts",
    "test_a.py",
    "a.go",
    "go.mod",
    ".gitignore",
    "x" * 250,
    "a\nb.py",
    "\udcff.py",
    "é.py",
    "a b.c",
    "index.js",
    "__init__.py",
    "mod.rs",
)
_KINDS = ("file", "file", "file", "link", "pipe", "folder", "loop")


def make_workspace(chance: random.Random) -> bytes:
    """A tree as JSON: path, kind and content."""
    entries = []
    for _ in range(chance.randint(1, 12)):
        depth = 60 if chance.random() < 0.03 else chance.randint(0, 3)
        parts = [chance.choice(("a", "b", "src", ".git", "node_modules", "tests")) for _ in range(depth)]
        name = chance.choice(_NAMES)
        content = make_ignore(chance) if name == ".gitignore" else sources.make(chance)[2:200_000]
        where = chance.choice(("..", "/etc/passwd", ".", "a.py", "/", "../../x"))
        entries.append(["/".join([*parts, name]), chance.choice(_KINDS), content.decode("latin-1"), where])
    return json.dumps(entries).encode()


def workspace_reader(folder: Path) -> Read:
    """Scans the tree as the index does, and looks names up."""
    root = folder / "tree"

    def read(data: bytes) -> str:
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        for path, kind, content, where in json.loads(data):
            with contextlib.suppress(OSError):  # a name twice, or one that this system does not have
                _put(root / path, kind, content.encode("latin-1"), where)
        library = Library([FolderVisibility(str(root), (".env*",), respect_ignore_files=True)])
        names = NameTable()
        try:
            for _ in walk_folders(library, names):
                pass
            for name in ("a.py", "test_a.py", "b.ts", "a.go"):
                path = os.path.join(library.folders[0].root, name)
                lookup = Lookup(library, names, path, language_of("", path))
                list(
                    lookup.find(
                        ["f", "A", "a.b", "x" * 300], ["from a import *", "import b from './b'", "\0", "from .. import"]
                    )
                )
                list(counterpart(library, names, path))
            return "some files" if names.n_files else "no files"
        finally:
            names.close()

    return read


def _put(path: Path, kind: str, content: bytes, where: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path):
        return  # writing to a pipe would wait for a reader
    match kind:
        case "file":
            path.write_bytes(content)
        case "link":
            path.symlink_to(where)
        case "loop":
            path.symlink_to(path)
        case "pipe":
            os.mkfifo(path)
        case _:
            path.mkdir()
