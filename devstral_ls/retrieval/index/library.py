"""The outlines of workspace files, read on demand and cached until the files change."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from cachetools import LRUCache

from devstral_ls.languages.language import Language
from devstral_ls.languages.symbols import Outline, file_outline
from devstral_ls.languages.table import language_of
from devstral_ls.retrieval.index.imports import Importer
from devstral_ls.retrieval.visibility import FolderVisibility

MAX_FILE = 512 * 1024
"""Bytes; larger files are data or generated, and are not read."""

PARSE_SECONDS = 0.5
"""The longest time to parse one file."""

MAX_OUTLINES = 512
"""Outlines in the cache."""

MAX_OPEN = 500
"""Open documents whose unsaved text is kept."""

MAX_FOLDER = 60
"""Files read of one folder, where a whole folder is one package."""

_Stamp = tuple[int, int]


class Library:
    """The outlines of the files in the workspace folders. Nothing else opens source files."""

    def __init__(self, folders: Sequence[FolderVisibility]) -> None:
        self.folders = tuple(folders)
        self._outlines: LRUCache[str, tuple[_Stamp, Outline]] = LRUCache(MAX_OUTLINES)
        self._unsaved: LRUCache[str, bytes] = LRUCache(MAX_OPEN)
        self._modules: dict[str, str] = {}

    def folder_of(self, path: str) -> FolderVisibility | None:
        """The innermost workspace folder that ``path`` is in."""
        around = [folder for folder in self.folders if path.startswith(folder.root.rstrip(os.sep) + os.sep)]
        return max(around, key=lambda folder: len(folder.root), default=None)

    def allows(self, path: str) -> bool:
        """True when the file may be read; false for every file outside of the workspace folders."""
        folder = self.folder_of(os.path.realpath(path))
        return folder is not None and folder.allows(path)

    def open(self, path: str, text: str) -> None:
        """Use the editor's text of a document instead of the file at ``path``, which has no symbolic links."""
        self._unsaved[path] = text.encode("utf-8", "replace")[: MAX_FILE + 1]
        self._outlines.pop(path, None)

    def close(self, path: str) -> None:
        """Use the file on disk again."""
        self._unsaved.pop(path, None)
        self._outlines.pop(path, None)

    def forget(self) -> None:
        """Read everything again: which files may be read has changed."""
        for folder in self.folders:
            folder.forget()
        self._outlines.clear()

    def outline(self, path: str) -> Outline:
        """What the file defines and imports; empty where it must not or cannot be read. Never raises."""
        stamp = self._stamp(path)
        if stamp is None:
            return Outline()
        cached = self._outlines.get(path)
        if cached is not None and cached[0] == stamp:
            return cached[1]
        if not self.allows(path):
            return Outline()
        outline = self._read(path)
        self._outlines[path] = stamp, outline
        return outline

    def lines(self, path: str, first: int, n_lines: int) -> str:
        """``n_lines`` lines of a file from line ``first`` on, from 0; empty where it must not be read."""
        data = (self._unsaved.get(path) or read_source(path)) if self.allows(path) else b""
        return "\n".join(data.decode("utf-8", "replace").splitlines()[first : first + n_lines])

    def outline_once(self, path: str) -> Outline:
        """The outline of a file that is known to be allowed, without caching it."""
        cached = self._outlines.get(path)
        return cached[1] if cached is not None else self._read(path)

    def importer(self, path: str, language: Language) -> Importer | None:
        """The importing side of the file at ``path``; ``None`` outside of the workspace."""
        folder = self.folder_of(path)
        if folder is None:
            return None
        if language.id != "go":
            return Importer(PurePath(path), PurePath(folder.root))
        for above in Importer(PurePath(path), PurePath(folder.root)).folders_up():
            module = self._go_module(str(above))
            if module:
                return Importer(PurePath(path), above, module)
        return Importer(PurePath(path), PurePath(folder.root))

    def files_in(self, folder: str, language: Language) -> Iterator[str]:
        """The files of the language in ``folder`` itself, by name; ``MAX_FOLDER`` at most."""
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return
        matching = [name for name in names if name.lower().endswith(language.extensions)]
        yield from (os.path.join(folder, name) for name in matching[:MAX_FOLDER])

    def _read(self, path: str) -> Outline:
        data = self._unsaved.get(path) or read_source(path)
        language = language_of("", path)
        if not data or len(data) > MAX_FILE or language.grammar is None:
            return Outline()
        return file_outline(language, data, path, PARSE_SECONDS)

    def _stamp(self, path: str) -> _Stamp | None:
        unsaved = self._unsaved.get(path)
        if unsaved is not None:
            return -1, hash(unsaved)
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return None
        return status.st_mtime_ns, status.st_size

    def _go_module(self, folder: str) -> str:
        if folder not in self._modules:
            file = os.path.join(folder, "go.mod")
            data = read_source(file) if self.allows(file) else b""
            match = re.search(rb"^\s*module\s+(\S+)", data, re.MULTILINE)
            self._modules[folder] = match[1].decode("utf-8", "replace").strip('"') if match else ""
        return self._modules[folder]


def read_source(path: str) -> bytes:
    """The bytes of a file; empty where it is not a regular file, too large, binary, or not readable. Never raises."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)  # opening a named pipe must not block
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError):
        return b""
    try:
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE:
                return b""
            data = file.read(MAX_FILE + 1)
    except OSError:
        return b""
    return b"" if len(data) > MAX_FILE or b"\0" in data[:8192] else data
