"""The open documents as snapshots, and the only place where LSP positions become offsets and back.

pygls' own ``TextDocument`` is not used: it splits lines with ``str.splitlines``, which also breaks at form feeds and
Unicode separators, and splits the whole text again at every change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from lsprotocol import types

from devstral_ls.server.documents.positions import UTF16, Encoding, n_code_points, n_units
from devstral_ls.text import DocumentChange, Edit, Snapshot, Span, single_edit


class AtPosition(Protocol):
    """Parameters of any request at a place in a document."""

    @property
    def text_document(self) -> types.TextDocumentIdentifier:
        """The document."""
        ...

    @property
    def position(self) -> types.Position:
        """The place in it."""
        ...


class DocumentObserver:
    """Told what happens to the open documents, in the order it happens. Its methods return at once and raise nothing."""

    def opened(self, snapshot: Snapshot) -> None:
        """The client has opened a document, or has opened it anew."""

    def changed(self, change: DocumentChange) -> None:
        """The client has changed a document."""

    def closed(self, uri: str) -> None:
        """The client has closed a document."""


class Documents:
    """What the client has open. Every change makes a new ``Snapshot``; the old ones stay as they were.

    Args:
        encoding: the position encoding until ``use_encoding`` is called; the protocol's default.
    """

    def __init__(self, encoding: Encoding = UTF16) -> None:
        self._encoding = encoding
        self._open: dict[str, Snapshot] = {}
        self._observers: list[DocumentObserver] = []
        self._waiting: set[asyncio.Future[None]] = set()

    def subscribe(self, *observers: DocumentObserver) -> None:
        """Tell ``observers`` of everything from now on, in this order, after those that subscribed before."""
        self._observers += observers

    def use_encoding(self, encoding: Encoding) -> None:
        """Read and give positions in ``encoding`` from now on: the one agreed on in ``initialize``."""
        self._encoding = encoding

    def open(self, item: types.TextDocumentItem) -> None:
        """The client has opened a document, or a cell of a notebook."""
        language = item.language_id.value if isinstance(item.language_id, Enum) else item.language_id
        # lsprotocol lets null and numbers through; without a name the file's ending says what it is.
        language = language if isinstance(language, str) else ""
        snapshot = self._open[item.uri] = Snapshot(item.uri, item.version, language, item.text)
        self._wake()
        for observer in self._observers:
            observer.opened(snapshot)

    def change(
        self,
        document: types.VersionedTextDocumentIdentifier,
        changes: Sequence[types.TextDocumentContentChangeEvent],
    ) -> DocumentChange | None:
        """The client has changed a document: the range of each change is in the text that the one before it left.

        Returns ``None`` for a document that is not open.
        """
        before = self._open.get(document.uri)
        if before is None:
            return None
        after, edits = before, []
        for change in changes:
            edits.append(self._edit(after, change))
            after = after.edited(edits[-1], document.version)
        if not edits:  # the version is a new one all the same
            after = before.edited(Edit(Span(0, 0), ""), document.version)
        self._open[document.uri] = after
        published = DocumentChange(before, after, tuple(edits))
        self._wake()
        for observer in self._observers:
            observer.changed(published)
        return published

    def close(self, uri: str) -> None:
        """The client has closed a document."""
        self._open.pop(uri, None)
        self._wake()
        for observer in self._observers:
            observer.closed(uri)

    async def moved_on(self, snapshot: Snapshot) -> None:
        """Return once the document is another than ``snapshot``: it was changed, opened anew or closed."""
        while self._open.get(snapshot.uri) is snapshot:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            try:
                await waiting
            finally:
                self._waiting.discard(waiting)

    def all(self) -> list[Snapshot]:
        """Every open document."""
        return list(self._open.values())

    def snapshot(self, uri: str) -> Snapshot | None:
        """The document as it is now; ``None`` if it is not open."""
        return self._open.get(uri)

    def at(self, params: AtPosition) -> tuple[Snapshot, int] | None:
        """The document as it is now and the offset asked for; ``None`` if it is not open."""
        snapshot = self._open.get(params.text_document.uri)
        return None if snapshot is None else (snapshot, self.offset(snapshot, params.position))

    def is_current(self, snapshot: Snapshot) -> bool:
        """True while the document has the very text of ``snapshot``: since then nothing in it was changed."""
        now = self._open.get(snapshot.uri)
        return now is not None and now.text is snapshot.text

    def offset(self, snapshot: Snapshot, position: types.Position) -> int:
        """Where ``position`` is, in code points; past the end of a line or of the text is that end."""
        if position.line >= snapshot.n_lines:
            return len(snapshot.text)
        span = snapshot.line_span(max(position.line, 0))
        return span.start + n_code_points(snapshot.of(span), max(position.character, 0), self._encoding)

    def position(self, snapshot: Snapshot, offset: int) -> types.Position:
        """The place of ``offset`` as the client counts."""
        line = snapshot.line_at(offset)
        span = snapshot.line_span(line)
        before = snapshot.text[span.start : min(offset, span.end)]
        return types.Position(line=line, character=n_units(before, self._encoding))

    def range(self, snapshot: Snapshot, span: Span) -> types.Range:
        """``span`` as the client counts."""
        return types.Range(start=self.position(snapshot, span.start), end=self.position(snapshot, span.end))

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def _edit(self, snapshot: Snapshot, change: types.TextDocumentContentChangeEvent) -> Edit:
        if isinstance(change, types.TextDocumentContentChangeWholeDocument):
            return single_edit(snapshot.text, change.text)  # the client does not say what it has changed
        start = self.offset(snapshot, change.range.start)
        end = self.offset(snapshot, change.range.end)
        return Edit(Span(min(start, end), max(start, end)), change.text)
