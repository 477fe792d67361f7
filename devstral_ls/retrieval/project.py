"""The project of a document and its other files, read for actions."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from devstral_ls.uris import path_of

ROOT_MARKERS = (
    ".git",
    ".hg",
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
    "package.json",
    "go.mod",
    "Cargo.toml",
    "pom.xml",
    "build.gradle",
)
"""Files and folders that mark the root of a project."""

MAX_BYTES = 512 * 1024
"""Of one file; larger ones are not read."""

_MAX_UP = 20
_MAX_NAMES = 2_000


class ProjectFiles:
    """The files below one root. Nothing outside of it is read, whatever a path or a link points to."""

    def __init__(
        self,
        root: Path,
        opened: Callable[[str], str | None] = lambda uri: None,
        *,
        creates_files: bool = True,
    ) -> None:
        """``opened`` returns the text of an open document by URI, which takes precedence over the file on disk.

        ``creates_files`` is true when a new file can be made in it.
        """
        self.root = Path(os.path.realpath(root))
        self._opened = opened
        self.creates_files = creates_files

    @staticmethod
    def of(
        uri: str,
        folders: Sequence[str] = (),
        opened: Callable[[str], str | None] = lambda uri: None,
        *,
        creates_files: bool = True,
    ) -> ProjectFiles | None:
        """The project of a document: the innermost of the client's workspace folders around it, given as URIs in ``folders``,
        else the nearest folder with one of ``ROOT_MARKERS``, else its own. ``None`` for a document that is not a file.
        """
        path = _file_path(uri)
        if path is None:
            return None
        roots = [root for root in map(_file_path, folders) if root is not None and path.is_relative_to(root)]
        if roots:
            return ProjectFiles(max(roots, key=lambda root: len(root.parts)), opened, creates_files=creates_files)
        for folder in list(path.parents)[:_MAX_UP]:
            if any((folder / mark).exists() for mark in ROOT_MARKERS):
                return ProjectFiles(folder, opened, creates_files=creates_files)
        return ProjectFiles(path.parent, opened, creates_files=creates_files)

    def path(self, uri: str) -> str | None:
        """The document's path relative to the root, with slashes; ``None`` outside of the project."""
        path = _file_path(uri)
        if path is None:
            return None
        real = Path(os.path.realpath(path))
        return real.relative_to(self.root).as_posix() if real.is_relative_to(self.root) else None

    def uri(self, path: str) -> str:
        """The URI of a path relative to the root."""
        return (self.root / path).as_uri()

    def read(self, path: str) -> str | None:
        """The text of a file; ``None`` if it does not exist or must not or cannot be read."""
        real = self._inside(path)
        if real is not None and (text := self._opened(self.uri(path))) is not None:
            return text
        try:
            if real is None or not real.is_file() or real.stat().st_size > MAX_BYTES:
                return None
            return real.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def names(self, folder: str) -> Sequence[str]:
        """The names of the files and folders in a folder of the project."""
        real = self._inside(folder)
        try:
            return [] if real is None else sorted(entry.name for entry in real.iterdir())[:_MAX_NAMES]
        except OSError:
            return []

    def _inside(self, path: str) -> Path | None:
        real = Path(os.path.realpath(self.root / path))
        return real if real.is_relative_to(self.root) else None


def _file_path(uri: str) -> Path | None:
    path = path_of(uri)
    return Path(path) if path else None
