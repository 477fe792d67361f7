"""The index's process: holds the table of names, reads files, answers questions, and leaves with whoever started it.

One message a line, JSON, on stdin and stdout. Between two pieces of work it looks for messages; it walks the workspace
in small pieces and with rests, at a low priority, and not at all while somebody asks.
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

from devstral_ls.code_context import Surroundings
from devstral_ls.languages.table import language_of
from devstral_ls.retrieval.index.library import Library
from devstral_ls.retrieval.index.lookup import Lookup, counterpart
from devstral_ls.retrieval.index.names import MAX_FILES, Names
from devstral_ls.retrieval.index.scan import scan
from devstral_ls.retrieval.index.sibling_methods import siblings
from devstral_ls.retrieval.visibility import IGNORE_FILES, Readable

NICE = 10
"""What is added to the process's niceness: whoever types and the engine go first."""

WORK_S, REST_S = 0.04, 0.02
"""The walk works and rests in turn: at most two thirds of a core."""

NEWS_S = 0.02
"""Of changed files, the last ones are read before a question is answered, for so long; the others when nobody asks."""

QUIET_S = 0.3
"""The walk waits so long after each message: somebody is typing."""

STARVED_S = 1.0
"""However much is asked, the walk goes on after so long."""

MAX_MEMORY = 1 << 30
"""Bytes of address space, where the system can limit it: a file that makes the grammar grow ends us, not the machine."""


class Host:
    """Takes messages, one at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` says the seconds."""
        self.library = Library(())
        self.names = Names()
        self._clock = clock
        self._walk: Iterator[None] = iter(())
        self._walked = True
        self._changed: dict[str, None] = {}
        """Paths whose names are to be put into the table, the last change last."""

    @property
    def is_done(self) -> bool:
        """Is everything in the table that is to be there?"""
        return self._walked and not self._changed

    def take(self, message: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer to ``message``, if it is a question."""
        match message.get("do"):
            case "begin":
                self._begin(message)
            case "open":
                self._open(str(message["path"]), str(message["text"]))
            case "close":
                self.library.close(os.path.realpath(message["path"]))
            case "changed":
                self._hear([str(path) for path in message["paths"]])
            case "find":
                return self._find(message)
            case "state":
                return {"files": self.names.n_files, "names": self.names.n_rows, "done": self.is_done}
        return None

    def work(self) -> None:
        """Read what has changed, then go on with the walk, for ``WORK_S``."""
        until = self._clock() + WORK_S
        self._read_changed(until)
        while self._clock() < until:
            if next(self._walk, self) is self:
                self._walked = True
                return

    def _begin(self, message: Mapping[str, Any]) -> None:
        exclude, respect = message["exclude"], bool(message["respect"])
        self.library = Library([Readable(one, exclude, respect_ignore_files=respect) for one in message["folders"]])
        self.names.close()
        self.names = Names()
        self._walk, self._walked = scan(self.library, self.names), False
        self._changed.clear()

    def _open(self, path: str, text: str) -> None:
        path = os.path.realpath(path)
        if self.library.allows(path):
            self.library.open(path, text)
            self._hear([path])

    def _hear(self, paths: list[str]) -> None:
        """Take note of changed files: a checkout changes thousands at once, and somebody types meanwhile."""
        for path in paths:
            if os.path.basename(path) in IGNORE_FILES:
                self.library.forget()
            elif language_of("", path).grammar is not None and len(self._changed) < MAX_FILES:
                self._changed.pop(path, None)
                self._changed[path] = None

    def _read_changed(self, until: float) -> None:
        """The names of changed files, the last change first, until it is ``until``; of one file in any case."""
        while self._changed:
            path = os.path.realpath(self._changed.popitem()[0])
            if self.library.allows(path):
                self.names.put(path, (one.name for one in self.library.outline(path).definitions))
            if self._clock() >= until:
                return

    def _find(self, message: Mapping[str, Any]) -> dict[str, Any]:
        self._read_changed(self._clock() + NEWS_S)
        path = os.path.realpath(message["path"])
        language = language_of(message["language"], path)
        folder = self.library.folder_of(path)
        allowed = folder is None or self.library.allows(path)
        answer: dict[str, Any] = {"allowed": allowed, "root": folder.root if folder else "", "found": [], "other": []}
        if folder is not None and allowed:
            lookup = Lookup(self.library, self.names, path, language)
            found = lookup.find(message["names"], message["imports"])
            answer["found"] = [(source, name, asdict(one)) for source, name, one in found]
            if message["counterpart"]:
                answer["other"] = [asdict(one) for one in counterpart(self.library, self.names, path)]
            if message.get("like"):
                like = Surroundings(**message["like"])
                answer["siblings"] = list(siblings(self.library, self.names, path, like))
        return answer


def read_messages(stream: BinaryIO, messages: queue.Queue[Mapping[str, Any] | None]) -> None:
    """Put every message into ``messages``, and ``None`` at the end of the stream."""
    for line in stream:
        with contextlib.suppress(ValueError):
            messages.put(json.loads(line))
    messages.put(None)


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer until ``source`` ends."""
    messages: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
    threading.Thread(target=read_messages, args=(source, messages), daemon=True).start()
    host, worked, due = Host(), 0.0, 0.0
    while True:
        now = time.monotonic()
        if not host.is_done and now >= due:
            host.work()
            worked = time.monotonic()
            due = worked + REST_S
            continue
        try:
            message = messages.get(timeout=None if host.is_done else due - now)
        except queue.Empty:
            continue
        if message is None:
            return
        answer = host.take(message)
        if message.get("do") != "state":
            due = min(time.monotonic() + QUIET_S, worked + STARVED_S)
        if answer is not None:
            target.write(json.dumps({"id": message.get("id"), **answer}).encode() + b"\n")
            target.flush()


def main() -> None:
    """Serve stdin."""
    if hasattr(os, "nice"):
        os.nice(NICE)
    if sys.platform == "linux":  # elsewhere it limits what is mapped and never used
        import resource

        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        serve(sys.stdin.buffer, sys.stdout.buffer)
    with contextlib.suppress(OSError):
        sys.stdout.close()
    os._exit(0)  # the thread may still wait for stdin


if __name__ == "__main__":
    main()
