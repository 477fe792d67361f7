"""``didOpen``, ``didChange`` and ``didClose`` of documents and notebooks; a cell of a notebook is a document."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from devstral_ls.server.server import DevstralServer

_log = logging.getLogger(__name__)


def did_open(ls: DevstralServer, params: types.DidOpenTextDocumentParams) -> None:
    """Keep the document."""
    ls.documents.open(params.text_document)


def did_change(ls: DevstralServer, params: types.DidChangeTextDocumentParams) -> None:
    """Change the document."""
    _change(ls, params.text_document, params.content_changes)


def did_close(ls: DevstralServer, params: types.DidCloseTextDocumentParams) -> None:
    """Forget the document."""
    ls.documents.close(params.text_document.uri)


def did_open_notebook(ls: DevstralServer, params: types.DidOpenNotebookDocumentParams) -> None:
    """Keep the cells."""
    for cell in params.cell_text_documents:
        ls.documents.open(cell)


def did_change_notebook(ls: DevstralServer, params: types.DidChangeNotebookDocumentParams) -> None:
    """Open, close and change cells."""
    cells = params.change.cells
    if cells is None:
        return
    if cells.structure is not None:
        for cell in cells.structure.did_open or ():
            ls.documents.open(cell)
        for closed in cells.structure.did_close or ():
            ls.documents.close(closed.uri)
    for content in cells.text_content or ():
        _change(ls, content.document, content.changes)


def did_close_notebook(ls: DevstralServer, params: types.DidCloseNotebookDocumentParams) -> None:
    """Forget the cells."""
    for cell in params.cell_text_documents:
        ls.documents.close(cell.uri)


def _change(
    ls: DevstralServer,
    document: types.VersionedTextDocumentIdentifier,
    changes: Sequence[types.TextDocumentContentChangeEvent],
) -> None:
    change = ls.documents.change(document, changes)
    if change is None:
        _log.warning("a change of a document that is not open")
    elif change.edits and isinstance(changes[-1], types.TextDocumentContentChangePartial):
        # The protocol reports no cursor; it is assumed to be where the last change was made.
        last = change.edits[-1]
        ls.on_cursor_idle(change.after, last.span.start + len(last.text))


HANDLERS = {
    types.TEXT_DOCUMENT_DID_OPEN: did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: did_change,
    types.TEXT_DOCUMENT_DID_CLOSE: did_close,
    types.NOTEBOOK_DOCUMENT_DID_OPEN: did_open_notebook,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE: did_change_notebook,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE: did_close_notebook,
}
