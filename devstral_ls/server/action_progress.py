"""Work done progress of one running action: what it does, how fast, and a way to cancel it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
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
        self.title = title
        """What is done, for people."""
        self.token = f"devstral-ls/action/{next(_numbers)}"
        self._begun = False
        self._ended = False

    def begin(self, others: Sequence[str] = ()) -> None:
        """Ask the client for it; ``others`` are the titles of actions that run, and that this one may wait for."""
        if self._ls.actions.abilities.progress:
            message = f"waiting for: {', '.join(others)}" if others else "reading the code"
            self._ls.background(self._begin(message))

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

    async def _begin(self, message: str) -> None:
        try:
            await self._ls.protocol.send_request_async(
                types.WINDOW_WORK_DONE_PROGRESS_CREATE, types.WorkDoneProgressCreateParams(token=self.token)
            )
        except JsonRpcException:  # the client does not want it
            return
        if not self._ended:
            self._begun = True
            title = f"Devstral: {self.title}"
            self._notify(types.WorkDoneProgressBegin(title=title, cancellable=True, message=message))

    def _notify(self, value: object) -> None:
        self._ls.protocol.notify(types.PROGRESS, types.ProgressParams(token=self.token, value=value))
