"""``didOpen``, ``didChange`` and ``didClose`` of documents and notebooks.

The text goes into our own store, and no second copy into pygls' workspace.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.protocol import LanguageServerProtocol, lsp_method

if TYPE_CHECKING:
    from devstral_ls.server.app import DevstralServer

_log = logging.getLogger(__name__)


class DocumentSync(LanguageServerProtocol):
    """The part of the protocol that keeps documents up to date; a cell of a notebook is a document."""

    _server: DevstralServer

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        """Keep the document."""
        self._open(params.text_document)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Change the document."""
        self._change(params.text_document, params.content_changes)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Forget the document."""
        self._server.forget(params.text_document.uri)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def lsp_notebook_document__did_open(self, params: types.DidOpenNotebookDocumentParams) -> None:
        """Keep the cells, each a document."""
        for cell in params.cell_text_documents:
            self._open(cell)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def lsp_notebook_document__did_change(self, params: types.DidChangeNotebookDocumentParams) -> None:
        """Open, close and change cells."""
        cells = params.change.cells
        if cells is None:
            return
        if cells.structure is not None:
            for cell in cells.structure.did_open or ():
                self._open(cell)
            for closed in cells.structure.did_close or ():
                self._server.forget(closed.uri)
        for content in cells.text_content or ():
            self._change(content.document, content.changes)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def lsp_notebook_document__did_close(self, params: types.DidCloseNotebookDocumentParams) -> None:
        """Forget the cells."""
        for cell in params.cell_text_documents:
            self._server.forget(cell.uri)

    def _open(self, item: types.TextDocumentItem) -> None:
        self._server.documents.open(item)
        snapshot = self._server.documents.snapshot(item.uri)
        if snapshot is not None:
            self._server.others.opened(snapshot)

    def _change(
        self,
        document: types.VersionedTextDocumentIdentifier,
        changes: Sequence[types.TextDocumentContentChangeEvent],
    ) -> None:
        documents = self._server.documents
        before = documents.snapshot(document.uri)
        changed = documents.change(document, changes)
        after = documents.snapshot(document.uri)
        if not changed or before is None or after is None:
            _log.warning("a change of a document that is not open")
            return
        self._server.others.changed(before, after)
        self._server.statistics.changed(before, after)
        if changes:
            # The protocol tells of no cursor; it stands where something was changed last.
            last = changes[-1]
            if isinstance(last, types.TextDocumentContentChangePartial):
                start = documents.offset(after, last.range.start)
                self._server.on_cursor_idle(after, start + len(last.text))
