"""``VisibilityCheck``: asks ``visibility`` in a thread, since a file system may not answer, and the event loop must.

A question costs some 0.1 ms on a local disk (a ``stat`` or three for each folder above the file), of which 0.04 ms are the
thread. On a network disk it costs as many round trips as its cache does not spare. A question that takes longer than
``WAIT_S`` is answered with "unknown", so that nothing is shown; the next one gets the answer once it is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from devstral_ls.retrieval.visibility import Visibility, VisibilityLook, VisibilityRules, VisibilityScope
from devstral_ls.settings.tree import PrivacySettings

_log = logging.getLogger(__name__)

WAIT_S = 2.0
"""Seconds a request waits for a file system. Meanwhile the event loop goes on, and a newer request takes over."""

MAX_STUCK = 4
"""Threads that may wait for file systems that do not answer; then nothing is visible until one of them does."""


@dataclass(frozen=True, eq=False, slots=True)
class _Question:
    names: tuple[str, ...]
    scope: VisibilityScope
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Mapping[str, Visibility]]
    asked: float
    """By the clock of ``loop``."""


@dataclass(eq=False, slots=True)
class _Worker:
    """A thread with what it knows of ignore files."""

    on_answered: Callable[[_Worker, _Question, Mapping[str, Visibility], Mapping[str, str]], None]
    pending: dict[_Question, None] = field(default_factory=dict)
    """Of the event loop: the questions without an answer, the oldest first."""
    _questions: queue.SimpleQueue[_Question | None] = field(default_factory=queue.SimpleQueue)

    def start(self) -> None:
        """Start the thread. A daemon: a file system that never answers must not keep the process."""
        threading.Thread(target=self._run, name="visibility", daemon=True).start()

    def ask(self, question: _Question) -> None:
        self.pending[question] = None
        self._questions.put(question)

    def end(self) -> None:
        """End the thread once it has answered."""
        self._questions.put(None)

    def _run(self) -> None:
        rules = VisibilityRules()
        while (question := self._questions.get()) is not None:
            look = VisibilityLook(rules, question.scope)
            answers = {name: look.may_show(name) for name in question.names}
            with contextlib.suppress(RuntimeError):  # the loop is closed
                question.loop.call_soon_threadsafe(self.on_answered, self, question, answers, look.exceeding)


class VisibilityCheck:
    """Whether a model may be shown documents and files. One for each server.

    Args:
        wait_s: as ``WAIT_S``.
        tell: is told, once for each, of an ignore file that is not read to its end.
    """

    def __init__(self, wait_s: float = WAIT_S, tell: Callable[[str], None] = _log.warning) -> None:
        self._wait_s = wait_s
        self._tell = tell
        self._folders: tuple[str, ...] = ()
        self._worker: _Worker | None = None
        self._stuck: list[_Worker] = []
        self._shown_limits: set[str] = set()

    def begin(self, folders: Collection[str]) -> None:
        """Take ``folders``, absolute paths, for those of the workspace."""
        self._folders = tuple(folders)

    async def may_show(self, path_or_uri: str, privacy: PrivacySettings) -> Visibility:
        """Whether a model may be shown the document with this URI, or the file."""
        return (await self.answers([path_or_uri], privacy))[path_or_uri]

    async def answers(self, names: Collection[str], privacy: PrivacySettings) -> Mapping[str, Visibility]:
        """``may_show`` for several paths or URIs, in one look."""
        unknown = dict.fromkeys(names, Visibility.UNKNOWN)
        loop = asyncio.get_running_loop()
        worker = self._ready_worker(loop.time())
        stuck = {name for one in self._stuck for question in one.pending for name in question.names}
        asked = tuple(name for name in unknown if name not in stuck)
        if not asked or worker is None:
            return unknown
        scope = VisibilityScope(tuple(privacy.exclude), privacy.respect_ignore_files, self._folders)
        question = _Question(asked, scope, loop, loop.create_future(), loop.time())
        worker.ask(question)
        done, _ = await asyncio.wait([question.answer], timeout=self._wait_s)
        return {**unknown, **question.answer.result()} if done else unknown

    def close(self) -> None:
        """End the threads."""
        for worker in (self._worker, *self._stuck):
            if worker is not None:
                worker.end()
        self._worker = None

    def _ready_worker(self, now: float) -> _Worker | None:
        """The thread for the next question: another one where the last waits for a file system; ``None`` where too many do."""
        worker = self._worker
        if worker is not None and worker.pending and now - next(iter(worker.pending)).asked >= self._wait_s:
            _log.warning("a file system has not answered for %.1f s: nothing on it is shown to a model", self._wait_s)
            self._stuck.append(worker)
            self._worker = None
        if self._worker is None and len(self._stuck) < MAX_STUCK:
            self._worker = _Worker(self._answered)
            self._worker.start()
        return self._worker

    def _answered(
        self, worker: _Worker, question: _Question, answers: Mapping[str, Visibility], exceeding: Mapping[str, str]
    ) -> None:
        del worker.pending[question]
        if worker in self._stuck:  # it answers again, and knows more than a new one
            self._stuck.remove(worker)
            if self._worker is not None:
                self._worker.end()
            self._worker = worker
        if not question.answer.done():
            question.answer.set_result(answers)
        for path, limit in exceeding.items():
            if path not in self._shown_limits:
                self._shown_limits.add(path)
                self._tell(f"{path} {limit}: everything below its folder is ignored")
