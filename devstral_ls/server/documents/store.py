"""The open documents as snapshots, and the only place where LSP positions become offsets and back.

pygls' own ``TextDocument`` is not used: it splits lines with ``str.splitlines``, which also breaks at form feeds and
Unicode separators, and splits the whole text again at every change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol

from lsprotocol import types

from devstral_ls.server.documents.positions import UTF16, Encoding, n_code_points, n_units
from devstral_ls.text import Edit, Snapshot, Span


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


class Documents:
    """What the client has open. Every change makes a new ``Snapshot``; the old ones stay as they were."""

    def __init__(self, encoding: Encoding = UTF16) -> None:
        self.encoding = encoding
        """The position encoding agreed on with the client."""
        self._open: dict[str, Snapshot] = {}
        self.listeners: list[Callable[[str], None]] = []
        """Hear the URI of each document that was changed or closed."""

    def open(self, item: types.TextDocumentItem) -> None:
        """The client has opened a document, or a cell of a notebook."""
        language = item.language_id.value if isinstance(item.language_id, Enum) else item.language_id
        # lsprotocol lets null and numbers through; without a name the file's ending says what it is.
        language = language if isinstance(language, str) else ""
        self._open[item.uri] = Snapshot(item.uri, item.version, language, item.text)

    def change(
        self,
        document: types.VersionedTextDocumentIdentifier,
        changes: Sequence[types.TextDocumentContentChangeEvent],
    ) -> bool:
        """The client has changed a document: each change is said against the text the one before it left.

        Returns ``False`` for a document that is not open.
        """
        snapshot = self._open.get(document.uri)
        if snapshot is None:
            return False
        for change in changes:
            snapshot = self._changed(snapshot, document.version, change)
        if not changes:
            snapshot = snapshot.edited(Edit(Span(0, 0), ""), document.version)
        self._open[document.uri] = snapshot
        self._tell(document.uri)
        return True

    def close(self, uri: str) -> None:
        """The client has closed a document."""
        self._open.pop(uri, None)
        self._tell(uri)

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
        """Does the document still read as it did in ``snapshot``?"""
        now = self._open.get(snapshot.uri)
        return now is snapshot or (now is not None and now.text == snapshot.text)

    def offset(self, snapshot: Snapshot, position: types.Position) -> int:
        """Where ``position`` is, in code points; past the end of a line or of the text is that end."""
        if position.line >= snapshot.n_lines:
            return len(snapshot.text)
        span = snapshot.line_span(max(position.line, 0))
        return span.start + n_code_points(snapshot.of(span), max(position.character, 0), self.encoding)

    def position(self, snapshot: Snapshot, offset: int) -> types.Position:
        """The place of ``offset`` as the client counts."""
        line = snapshot.line_at(offset)
        span = snapshot.line_span(line)
        before = snapshot.text[span.start : min(offset, span.end)]
        return types.Position(line=line, character=n_units(before, self.encoding))

    def range(self, snapshot: Snapshot, span: Span) -> types.Range:
        """``span`` as the client counts."""
        return types.Range(start=self.position(snapshot, span.start), end=self.position(snapshot, span.end))

    def _tell(self, uri: str) -> None:
        for listener in tuple(self.listeners):
            listener(uri)

    def _changed(self, snapshot: Snapshot, version: int, change: types.TextDocumentContentChangeEvent) -> Snapshot:
        if isinstance(change, types.TextDocumentContentChangeWholeDocument):
            return Snapshot(snapshot.uri, version, snapshot.language, change.text)
        start = self.offset(snapshot, change.range.start)
        end = self.offset(snapshot, change.range.end)
        edit = Edit(Span(min(start, end), max(start, end)), change.text)
        return snapshot.edited(edit, version)
