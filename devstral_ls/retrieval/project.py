"""The files around a document, read for actions: which project it is in, and what stands in its other files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import unquote

from devstral_ls.uris import can_be_path, split

MARKS = (
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
"""What stands in the root of a project."""

MAX_BYTES = 512 * 1024
"""Of one file; longer ones are not read."""

_MAX_UP = 20
_MAX_NAMES = 2_000


class ProjectFiles:
    """The project of one root. Nothing outside of it is read, whatever a path or a link says."""

    def __init__(self, root: Path, opened: Callable[[str], str | None] = lambda uri: None) -> None:
        """``opened`` has the text of documents that are open, by URI: theirs counts, and not the disk's."""
        self.root = Path(os.path.realpath(root))
        self._opened = opened

    @staticmethod
    def of(
        uri: str, folders: Sequence[str] = (), opened: Callable[[str], str | None] = lambda uri: None
    ) -> ProjectFiles | None:
        """The project of a document: the client's workspace folder it is in, else by what stands above it.

        ``folders`` are URIs. ``None`` for a document that is no file.
        """
        path = path_of(uri)
        if path is None:
            return None
        roots = [root for root in map(path_of, folders) if root is not None and path.is_relative_to(root)]
        if roots:
            return ProjectFiles(max(roots, key=lambda root: len(root.parts)), opened)
        for folder in list(path.parents)[:_MAX_UP]:
            if any((folder / mark).exists() for mark in MARKS):
                return ProjectFiles(folder, opened)
        return ProjectFiles(path.parent, opened)

    def path(self, uri: str) -> str | None:
        """The document's path in the project, with slashes."""
        path = path_of(uri)
        if path is None:
            return None
        real = Path(os.path.realpath(path))
        return real.relative_to(self.root).as_posix() if real.is_relative_to(self.root) else None

    def uri(self, path: str) -> str:
        """The URI of a path in the project."""
        return (self.root / path).as_uri()

    def read(self, path: str) -> str | None:
        """The text of a file; ``None`` if there is none, or none to be read."""
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
        """The names in a folder of the project."""
        real = self._inside(folder)
        try:
            return [] if real is None else sorted(entry.name for entry in real.iterdir())[:_MAX_NAMES]
        except OSError:
            return []

    def _inside(self, path: str) -> Path | None:
        real = Path(os.path.realpath(self.root / path))
        return real if real.is_relative_to(self.root) else None


def path_of(uri: str) -> Path | None:
    """The path of a ``file:`` URI; ``None`` for any other, and for one that no file can have."""
    parts = split(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return None
    path = unquote(parts.path)
    if not can_be_path(path):
        return None
    return Path(path[1:] if os.name == "nt" and path[2:3] == ":" else path)  # file:///c:/x
