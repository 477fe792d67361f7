"""One walk over the workspace, a file at a time, which puts the definitions into the name table."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator

from devstral_ls.languages.table import language_of
from devstral_ls.retrieval.index.library import Library
from devstral_ls.retrieval.index.names import NameTable
from devstral_ls.retrieval.visibility import FolderVisibility
from devstral_ls.uris import can_be_path

MAX_ENTRIES = 10_000
"""Entries of one folder that are read; a folder with more holds data."""

MAX_FOLDERS = 50_000
"""Folders visited in one walk."""


def walk_folders(library: Library, names: NameTable) -> Iterator[None]:
    """Put the files of all folders into ``names``; yields after every few milliseconds of work.

    Folders near the top come first. Symbolic links are not followed.
    """
    folders = deque((visibility, visibility.root) for visibility in library.folders)
    for _ in range(MAX_FOLDERS):
        if not folders or names.is_full:
            return
        visibility, folder = folders.popleft()
        below, files = _entries(visibility, folder)
        folders.extend((visibility, subfolder) for subfolder in below)
        yield
        for path in files:
            if names.is_full:
                return
            names.put(path, (definition.name for definition in library.outline_once(path).definitions))
            yield


def _entries(visibility: FolderVisibility, folder: str) -> tuple[list[str], list[str]]:
    """The folders and the source files in ``folder`` that may be read."""
    below: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for _, entry in zip(range(MAX_ENTRIES), entries, strict=False):
                if entry.is_dir(follow_symlinks=False):
                    if visibility.allows_folder(entry.path):
                        below.append(entry.path)
                elif entry.is_file(follow_symlinks=False) and _is_source(visibility, entry):
                    files.append(entry.path)
    except OSError:  # removed meanwhile, or not readable
        return [], []
    return sorted(below), sorted(files)


def _is_source(visibility: FolderVisibility, entry: os.DirEntry[str]) -> bool:
    return (
        language_of("", entry.name).grammar is not None
        and can_be_path(entry.path)
        and visibility.allows_file(entry.path)
    )
