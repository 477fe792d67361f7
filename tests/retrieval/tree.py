"""Small workspaces for tests, written as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from devstral_ls.languages.table import language_of
from devstral_ls.retrieval.index.library import Library
from devstral_ls.retrieval.index.lookup import Lookup
from devstral_ls.retrieval.index.names import NameTable
from devstral_ls.retrieval.index.walk import walk_folders
from devstral_ls.retrieval.visibility import FolderVisibility

DEFAULT_EXCLUDE = (".env*", "*.pem", "*credentials*")


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def library(
    root: Path, exclude: tuple[str, ...] = DEFAULT_EXCLUDE, *, respect: bool = True
) -> tuple[Library, NameTable]:
    """The library of a folder, and its table of names after the whole walk."""
    made, names = Library([FolderVisibility(str(root), exclude, respect_ignore_files=respect)]), NameTable()
    for _ in walk_folders(made, names):
        pass
    return made, names


def found(root: Path, importer: str, name: str, *, by_name: bool = False) -> str:
    """``path:signature`` of what ``name`` means in ``importer``, by its imports; empty where it cannot be told."""
    made, names = library(root)
    path = str(root / importer)
    statements = made.outline(path).imports
    lookup = Lookup(made, names if by_name else NameTable(), path, language_of("", path))
    for _, _, one in lookup.find([name], statements):
        return f"{Path(one.path).relative_to(root).as_posix()}:{one.signature}"
    return ""
