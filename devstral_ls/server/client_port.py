"""The editor as the rest of the server sees it: what it can do, and three ways to reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lsprotocol import types

from devstral_ls.server.rpc.json_rpc import JsonRpcConnection


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a client can do, from its capabilities. All off for a client that says nothing."""

    action_literals: bool = False
    """Takes code actions, not only commands."""
    disabled_actions: bool = False
    """Shows actions that cannot be done, with the reason."""
    tags_actions: bool = False
    """Knows that an action's edit was written by a model (LSP 3.18's ``LLMGenerated``)."""
    resolves_actions: bool = False
    """Asks for the edit of an action when the user has chosen it."""
    applies_edits: bool = False
    """Applies edits that the server sends."""
    versioned_edits: bool = False
    """Takes edits that name the version of their document."""
    creates_files: bool = False
    """Takes edits that make a file."""
    confirms_edits: bool = False
    """Takes edits that the user is to confirm."""
    shows_documents: bool = False
    """Opens a document that the server names."""
    shows_progress: bool = False
    """Shows progress that the server begins."""
    shows_questions: bool = False
    """Shows a message with buttons. Clients that have ``showMessage`` at all are taken to."""
    related_information: bool = False
    """Shows the related places of a diagnostic."""
    asks_instruction: bool = False
    """Asks its user for an instruction (``experimental.devstral.asksInstruction``)."""
    configuration: bool = False
    """Can be asked for the configuration."""

    @staticmethod
    def of(client: types.ClientCapabilities) -> Abilities:
        """The abilities that ``client`` announces."""
        document, workspace, window = client.text_document, client.workspace, client.window
        action = document.code_action if document else None
        edits = workspace.workspace_edit if workspace else None
        diagnostics = document.publish_diagnostics if document else None
        resolve = action.resolve_support if action else None
        tags = action.tag_support if action else None
        operations = (edits.resource_operations if edits else None) or ()
        versioned = bool(edits and edits.document_changes)
        return Abilities(
            action_literals=bool(action and action.code_action_literal_support),
            disabled_actions=bool(action and action.disabled_support),
            tags_actions=bool(tags and types.CodeActionTag.LlmGenerated in tags.value_set),
            resolves_actions=bool(action and action.data_support and resolve and "edit" in resolve.properties),
            applies_edits=bool(workspace and workspace.apply_edit),
            versioned_edits=versioned,
            creates_files=versioned and types.ResourceOperationKind.Create in operations,
            confirms_edits=versioned and bool(edits and edits.change_annotation_support),
            shows_documents=bool(window and window.show_document and window.show_document.support),
            shows_progress=bool(window and window.work_done_progress),
            shows_questions=bool(window and window.show_message),
            related_information=bool(diagnostics and diagnostics.related_information),
            asks_instruction=_experimental(client.experimental, "asksInstruction"),
            configuration=bool(workspace and workspace.configuration),
        )


class Client(Protocol):
    """The client of this server. Nothing but this is needed to reach the user."""

    @property
    def abilities(self) -> Abilities:
        """What the client can do; all off before ``initialize``."""
        ...

    async def request(self, method: str, params: object) -> Any:
        """Send a request; the result as the type that LSP has for it.

        Raises:
            JsonRpcException: the client refused, or its result cannot be read.
        """
        ...

    def notify(self, method: str, params: object) -> None:
        """Send a notification."""
        ...

    def show(self, message: str, kind: types.MessageType) -> None:
        """Show a message in the editor."""
        ...


class ConnectedClient:
    """The client behind a connection."""

    def __init__(self, connection: JsonRpcConnection) -> None:
        self._connection = connection
        self._abilities = Abilities()

    @property
    def abilities(self) -> Abilities:
        """What the client can do; all off before ``initialize``."""
        return self._abilities

    def initialized(self, capabilities: types.ClientCapabilities) -> None:
        """Take what the client announces in ``initialize``."""
        self._abilities = Abilities.of(capabilities)

    async def request(self, method: str, params: object) -> Any:
        """Send a request; see ``Client``."""
        return await self._connection.request(method, params)

    def notify(self, method: str, params: object) -> None:
        """Send a notification."""
        self._connection.notify(method, params)

    def show(self, message: str, kind: types.MessageType) -> None:
        """Show a message in the editor."""
        self.notify(types.WINDOW_SHOW_MESSAGE, types.ShowMessageParams(type=kind, message=message))


def _experimental(announced: Any, name: str) -> bool:
    """``experimental.devstral.NAME``."""
    return _member(_member(announced, "devstral"), name) is True


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
