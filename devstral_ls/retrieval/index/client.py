"""``WorkspaceIndex``: the definitions of a workspace as the server sees them; a process of its own does the work.

In a process of its own, because parsing holds Python's lock: a hundred thousand files would be felt at every key, and
a file that brings a grammar down must not bring the server down. Whatever happens to it, the answer is then "nothing".
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
import site
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import unquote
from urllib.request import url2pathname

import devstral_ls
from devstral_ls.code_context import Definition, Surroundings
from devstral_ls.uris import can_be_path, split

_log = logging.getLogger(__name__)

MAX_MESSAGE = 8 * 1024 * 1024
"""Bytes of one line in either direction."""

MAX_TEXT = 512 * 1024
"""Characters of a document that is told; longer ones are not looked into anyway."""

MAX_STARTS = 3
"""How often the process is started before it is given up; a file that ends it once will do so again."""

ANSWER_S = 2.0
"""The longest an answer is waited for."""

END_S = 0.5


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be read."""

    folders: tuple[str, ...]
    """Absolute paths of the workspace's folders; none: nothing is read at all."""
    exclude: tuple[str, ...] = ()
    """``privacy.exclude``."""
    respect_ignore_files: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of the names in a file."""

    definitions: tuple[tuple[str, str, Definition], ...] = ()
    """Source, name as it was asked for, definition; in the order of the names."""
    counterpart: tuple[Definition, ...] = ()
    """Top-level definitions of the test's subject, or of the subject's test."""
    root: str = ""
    """The workspace folder the file is in."""
    allowed: bool = True
    """May the file itself be shown to a model? Not if an ignore file names it."""
    siblings: tuple[tuple[str, str], ...] = ()
    """Path and text of definitions like the one that was asked about; see ``workspace.siblings``."""
    answered: bool = True
    """Else nothing is known: there is no process, or it did not answer in time."""


class WorkspaceIndex:
    """Made once for a server; ``begin`` it when the workspace is known, ``aclose`` it at the end."""

    def __init__(self, answer_s: float = ANSWER_S) -> None:
        self._answer_s = answer_s
        self._scope: Scope | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Mapping[str, Any] | None]] = {}
        self._open: dict[str, str] = {}
        self._ids = itertools.count(1)
        self._n_starts = 0
        self._is_late = False

    @property
    def pid(self) -> int | None:
        """The process that does the work, if there is one."""
        return self._process.pid if self._process else None

    @property
    def is_alive(self) -> bool:
        """Is there a process, or will there be one in a moment?"""
        return self._process is not None or self._starting is not None

    def begin(self, scope: Scope) -> None:
        """Read ``scope``, from the beginning if it differs from what was read before. Returns at once."""
        if scope == self._scope:
            return
        self._scope = scope
        if self._process is not None:
            self._send_all()
        elif scope.folders and self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._start())

    def opened(self, uri: str, text: str) -> None:
        """The editor's text of a document, now or after a change."""
        path = path_of(uri)
        if path and self._scope is not None and self._scope.folders and len(text) <= MAX_TEXT:
            self._open[path] = text
            self._send({"do": "open", "path": path, "text": text})

    def closed(self, uri: str) -> None:
        """The document is closed: the disk's word counts again."""
        path = path_of(uri)
        if self._open.pop(path, None) is not None:
            self._send({"do": "close", "path": path})

    def changed_on_disk(self, uris: Sequence[str]) -> None:
        """Files were made, changed or removed."""
        paths = [path for uri in uris if (path := path_of(uri))]
        if paths:
            self._send({"do": "changed", "paths": paths[:1000]})

    async def signatures(
        self, names: Sequence[str], importer: str, imports: Sequence[str] = (), language: str = ""
    ) -> tuple[Definition, ...]:
        """The definitions of ``names`` as the document ``importer`` means them, as far as they can be told.

        Args:
            names: identifiers, or ``a.b`` for ``b`` of the module or class ``a``.
            importer: the URI of the document that uses them.
            imports: its import statements as they stand; without them only the table of names is asked.
            language: its language id; by default what its name says.
        """
        found = await self.find(names, importer, imports, language)
        return tuple(definition for _, _, definition in found.definitions)

    async def find(
        self,
        names: Sequence[str],
        importer: str,
        imports: Sequence[str] = (),
        language: str = "",
        *,
        counterpart: bool = False,
        like: Surroundings | None = None,
    ) -> Found:
        """``signatures`` with where each was found, and on request the test's subject and what is ``like`` a definition.
        Never raises.
        """
        path = path_of(importer)
        if not path:
            return Found(answered=False)
        question = {"do": "find", "path": path, "names": list(names), "imports": list(imports), "language": language}
        answer = await self._ask({**question, "counterpart": counterpart, "like": asdict(like) if like else None})
        if answer is None:
            return Found(answered=False)
        return Found(
            tuple((source, name, Definition(**one)) for source, name, one in answer["found"]),
            tuple(Definition(**one) for one in answer["other"]),
            answer["root"],
            answer["allowed"],
            tuple((path, text) for path, text in answer.get("siblings", ())),
        )

    async def state(self) -> Mapping[str, Any]:
        """``files`` and ``names`` in the table, and whether the walk is ``done``; empty without a process."""
        return await self._ask({"do": "state"}) or {}

    async def aclose(self) -> None:
        """End the process, in bounded time."""
        self._scope = None
        if self._starting is not None:
            self._starting.cancel()
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
        if self._reading is None:
            return
        await asyncio.wait([self._reading], timeout=END_S)
        if process is not None and not self._reading.done():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await self._reading

    async def _start(self) -> None:
        """Start the process; it dies with us, as its stdin ends then."""
        self._n_starts += 1
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "devstral_ls.retrieval.index.host"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd=os.path.dirname(devstral_ls.__file__),
                env=_environment(),
                limit=MAX_MESSAGE,
            )
        except OSError as error:
            _log.warning("the workspace's index could not be started: %s", error.strerror)
            return
        finally:
            self._starting = None
        self._is_late = False
        self._reading = asyncio.get_running_loop().create_task(self._read(process))
        self._send_all()

    def _send_all(self) -> None:
        scope = self._scope
        if scope is None:
            return
        begin = {"do": "begin", "folders": scope.folders, "exclude": scope.exclude}
        self._send({**begin, "respect": scope.respect_ignore_files})
        for path, text in self._open.items():
            self._send({"do": "open", "path": path, "text": text})

    def _send(self, message: Mapping[str, Any]) -> bool:
        stream = self._process.stdin if self._process else None
        if stream is None or stream.is_closing() or stream.transport.get_write_buffer_size() > MAX_MESSAGE:
            return False
        stream.write(json.dumps(message).encode() + b"\n")
        return True

    async def _ask(self, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if self._starting is not None:
            await asyncio.wait([self._starting], timeout=self._answer_s)
        number = next(self._ids)
        # Who is late once (stopped, swapped out, at a huge checkout) is not waited for at every key.
        if self._is_late or not self._send({"id": number, **message}):
            return None
        answer: asyncio.Future[Mapping[str, Any] | None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(self._answer_s):
                return await answer
        except TimeoutError:
            self._is_late = True
            return None
        finally:
            self._waiting.pop(number, None)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - we asked for it
        with contextlib.suppress(ValueError, OSError):  # a line too long, a stream that breaks: as good as its end
            while line := await process.stdout.readline():
                answer: dict[str, Any] = json.loads(line)
                self._is_late = False
                waiting = self._waiting.get(answer["id"])
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        self._ended(process)
        await process.wait()

    def _ended(self, process: asyncio.subprocess.Process) -> None:
        """It died by itself: nobody waits any longer, and it is started once more, though not for ever."""
        if self._process is not process:
            return
        self._process = None
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(None)
        _log.warning("the workspace's index has ended by itself")
        if self._scope is not None and self._n_starts < MAX_STARTS:
            self._starting = asyncio.get_running_loop().create_task(self._start())


def path_of(uri: str) -> str:
    """The absolute path that a ``file:`` URI names; empty for any other."""
    parts = split(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return ""
    path = url2pathname(parts.path) if os.name == "nt" else unquote(parts.path)
    return path if os.path.isabs(path) and can_be_path(path) else ""


def _environment() -> dict[str, str]:
    """Ours, with this package's folder in the path where Python would not find it by itself; ``-P`` keeps others out."""
    root = os.path.dirname(os.path.dirname(os.path.realpath(devstral_ls.__file__)))
    if root in (*site.getsitepackages(), site.getusersitepackages()):
        return dict(os.environ)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])}
