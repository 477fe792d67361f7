"""What the client can do with code actions and their edits, read once from its capabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lsprotocol import types


@dataclass(frozen=True, slots=True)
class Abilities:
    """All off for a client that says nothing."""

    literals: bool = False
    """Does it take code actions, or commands only?"""
    disabled: bool = False
    """Does it show actions that cannot be done, with the reason?"""
    resolves: bool = False
    """Does it ask for the edit of an action when the user has chosen it?"""
    applies: bool = False
    """Does it apply edits that we send?"""
    versioned: bool = False
    """Do edits say for which version of a document they are?"""
    creates: bool = False
    """May an edit make a file?"""
    annotations: bool = False
    """May an edit ask for confirmation?"""
    shows: bool = False
    """Does it open a document for us?"""
    progress: bool = False
    related: bool = False
    """Do diagnostics have related places?"""
    asks: bool = False
    """Does it ask its user for an instruction? (``experimental.devstral.asksInstruction``)"""

    @staticmethod
    def of(client: types.ClientCapabilities) -> Abilities:
        """What ``client`` says."""
        document, workspace, window = client.text_document, client.workspace, client.window
        action = document.code_action if document else None
        edits = workspace.workspace_edit if workspace else None
        diagnostics = document.publish_diagnostics if document else None
        resolve = action.resolve_support if action else None
        operations = (edits.resource_operations if edits else None) or ()
        versioned = bool(edits and edits.document_changes)
        return Abilities(
            literals=bool(action and action.code_action_literal_support),
            disabled=bool(action and action.disabled_support),
            resolves=bool(action and action.data_support and resolve and "edit" in resolve.properties),
            applies=bool(workspace and workspace.apply_edit),
            versioned=versioned,
            creates=versioned and types.ResourceOperationKind.Create in operations,
            annotations=versioned and bool(edits and edits.change_annotation_support),
            shows=bool(window and window.show_document and window.show_document.support),
            progress=bool(window and window.work_done_progress),
            related=bool(diagnostics and diagnostics.related_information),
            asks=_experimental(client.experimental, "asksInstruction"),
        )


def _experimental(said: Any, name: str) -> bool:
    """``experimental.devstral.NAME``."""
    ours = _member(said, "devstral")
    return _member(ours, name) is True


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
