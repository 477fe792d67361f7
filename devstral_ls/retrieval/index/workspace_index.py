"""``WorkspaceIndex``: the server's client of the index of a workspace's definitions, which runs in its own process.

Parsing holds Python's interpreter lock: in the server, a hundred thousand files would delay every key, and a file that
crashes a grammar would crash the server. Whatever happens to the process, queries then return nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import devstral_ls
from devstral_ls.code_context import Definition, EnclosingDefinition
from devstral_ls.platform.child_environment import child_environment
from devstral_ls.uris import path_of

_log = logging.getLogger(__name__)

MAX_MESSAGE = 8 * 1024 * 1024
"""Bytes of one message in either direction."""

MAX_TEXT = 512 * 1024
"""Characters of an open document that is sent; the index does not read larger files."""

MAX_STARTS = 3
"""The most starts of the process: a file that crashed it once will do so again."""

ANSWER_S = 2.0
"""The longest wait for an answer."""

END_S = 0.5
"""The longest wait for the process to end by itself."""


@dataclass(frozen=True, slots=True)
class IndexScope:
    """What the index may read."""

    folders: tuple[str, ...]
    """Absolute paths of the workspace folders; without any, nothing is read."""
    exclude: tuple[str, ...] = ()
    """The setting ``privacy.exclude``."""
    respect_ignore_files: bool = True


@dataclass(frozen=True, slots=True)
class IndexAnswer:
    """The answer to a query for the names in a file."""

    definitions: tuple[tuple[str, str, Definition], ...] = ()
    """Source (``imports`` or ``names``), name as in the query, definition; in the order of the query."""
    counterpart: tuple[Definition, ...] = ()
    """Top-level definitions of the subject of a test file, or of the test of a subject."""
    root: str = ""
    """The workspace folder that the file is in."""
    siblings: tuple[tuple[str, str], ...] = ()
    """Path and text of similar definitions; see ``sibling_methods.sibling_definitions``."""
    answered: bool = True
    """False when there is no process, or it did not answer in time."""


class WorkspaceIndex:
    """One for each server; call ``begin`` when the workspace is known, ``aclose`` at the end."""

    def __init__(self, answer_s: float = ANSWER_S) -> None:
        self._answer_s = answer_s
        self._scope: IndexScope | None = None
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
        """The id of the index process, if there is one."""
        return self._process.pid if self._process else None

    @property
    def is_alive(self) -> bool:
        """True when the process runs or is being started."""
        return self._process is not None or self._starting is not None

    def begin(self, scope: IndexScope) -> None:
        """Index ``scope``, from the beginning if it has changed. Returns at once."""
        if scope == self._scope:
            return
        self._scope = scope
        if self._process is not None:
            self._send_all()
        elif scope.folders and self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._start())

    def opened(self, uri: str, text: str) -> None:
        """Use the editor's text of a document."""
        path = path_of(uri)
        if path and self._scope is not None and self._scope.folders and len(text) <= MAX_TEXT:
            self._open[path] = text
            self._send({"do": "open", "path": path, "text": text})

    def closed(self, uri: str) -> None:
        """Use the file on disk again: the document was closed."""
        path = path_of(uri)
        if self._open.pop(path, None) is not None:
            self._send({"do": "close", "path": path})

    def changed_on_disk(self, uris: Sequence[str]) -> None:
        """Read files again that were created, changed or removed."""
        paths = [path for uri in uris if (path := path_of(uri))]
        if paths:
            self._send({"do": "changed", "paths": paths[:1000]})

    async def find(
        self,
        names: Sequence[str],
        importer: str,
        imports: Sequence[str] = (),
        language: str = "",
        *,
        counterpart: bool = False,
        like: EnclosingDefinition | None = None,
    ) -> IndexAnswer:
        """The definitions of ``names`` as the document ``importer`` means them, as far as they can be resolved.

        Args:
            names: identifiers, or ``a.b`` for ``b`` of the module or class ``a``.
            importer: the URI of the document that uses them.
            imports: its import statements as written; without them only the name table is searched.
            language: its language id; by default determined from the file name.
            counterpart: also return the definitions of the document's subject, if it is a test, or of its test.
            like: also return definitions that are similar to this one.

        Never raises.
        """
        path = path_of(importer)
        if not path:
            return IndexAnswer(answered=False)
        query = {"do": "find", "path": path, "names": list(names), "imports": list(imports), "language": language}
        answer = await self._ask({**query, "counterpart": counterpart, "like": asdict(like) if like else None})
        if answer is None:
            return IndexAnswer(answered=False)
        return IndexAnswer(
            tuple((source, name, Definition(**fields)) for source, name, fields in answer["found"]),
            tuple(Definition(**fields) for fields in answer["other"]),
            answer["root"],
            tuple((path, text) for path, text in answer.get("siblings", ())),
        )

    async def state(self) -> Mapping[str, Any]:
        """``files`` and ``names`` in the table, and whether indexing is ``done``; empty without a process."""
        return await self._ask({"do": "state"}) or {}

    async def aclose(self) -> None:
        """End the process within ``END_S``."""
        self._scope = None
        if self._starting is not None:  # cancelled halfway, it could leave a process behind
            await asyncio.wait([self._starting], timeout=END_S)
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
        """Start the process, which ends when this one does, since its stdin ends then."""
        self._n_starts += 1
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "devstral_ls.retrieval.index.index_process"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd=os.path.dirname(devstral_ls.__file__),
                env=child_environment(),
                limit=MAX_MESSAGE,
            )
        except OSError as error:
            _log.warning("the workspace index could not be started: %s", error.strerror)
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
        # After one late answer (stopped, swapped out, a huge checkout) the process is not waited for at every key.
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
        assert process.stdout is not None  # noqa: S101 - it was started with a pipe
        with contextlib.suppress(ValueError, OSError):  # a line that is too long or a broken stream counts as the end
            while line := await process.stdout.readline():
                answer: dict[str, Any] = json.loads(line)
                self._is_late = False
                waiting = self._waiting.get(answer["id"])
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        self._ended(process)
        await process.wait()

    def _ended(self, process: asyncio.subprocess.Process) -> None:
        """Handle the end of the process: fail the waiting queries and start it again, up to ``MAX_STARTS``."""
        if self._process is not process:
            return
        self._process = None
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(None)
        _log.warning("the workspace index has ended unexpectedly")
        if self._scope is not None and self._n_starts < MAX_STARTS:
            self._starting = asyncio.get_running_loop().create_task(self._start())
