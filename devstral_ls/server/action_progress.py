"""Work done progress of one running action: what it does, how fast, and a way to cancel it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from devstral_ls.actions.query import Progressed
    from devstral_ls.server.app import DevstralServer

_numbers = itertools.count(1)


class ActionProgress:
    """One progress; nothing waits for the client to show it."""

    def __init__(self, ls: DevstralServer, title: str) -> None:
        self._ls = ls
        self._title = title
        self.token = f"devstral-ls/action/{next(_numbers)}"
        self._begun = False
        self._ended = False

    def begin(self) -> None:
        """Ask the client for it."""
        if self._ls.actions.abilities.progress:
            self._ls.background(self._begin())

    def report(self, progressed: Progressed) -> None:
        """Say how far it is."""
        if self._begun and not self._ended:
            rate = f"{progressed.n_tokens} tokens, {progressed.tokens_per_second:.0f} a second"
            self._notify(types.WorkDoneProgressReport(message=f"{progressed.stage}: {rate}", cancellable=True))

    def end(self, message: str) -> None:
        """It is over."""
        if self._begun and not self._ended:
            self._notify(types.WorkDoneProgressEnd(message=message))
        self._ended = True

    async def _begin(self) -> None:
        try:
            await self._ls.protocol.send_request_async(
                types.WINDOW_WORK_DONE_PROGRESS_CREATE, types.WorkDoneProgressCreateParams(token=self.token)
            )
        except JsonRpcException:  # the client does not want it
            return
        if not self._ended:
            self._begun = True
            self._notify(types.WorkDoneProgressBegin(title=f"Devstral: {self._title}", cancellable=True))

    def _notify(self, value: object) -> None:
        self._ls.protocol.notify(types.PROGRESS, types.ProgressParams(token=self.token, value=value))
