"""Work done progress: one that the server began, for a model that loads, a download, or an action."""

from __future__ import annotations

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from devstral_ls.server.client_port import Client


class WorkDoneProgress:
    """One progress. No work waits for the client to show it; without a client that shows it, nothing is sent.

    Args:
        client: the editor.
        token: identifies the progress; the client cancels by it.
        title: what is done, for the user.
    """

    def __init__(self, client: Client, token: str, title: str) -> None:
        self._client = client
        self.token = token
        self._title = title
        self._state: tuple[str | None, int | None] = None, None
        self._is_shown = False
        self._has_ended = False

    @property
    def is_shown(self) -> bool:
        """True from when the client has agreed to show it until it ends."""
        return self._is_shown and not self._has_ended

    async def begin(self, message: str | None = None, percentage: int | None = None) -> None:
        """Ask the client to show it; what it shows first is the state when the client has agreed."""
        self._state = message, percentage
        if not self._client.abilities.shows_progress:
            return
        params = types.WorkDoneProgressCreateParams(token=self.token)
        try:
            await self._client.request(types.WINDOW_WORK_DONE_PROGRESS_CREATE, params)
        except JsonRpcException:  # the client does not want it
            return
        if not self._has_ended:
            self._is_shown = True
            message, percentage = self._state
            self._notify(
                types.WorkDoneProgressBegin(self._title, cancellable=True, message=message, percentage=percentage)
            )

    def report(self, message: str | None = None, percentage: int | None = None) -> None:
        """Show how far it is, unless that is shown already."""
        is_news, self._state = self._state != (message, percentage), (message, percentage)
        if self.is_shown and is_news:
            self._notify(types.WorkDoneProgressReport(message=message, percentage=percentage))

    def end(self, message: str | None = None) -> None:
        """It is over; again does nothing."""
        if self.is_shown:
            self._notify(types.WorkDoneProgressEnd(message=message))
        self._has_ended = True

    def _notify(self, value: object) -> None:
        self._client.notify(types.PROGRESS, types.ProgressParams(token=self.token, value=value))
