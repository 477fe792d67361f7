"""What the retriever learns of other files: the workspace's folders, documents as they change, files on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from devstral_ls.server.documents.store import DocumentObserver
from devstral_ls.text import DocumentChange, Snapshot

if TYPE_CHECKING:
    from devstral_ls.retrieval.index.workspace_index import WorkspaceIndex
    from devstral_ls.retrieval.retriever import ContextRetriever
    from devstral_ls.settings.tree import Settings

DELAY_S = 1.0
"""Seconds after the last change of a document until the index gets its text."""


class WorkspaceSync(DocumentObserver):
    """Passes what happens in the workspace on to the retriever; ``attach`` makes up for what came before it.

    Args:
        documents: the open documents.
        settings: the settings in force.
    """

    def __init__(self, documents: Callable[[], Iterable[Snapshot]], settings: Callable[[], Settings]) -> None:
        self._documents = documents
        self._settings = settings
        self._retriever: ContextRetriever | None = None
        self._root: str | None = None
        self._folders: frozenset[str] = frozenset()
        self._changed: Snapshot | None = None
        """The document changed last, while the index does not have its text."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def index(self) -> WorkspaceIndex | None:
        """The workspace index, or ``None`` while there is none."""
        return self._retriever.index if self._retriever is not None else None

    @property
    def folders(self) -> tuple[str, ...]:
        """The URIs of the workspace's folders; that of its root for a client that knows no folders."""
        root = () if self._root is None else (self._root,)
        return tuple(sorted(self._folders)) or root

    def attach(self, retriever: ContextRetriever) -> None:
        """Use ``retriever`` from now on."""
        self._retriever = retriever
        self.apply_settings()
        for snapshot in self._documents():
            retriever.opened(snapshot)

    def begin(self, root: str | None, folders: Iterable[str]) -> None:
        """Take the workspace as the client has it when the session begins."""
        self._root, self._folders = root, frozenset(folders)

    def change_folders(self, added: Iterable[str], removed: Iterable[str]) -> None:
        """The client has added and removed folders."""
        self._folders = (self._folders | frozenset(added)) - frozenset(removed)
        self.apply_settings()

    def apply_settings(self) -> None:
        """The folders may have changed, or what the settings allow to be read of them."""
        if self._retriever is not None:
            self._retriever.begin(self.folders, self._settings())

    def opened(self, snapshot: Snapshot) -> None:
        """A document was opened or saved."""
        if self._changed is not None and self._changed.uri == snapshot.uri:
            self._forget_change()
        if self._retriever is not None:
            self._retriever.opened(snapshot)

    def changed(self, change: DocumentChange) -> None:
        """A document has changed. The index gets its text when no change came for a while, or another document changed."""
        if self._retriever is None:
            return
        if self._changed is not None and self._changed.uri != change.after.uri:
            self._send_changed()
        self._forget_change()
        self._changed = change.after
        self._timer = asyncio.get_running_loop().call_later(DELAY_S, self._send_changed)

    def closed(self, uri: str) -> None:
        """A document was closed."""
        if self._changed is not None and self._changed.uri == uri:
            self._forget_change()
        if self._retriever is not None:
            self._retriever.closed(uri)

    def changed_on_disk(self, uris: Sequence[str]) -> None:
        """Files were made, changed or removed."""
        if self._retriever is not None:
            self._retriever.changed_on_disk(uris)

    async def aclose(self) -> None:
        """Stop, and let go of the index."""
        self._forget_change()
        retriever, self._retriever = self._retriever, None
        if retriever is not None:
            await retriever.aclose()

    def _send_changed(self) -> None:
        if self._changed is not None:
            self.opened(self._changed)

    def _forget_change(self) -> None:
        self._changed = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
