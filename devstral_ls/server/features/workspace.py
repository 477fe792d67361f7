"""``didSave``, ``didChangeWatchedFiles`` and ``didChangeWorkspaceFolders``: what changes outside the open documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from devstral_ls.retrieval.visibility import IGNORE_FILES

if TYPE_CHECKING:
    from devstral_ls.server.server import DevstralServer


def did_save(ls: DevstralServer, params: types.DidSaveTextDocumentParams) -> None:
    """The document's text is on disk now."""
    uri = params.text_document.uri
    snapshot = ls.documents.snapshot(uri)
    if snapshot is not None:
        ls.workspace.opened(snapshot)
    if uri.rpartition("/")[2] in IGNORE_FILES:  # not every editor watches files for us
        ls.workspace.changed_on_disk([uri])


def did_change_watched_files(ls: DevstralServer, params: types.DidChangeWatchedFilesParams) -> None:
    """Files have changed on disk."""
    ls.workspace.changed_on_disk([change.uri for change in params.changes])


def did_change_workspace_folders(ls: DevstralServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
    """Folders were added or removed."""
    event = params.event
    ls.workspace.change_folders((folder.uri for folder in event.added), (folder.uri for folder in event.removed))


HANDLERS = {
    types.TEXT_DOCUMENT_DID_SAVE: did_save,
    types.WORKSPACE_DID_CHANGE_WATCHED_FILES: did_change_watched_files,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: did_change_workspace_folders,
}
