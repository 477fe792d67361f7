"""The boundary around every handler: what a failure costs, and who hears of it."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lsprotocol import types

from devstral_ls.errors import DevstralError

_log = logging.getLogger(__name__)

QUIET_S = 60.0
"""Seconds before the same error code is logged again."""

Show = Callable[[str, types.MessageType], None]


class Reporter:
    """Logs failures, and shows those of requests that the user made.

    Args:
        show: shows a message in the editor.
        contents: may the log quote documents?
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

        A failure we can name is logged once per code and minute, and shown with its hint if the user asked. A bug is
        logged with its traceback; it fails what the user asked for, and is nothing but an empty answer to a request
        that the editor made by itself.
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
        """Log where it broke. What the error says is left out unless contents may be logged: it may quote a document."""
        says = str(error) if self._contents() else ""
        where = "".join(traceback.format_tb(error.__traceback__))
        _log.error("%s failed: %s %s\n%s", what, type(error).__name__, says, where)

    def _is_news(self, code: str) -> bool:
        now = self._clock()
        if now - self._logged.get(code, float("-inf")) < QUIET_S:
            return False
        self._logged[code] = now
        return True
