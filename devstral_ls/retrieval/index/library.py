"""Files of a workspace as their definitions: read when asked for, kept while they stay as they are."""

from __future__ import annotations

import os
import re
import stat
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from devstral_ls.languages.language import Language
from devstral_ls.languages.symbols import Outline, outline
from devstral_ls.languages.table import language_of
from devstral_ls.retrieval.index.imports import Importer
from devstral_ls.retrieval.visibility import Readable

MAX_FILE = 512 * 1024
"""Bytes; longer files are data or generated, and are not looked into."""

PARSE_SECONDS = 0.5
"""The longest parse of one file."""

MAX_OUTLINES = 512
"""Kept, the ones asked for last."""

MAX_OPEN = 500
"""Documents whose unsaved text is kept."""

MAX_FOLDER = 60
"""Files of one folder that are looked into, where a whole folder is one package."""

_Stamp = tuple[int, int]


class Library:
    """What the files of the workspace folders define. The only place that opens source files."""

    def __init__(self, folders: Sequence[Readable]) -> None:
        self.folders = tuple(folders)
        self._outlines: OrderedDict[str, tuple[_Stamp, Outline]] = OrderedDict()
        self._unsaved: OrderedDict[str, bytes] = OrderedDict()
        self._modules: dict[str, str] = {}

    def folder_of(self, path: str) -> Readable | None:
        """The workspace folder that ``path`` is in, the innermost."""
        inside = [one for one in self.folders if path.startswith(one.root.rstrip(os.sep) + os.sep)]
        return max(inside, key=lambda one: len(one.root), default=None)

    def allows(self, path: str) -> bool:
        """May the file be read? Never outside of the workspace's folders."""
        folder = self.folder_of(os.path.realpath(path))
        return folder is not None and folder.allows(path)

    def open(self, path: str, text: str) -> None:
        """A document as the editor has it; ``path`` as it is on disk."""
        self._unsaved[path] = text.encode("utf-8", "replace")[: MAX_FILE + 1]
        self._unsaved.move_to_end(path)
        self._outlines.pop(path, None)
        if len(self._unsaved) > MAX_OPEN:
            self._unsaved.popitem(last=False)

    def close(self, path: str) -> None:
        """The disk's word counts again."""
        self._unsaved.pop(path, None)
        self._outlines.pop(path, None)

    def forget(self) -> None:
        """What may be read has changed."""
        for folder in self.folders:
            folder.forget()
        self._outlines.clear()

    def outline(self, path: str) -> Outline:
        """What the file defines and imports; nothing where it may not or cannot be read. Never raises."""
        stamp = self._stamp(path)
        if stamp is None:
            return Outline()
        kept = self._outlines.get(path)
        if kept is not None and kept[0] == stamp:
            self._outlines.move_to_end(path)
            return kept[1]
        if not self.allows(path):
            return Outline()
        made = self._read(path)
        self._outlines[path] = stamp, made
        if len(self._outlines) > MAX_OUTLINES:
            self._outlines.popitem(last=False)
        return made

    def lines(self, path: str, first: int, n_lines: int) -> str:
        """Lines of a file, counted from 0; nothing where it may not be read."""
        data = (self._unsaved.get(path) or read_source(path)) if self.allows(path) else b""
        return "\n".join(data.decode("utf-8", "replace").splitlines()[first : first + n_lines])

    def scanned(self, path: str) -> Outline:
        """The same of a file that is known to be allowed, without keeping it."""
        kept = self._outlines.get(path)
        return kept[1] if kept is not None else self._read(path)

    def importer(self, path: str, language: Language) -> Importer | None:
        """How the file at ``path`` imports; ``None`` outside of the workspace."""
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
        """The files of the language in ``folder`` itself, in the order of their names."""
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return
        alike = [name for name in names if name.lower().endswith(language.extensions)]
        yield from (os.path.join(folder, name) for name in alike[:MAX_FOLDER])

    def _read(self, path: str) -> Outline:
        data = self._unsaved.get(path) or read_source(path)
        language = language_of("", path)
        if not data or len(data) > MAX_FILE or language.grammar is None:
            return Outline()
        return outline(language, data, path, PARSE_SECONDS)

    def _stamp(self, path: str) -> _Stamp | None:
        unsaved = self._unsaved.get(path)
        if unsaved is not None:
            return -1, hash(unsaved)
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return None
        return found.st_mtime_ns, found.st_size

    def _go_module(self, folder: str) -> str:
        if folder not in self._modules:
            file = os.path.join(folder, "go.mod")
            data = read_source(file) if self.allows(file) else b""
            match = re.search(rb"^\s*module\s+(\S+)", data, re.MULTILINE)
            self._modules[folder] = match[1].decode("utf-8", "replace").strip('"') if match else ""
        return self._modules[folder]


def read_source(path: str) -> bytes:
    """The file's bytes; none where it is no regular file, too long, no text, or cannot be read. Never raises."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)  # a named pipe must not hold us
    try:
        number = os.open(path, flags)
    except (OSError, ValueError):
        return b""
    try:
        with os.fdopen(number, "rb") as file:
            found = os.fstat(number)
            if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE:
                return b""
            data = file.read(MAX_FILE + 1)
    except OSError:
        return b""
    return b"" if len(data) > MAX_FILE or b"\0" in data[:8192] else data
