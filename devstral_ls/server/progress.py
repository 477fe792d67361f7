"""Work done progress while a model loads, for clients that show it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol

if TYPE_CHECKING:
    from devstral_ls.engine.status import EngineStatus

_TITLE = "Devstral"
_LOADING = ("starting", "loading")


class LoadingProgress:
    """One progress for each time the engine gets ready. It ends in every case, and waits for nobody.

    Args:
        protocol: to the client.
        background: runs a coroutine beside everything else.
    """

    def __init__(
        self, protocol: LanguageServerProtocol, background: Callable[[Coroutine[Any, Any, None]], object]
    ) -> None:
        self._protocol = protocol
        self._background = background
        self._numbers = itertools.count(1)
        self._token: str | None = None
        self._begun = False
        self._status: EngineStatus | None = None
        self._reported: tuple[str | None, int | None] | None = None
        self.supported = False
        """Does the client show it? Set at ``initialize``."""

    def update(self, status: EngineStatus) -> None:
        """The engine says how it is."""
        self._status = status
        if not self.supported:
            return
        if status.state not in _LOADING:
            self.end(status.message)
        elif self._token is None:
            self._token = f"devstral-ls/loading/{next(self._numbers)}"
            self._background(self._begin(self._token))
        elif self._begun:
            self._report()

    def shows(self, token: object) -> bool:
        """Is ``token`` that of the progress shown now?"""
        return self._begun and token == self._token

    def end(self, message: str | None = None) -> None:
        """End what is shown, if anything is."""
        if self._begun and self._token is not None:
            self._notify(self._token, types.WorkDoneProgressEnd(message=message))
        self._token, self._begun, self._reported = None, False, None

    async def _begin(self, token: str) -> None:
        try:
            await self._protocol.send_request_async(
                types.WINDOW_WORK_DONE_PROGRESS_CREATE, types.WorkDoneProgressCreateParams(token=token)
            )
        except JsonRpcException:  # the client does not want it
            return
        if self._token != token:  # it was over before the client answered
            return
        self._begun = True
        message, percentage = self._now()
        begin = types.WorkDoneProgressBegin(title=_TITLE, cancellable=True, message=message, percentage=percentage)
        self._notify(token, begin)
        self._reported = (message, percentage)

    def _report(self) -> None:
        now = self._now()
        if now != self._reported and self._token is not None:
            self._reported = now
            self._notify(self._token, types.WorkDoneProgressReport(message=now[0], percentage=now[1]))

    def _now(self) -> tuple[str | None, int | None]:
        status = self._status
        if status is None:
            return None, None
        percentage = None if status.progress is None else int(100 * min(max(status.progress, 0), 1))
        return status.message or status.state, percentage

    def _notify(self, token: str, value: object) -> None:
        self._protocol.notify(types.PROGRESS, types.ProgressParams(token=token, value=value))
