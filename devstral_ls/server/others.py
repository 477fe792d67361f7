"""What the pipeline is told of other files: the workspace's folders, documents as they change, files on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsprotocol import types

from devstral_ls.retrieval.visibility import IGNORE_FILES
from devstral_ls.text import Snapshot

if TYPE_CHECKING:
    from devstral_ls.prompt.diagnostic_comments import Diagnostic
    from devstral_ls.retrieval.index.client import WorkspaceIndex
    from devstral_ls.server.app import DevstralServer
    from devstral_ls.settings.tree import Settings
    from devstral_ls.suggest.retriever import ContextRetriever

TELL_S = 1.0
"""Seconds after the last change of a document until the index is told its text."""


class Others:
    """Passes on what happens; what happened before there was anybody to tell is made good by ``attach``."""

    def __init__(self) -> None:
        self._related: ContextRetriever | None = None
        self._folders: tuple[str, ...] = ()
        self._due: dict[str, asyncio.TimerHandle] = {}
        self._diagnosed: dict[str, tuple[Snapshot, Sequence[Diagnostic]]] = {}

    @property
    def index(self) -> WorkspaceIndex | None:
        """Who knows the definitions of other files, if anybody does."""
        return self._related.index if self._related is not None else None

    def attach(
        self, related: ContextRetriever, folders: tuple[str, ...], documents: list[Snapshot], settings: Settings
    ) -> None:
        """There is somebody to tell."""
        self._related = related
        self.begin(folders, settings)
        for snapshot in documents:
            self.opened(snapshot)
        for snapshot, found in self._diagnosed.values():
            related.diagnosed(snapshot, found)
        self._diagnosed.clear()

    def begin(self, folders: tuple[str, ...], settings: Settings) -> None:
        """The workspace has these folders, by URI, and the settings say what of them may be read."""
        if self._related is not None:
            self._related.begin(folders, settings)

    def opened(self, snapshot: Snapshot) -> None:
        """A document was opened or saved."""
        due = self._due.pop(snapshot.uri, None)
        if due is not None:
            due.cancel()
        if self._related is not None:
            self._related.opened(snapshot)

    def changed(self, before: Snapshot, after: Snapshot) -> None:
        """A document has changed; the index hears of it when it rests."""
        if self._related is None:
            return
        self._related.edited(before, after)
        due = self._due.pop(after.uri, None)
        if due is not None:
            due.cancel()
        self._due[after.uri] = asyncio.get_running_loop().call_later(TELL_S, self.opened, after)

    def diagnosed(self, snapshot: Snapshot, found: Sequence[Diagnostic]) -> None:
        """Other tools say this of a document, and nothing else."""
        if self._related is not None:
            self._related.diagnosed(snapshot, found)
        else:
            self._diagnosed[snapshot.uri] = snapshot, found

    def closed(self, uri: str) -> None:
        """A document was closed."""
        self._diagnosed.pop(uri, None)
        due = self._due.pop(uri, None)
        if due is not None:
            due.cancel()
        if self._related is not None:
            self._related.closed(uri)

    def changed_on_disk(self, uris: list[str]) -> None:
        """Files were made, changed or removed."""
        if self._related is not None:
            self._related.changed_on_disk(uris)

    async def aclose(self) -> None:
        """End what is under way."""
        for due in self._due.values():
            due.cancel()
        related, self._related = self._related, None
        if related is not None:
            await related.aclose()


def folders(ls: DevstralServer) -> tuple[str, ...]:
    """The URIs of the workspace's folders; none before ``initialize`` and without a workspace."""
    try:
        workspace = ls.workspace
    except RuntimeError:  # how pygls says that nobody has initialized yet
        return ()
    uris = sorted(workspace.folders) or [workspace.root_uri]
    return tuple(uri for uri in uris if uri)


def did_save(ls: DevstralServer, params: types.DidSaveTextDocumentParams) -> None:
    """The text on disk is that of the document now."""
    uri = params.text_document.uri
    snapshot = ls.documents.snapshot(uri)
    if snapshot is not None:
        ls.others.opened(snapshot)
    if uri.rpartition("/")[2] in IGNORE_FILES:  # not every editor watches files for us
        ls.others.changed_on_disk([uri])


def did_change_watched_files(ls: DevstralServer, params: types.DidChangeWatchedFilesParams) -> None:
    """Files have changed on disk."""
    ls.others.changed_on_disk([change.uri for change in params.changes])


def did_change_workspace_folders(ls: DevstralServer, _params: types.DidChangeWorkspaceFoldersParams) -> None:
    """Folders came or went; pygls keeps the list."""
    ls.others.begin(folders(ls), ls.settings)
