"""Connections to Unix sockets, with a look at who listens: neither key nor code goes to another user's process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import UnixConnector

from devstral_ls.errors import EngineUnavailable
from devstral_ls.platform.users import stranger_at

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler


class OwnUnixConnector(UnixConnector):
    """aiohttp's, but what listens must be a process of this user or of root.

    Connecting raises EngineUnavailable where it is not, before anything was sent.
    """

    def __init__(self, path: str, *, hint: str | None = None, force_close: bool = False) -> None:
        """``hint`` is what a user is told who meets another one's socket."""
        super().__init__(path, limit=0, force_close=force_close)
        self._hint = hint

    async def _create_connection(self, *arguments: Any, **options: Any) -> ResponseHandler:
        # The place that aiohttp's own connectors override; tests/trust/test_other_users.py holds it.
        protocol = await super()._create_connection(*arguments, **options)
        stranger = None if protocol.transport is None else stranger_at(protocol.transport.get_extra_info("socket"))
        if stranger is not None:
            protocol.close()
            raise EngineUnavailable(f"a process of another user ({stranger}) listens on {self.path}", hint=self._hint)
        return protocol
