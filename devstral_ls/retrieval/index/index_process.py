"""The process of the workspace index: holds the name table, reads files, answers queries, and ends with its stdin.

Messages are lines of JSON on stdin and stdout. Between two pieces of work it looks for messages; it walks the workspace
in small pieces with pauses, at a low priority, and not at all while queries arrive.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, BinaryIO

from devstral_ls.code_context import EnclosingDefinition
from devstral_ls.languages.table import language_of
from devstral_ls.retrieval.index.library import Library
from devstral_ls.retrieval.index.lookup import Lookup, counterpart
from devstral_ls.retrieval.index.names import MAX_FILES, NameTable
from devstral_ls.retrieval.index.sibling_methods import sibling_definitions
from devstral_ls.retrieval.index.walk import walk_folders
from devstral_ls.retrieval.visibility import IGNORE_FILES, FolderVisibility

NICE = 10
"""Added to the process's niceness, so that editor, server and engine go first."""

WORK_S, REST_S = 0.04, 0.02
"""The walk alternates between work and rest: at most two thirds of a core."""

CHANGED_S = 0.02
"""Changed files are read for so long before a query is answered, latest first; the others while no query waits."""

QUIET_S = 0.3
"""The walk pauses so long after each message: the user is typing."""

STARVED_S = 1.0
"""However many messages arrive, the walk continues after so long."""

MAX_MEMORY = 1 << 30
"""Bytes of address space, where the system can limit it: a file that makes a grammar grow ends this process, not the
machine."""


class IndexProcess:
    """Handles messages, one at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` returns seconds."""
        self.library = Library(())
        self.names = NameTable()
        self._clock = clock
        self._walk: Iterator[None] = iter(())
        self._walked = True
        self._changed: dict[str, None] = {}
        """Paths of changed files whose names are not in the table yet, the latest change last."""

    @property
    def is_done(self) -> bool:
        """True when the walk has ended and all changed files are in the table."""
        return self._walked and not self._changed

    def take(self, message: Mapping[str, Any]) -> dict[str, Any] | None:
        """Handle ``message``; the answer, if it is a query."""
        match message.get("do"):
            case "begin":
                self._begin(message)
            case "open":
                self._open(str(message["path"]), str(message["text"]))
            case "close":
                self.library.close(os.path.realpath(message["path"]))
            case "changed":
                self._note_changed([str(path) for path in message["paths"]])
            case "find":
                return self._find(message)
            case "state":
                return {"files": self.names.n_files, "names": self.names.n_rows, "done": self.is_done}
        return None

    def work(self) -> None:
        """Read changed files, then continue the walk, for ``WORK_S``."""
        until = self._clock() + WORK_S
        self._read_changed(until)
        while self._clock() < until:
            if next(self._walk, self) is self:
                self._walked = True
                return

    def _begin(self, message: Mapping[str, Any]) -> None:
        exclude, respect = message["exclude"], bool(message["respect"])
        self.library = Library(
            [FolderVisibility(root, exclude, respect_ignore_files=respect) for root in message["folders"]]
        )
        self.names.close()
        self.names = NameTable()
        self._walk, self._walked = walk_folders(self.library, self.names), False
        self._changed.clear()

    def _open(self, path: str, text: str) -> None:
        path = os.path.realpath(path)
        if self.library.allows(path):
            self.library.open(path, text)
            self._note_changed([path])

    def _note_changed(self, paths: list[str]) -> None:
        """Remember changed files for later: a checkout changes thousands at once while the user types."""
        for path in paths:
            if os.path.basename(path) in IGNORE_FILES:
                self.library.forget()
            elif language_of("", path).grammar is not None and len(self._changed) < MAX_FILES:
                self._changed.pop(path, None)
                self._changed[path] = None

    def _read_changed(self, until: float) -> None:
        """Put the names of changed files into the table, the latest change first, until ``until``; of one file in any case."""
        while self._changed:
            path = os.path.realpath(self._changed.popitem()[0])
            if self.library.allows(path):
                self.names.put(path, (definition.name for definition in self.library.outline(path).definitions))
            if self._clock() >= until:
                return

    def _find(self, message: Mapping[str, Any]) -> dict[str, Any]:
        self._read_changed(self._clock() + CHANGED_S)
        path = os.path.realpath(message["path"])
        language = language_of(message["language"], path)
        folder = self.library.folder_of(path)
        answer: dict[str, Any] = {"root": folder.root if folder else "", "found": [], "other": []}
        if folder is not None and self.library.allows(path):
            lookup = Lookup(self.library, self.names, path, language)
            definitions = lookup.find(message["names"], message["imports"])
            answer["found"] = [(source, name, asdict(definition)) for source, name, definition in definitions]
            if message["counterpart"]:
                answer["other"] = [asdict(definition) for definition in counterpart(self.library, self.names, path)]
            if message.get("like"):
                like = EnclosingDefinition(**message["like"])
                answer["siblings"] = list(sibling_definitions(self.library, self.names, path, like))
        return answer


def read_messages(stream: BinaryIO, messages: queue.Queue[Mapping[str, Any] | None]) -> None:
    """Put every message into ``messages``, and ``None`` at the end of the stream."""
    for line in stream:
        with contextlib.suppress(ValueError):
            messages.put(json.loads(line))
    messages.put(None)


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer messages until ``source`` ends."""
    messages: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
    threading.Thread(target=read_messages, args=(source, messages), daemon=True).start()
    process, worked, due = IndexProcess(), 0.0, 0.0
    while True:
        now = time.monotonic()
        if not process.is_done and now >= due:
            process.work()
            worked = time.monotonic()
            due = worked + REST_S
            continue
        try:
            message = messages.get(timeout=None if process.is_done else due - now)
        except queue.Empty:
            continue
        if message is None:
            return
        answer = process.take(message)
        if message.get("do") != "state":
            due = min(time.monotonic() + QUIET_S, worked + STARVED_S)
        if answer is not None:
            target.write(json.dumps({"id": message.get("id"), **answer}).encode() + b"\n")
            target.flush()


def main() -> None:
    """Serve stdin and stdout."""
    if hasattr(os, "nice"):
        os.nice(NICE)
    if sys.platform == "linux":  # elsewhere it also limits memory that is mapped but never used
        import resource

        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        serve(sys.stdin.buffer, sys.stdout.buffer)
    with contextlib.suppress(OSError):
        sys.stdout.close()
    os._exit(0)  # the reading thread may still wait for stdin


if __name__ == "__main__":
    main()
