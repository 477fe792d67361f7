"""One walk over the workspace, a file at a time: what it defines goes into the table of names."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator

from devstral_ls.languages.table import language_of
from devstral_ls.retrieval.index.library import Library
from devstral_ls.retrieval.index.names import Names
from devstral_ls.retrieval.visibility import Readable
from devstral_ls.uris import can_be_path

MAX_ENTRIES = 10_000
"""Of one folder; one with more holds data."""

MAX_FOLDERS = 50_000


def scan(library: Library, names: Names) -> Iterator[None]:
    """Offer the files of all folders to ``names``; yields between two pieces of work, each of some milliseconds.

    Folders near the top come first. Symbolic links are not followed.
    """
    folders = deque((one, one.root) for one in library.folders)
    for _ in range(MAX_FOLDERS):
        if not folders or names.is_full:
            return
        readable, folder = folders.popleft()
        below, files = _entries(readable, folder)
        folders.extend((readable, one) for one in below)
        yield
        for path in files:
            if names.is_full:
                return
            names.put(path, (one.name for one in library.scanned(path).definitions))
            yield


def _entries(readable: Readable, folder: str) -> tuple[list[str], list[str]]:
    """The folders and the source files in ``folder`` that may be read."""
    below: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for _, entry in zip(range(MAX_ENTRIES), entries, strict=False):
                if entry.is_dir(follow_symlinks=False):
                    if readable.allows_folder(entry.path):
                        below.append(entry.path)
                elif entry.is_file(follow_symlinks=False) and _is_source(readable, entry):
                    files.append(entry.path)
    except OSError:  # gone, or not for us
        return [], []
    return sorted(below), sorted(files)


def _is_source(readable: Readable, entry: os.DirEntry[str]) -> bool:
    return (
        language_of("", entry.name).grammar is not None and can_be_path(entry.path) and readable.allows_file(entry.path)
    )
