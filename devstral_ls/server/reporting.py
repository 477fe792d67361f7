"""The boundary around every handler: what a failure costs, where it is logged, and when the user is told."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from lsprotocol import types

from devstral_ls.errors import DevstralError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

QUIET_S = 60.0
"""Seconds before the same error code is logged again."""

Show = Callable[[str, types.MessageType], None]


class Reporter:
    """Logs failures, and shows those of requests that the user made.

    Args:
        show: shows a message in the editor.
        contents: True when the log may quote documents.
        clock: seconds.
    """

    def __init__(self, show: Show, contents: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._show = show
        self._contents = contents
        self._clock = clock
        self._logged: dict[str, float] = {}

    @contextmanager
    def reporting(self, *, asked_for: bool) -> Iterator[None]:
        """Run the block; a failure ends it, not the request.

        A ``DevstralError`` is logged once per code and minute, and shown with its hint where the user made the request. A
        bug is logged with its traceback; it fails a request of the user, and costs an automatic one nothing but its answer.
        """
        try:
            yield
        except DevstralError as error:
            if self._is_news(error.code):
                _log.warning("%s: %s. %s", error.code, error.message, error.hint)
            if asked_for:
                self.tell(error.message, error.hint)
        except Exception as bug:
            if asked_for:
                raise
            if self._is_news(type(bug).__name__):
                self.bug("an automatic request", bug)

    def tell(self, message: str, hint: str | None, kind: types.MessageType = types.MessageType.Warning) -> None:
        """Show one message in the editor."""
        text = message if message.endswith((".", "!", "?")) else f"{message}."
        self._show(f"Devstral: {text} {hint or ''}".rstrip(), kind)

    def bug(self, what: str, error: BaseException) -> None:
        """Log where it broke. The error's own text may quote a document: it is logged only where contents may be."""
        text = str(error) if self._contents() else ""
        where = "".join(traceback.format_tb(error.__traceback__))
        _log.error("%s failed: %s %s\n%s", what, type(error).__name__, text, where)

    def _is_news(self, code: str) -> bool:
        now = self._clock()
        if now - self._logged.get(code, float("-inf")) < QUIET_S:
            return False
        self._logged[code] = now
        return True


class BackgroundTasks:
    """Work that runs beside the handlers; a bug in it is logged."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Run ``work``."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def cancel(self) -> None:
        """Cancel all that still runs, but for the task that calls this."""
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._reporter.bug("background work", error)
