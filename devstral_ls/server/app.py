"""A server with every handler registered."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from lsprotocol import types

from devstral_ls.platform.paths import Directories
from devstral_ls.platform.paths import directories as default_directories
from devstral_ls.server.documents import sync
from devstral_ls.server.factories import FACTORIES
from devstral_ls.server.features import (
    client_diagnostics,
    code_action,
    commands,
    completion,
    initialize,
    inline_completion,
    workspace,
)
from devstral_ls.server.protocols import Factories
from devstral_ls.server.rpc.serving import serve_stdio, serve_tcp
from devstral_ls.server.server import DevstralServer

__all__ = ["DevstralServer", "create_server", "serve_stdio", "serve_tcp"]

HANDLERS = {
    **initialize.HANDLERS,
    **sync.HANDLERS,
    **workspace.HANDLERS,
    **client_diagnostics.HANDLERS,
    **inline_completion.HANDLERS,
    **completion.HANDLERS,
    **code_action.HANDLERS,
    **commands.HANDLERS,
}

OPTIONS: Mapping[str, Any] = {
    types.TEXT_DOCUMENT_INLINE_COMPLETION: types.InlineCompletionOptions(),
    types.TEXT_DOCUMENT_COMPLETION: types.CompletionOptions(),
    types.TEXT_DOCUMENT_CODE_ACTION: code_action.OPTIONS,
}
"""How requests are announced to the client."""


def create_server(
    factories: Factories | None = None,
    *,
    directories: Directories | None = None,
    environ: Mapping[str, str] = os.environ,
    client_process_id: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> DevstralServer:
    """A server with everything registered, without a client.

    Args:
        factories: make engine and pipeline; the real ones by default.
        directories: the user's folders; from ``environ`` by default.
        environ: the environment.
        client_process_id: leave when this process is gone.
        clock: seconds.
    """
    directories = directories or default_directories(environ)
    server = DevstralServer(factories or FACTORIES, directories, environ, client_process_id, clock)
    for method, handler in HANDLERS.items():
        server.features.feature(method, OPTIONS.get(method))(handler)
    for name, command in commands.COMMANDS.items():
        server.features.command(name)(command)
    return server
