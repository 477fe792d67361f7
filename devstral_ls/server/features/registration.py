"""Which capabilities are announced at ``initialize``, and which are registered later, as the client wants it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lsprotocol import types

from devstral_ls.settings.tree import Settings

INLINE = types.TEXT_DOCUMENT_INLINE_COMPLETION
COMPLETION = types.TEXT_DOCUMENT_COMPLETION
WATCHED = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
CONFIGURATION = types.WORKSPACE_DID_CHANGE_CONFIGURATION


class Registration:
    """Each capability reaches the client once: announced, or registered."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._dynamic: set[str] = set()

    def announce(self, client: types.ClientCapabilities, server: types.ServerCapabilities, settings: Settings) -> None:
        """Remove from ``server`` what is to be registered later, and what the settings switch off."""
        document, workspace = client.text_document, client.workspace
        dynamic = {
            INLINE: document and document.inline_completion,
            COMPLETION: document and document.completion,
            CONFIGURATION: workspace and workspace.did_change_configuration,
            WATCHED: workspace and workspace.did_change_watched_files,
        }
        self._dynamic = {method for method, wish in dynamic.items() if wish and wish.dynamic_registration}
        if INLINE in self._dynamic:
            server.inline_completion_provider = None
        else:
            self._known.add(INLINE)
        if settings.completion.enable:
            self._known.add(COMPLETION)
        else:
            server.completion_provider = None

    def due(self, settings: Settings) -> Iterator[types.Registration]:
        """The registrations to send now; each is given once."""
        options: dict[str, Any] = {
            INLINE: {"documentSelector": None},
            COMPLETION: {"documentSelector": None} if settings.completion.enable else None,
            CONFIGURATION: {},
            WATCHED: {"watchers": [{"globPattern": "**/*"}]},
        }
        for method in sorted(self._dynamic - self._known):
            if options[method] is not None:
                self._known.add(method)
                yield types.Registration(id=f"devstral-ls/{method}", method=method, register_options=options[method])
