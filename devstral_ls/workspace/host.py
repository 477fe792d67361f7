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
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, BinaryIO

from devstral_ls.languages.table import language_of
from devstral_ls.related import Surroundings
from devstral_ls.workspace.ignore import IGNORE_FILES, Readable
from devstral_ls.workspace.library import Library
from devstral_ls.workspace.lookup import Lookup, counterpart
from devstral_ls.workspace.names import Names
from devstral_ls.workspace.scan import scan
from devstral_ls.workspace.siblings import siblings

NICE = 10
"""What is added to the process's niceness: whoever types and the engine go first."""

WORK_S, REST_S = 0.04, 0.02
"""The walk works and rests in turn: at most two thirds of a core."""

QUIET_S = 0.3
"""The walk waits so long after each message: somebody is typing."""

STARVED_S = 1.0
"""However much is asked, the walk goes on after so long."""

MAX_MEMORY = 1 << 30
"""Bytes of address space, where the system can limit it: a file that makes the grammar grow ends us, not the machine."""


class Host:
    """Takes messages, one at a time."""

    def __init__(self) -> None:
        self.library = Library(())
        self.names = Names()
        self._walk: Iterator[None] = iter(())
        self.is_done = True

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
                self._changed([str(path) for path in message["paths"]])
            case "find":
                return self._find(message)
            case "state":
                return {"files": self.names.n_files, "names": self.names.n_rows, "done": self.is_done}
        return None

    def work(self) -> None:
        """Go on with the walk for ``WORK_S``."""
        until = time.monotonic() + WORK_S
        while time.monotonic() < until:
            if next(self._walk, self) is self:
                self.is_done = True
                return

    def _begin(self, message: Mapping[str, Any]) -> None:
        exclude, respect = message["exclude"], bool(message["respect"])
        self.library = Library([Readable(one, exclude, respect_ignore_files=respect) for one in message["folders"]])
        self.names.close()
        self.names = Names()
        self._walk, self.is_done = scan(self.library, self.names), False

    def _open(self, path: str, text: str) -> None:
        path = os.path.realpath(path)
        if self.library.allows(path):
            self.library.open(path, text)
            self.names.put(path, (one.name for one in self.library.outline(path).definitions))

    def _changed(self, paths: list[str]) -> None:
        for path in paths:
            if os.path.basename(path) in IGNORE_FILES:
                self.library.forget()
            elif language_of("", path).grammar is not None and os.path.isfile(path):
                real = os.path.realpath(path)
                self.names.put(real, (one.name for one in self.library.outline(real).definitions))

    def _find(self, message: Mapping[str, Any]) -> dict[str, Any]:
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
