"""Diagnostics of other tools for one open document: reported by the client, moved along with edits, dropped with their lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from devstral_ls.code_context import Diagnostic
from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.text import DocumentChange, Snapshot, Span, moved_with_lines

MAX_KEPT = 100
"""Of one document; a file with more is broken as a whole."""

NEAR_LINES = 3
"""Lines around the cursor's function, or around the cursor outside of one, that count as near."""

MAX_LINES = 60
"""Lines from the cursor at most: in a long function the other end says nothing about here."""


class DocumentDiagnostics:
    """The latest diagnostics of one document, at their places in its present text."""

    def __init__(self) -> None:
        self._diagnostics: tuple[Diagnostic, ...] = ()

    def put(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Take ``diagnostics`` as all there are now."""
        self._diagnostics = tuple(diagnostics[:MAX_KEPT])

    def changed(self, change: DocumentChange) -> None:
        """Move with ``change``; diagnostics of the lines it changed go."""
        if self._diagnostics:
            self._diagnostics = _after(change, self._diagnostics)

    def at(self, snapshot: Snapshot, span: Span) -> tuple[Diagnostic, ...]:
        """Those on the lines of ``span``, in the order of the text."""
        first, last = snapshot.line_at(span.start), snapshot.line_at(span.end)
        found = [
            one
            for one in self._diagnostics
            if snapshot.line_at(one.span.start) <= last and snapshot.line_at(one.span.end) >= first
        ]
        return tuple(sorted(found, key=lambda one: (one.span.start, one.message)))

    def near(
        self, snapshot: Snapshot, offset: int, scope: CursorScope, limit: int, change: DocumentChange | None = None
    ) -> tuple[Diagnostic, ...]:
        """At most ``limit`` of the cursor's function, or on the header of its class: the nearest, in the order of the text.

        ``change`` leads from the document to ``snapshot``, where that is a text the document does not have yet.
        """
        diagnostics = self._diagnostics if change is None else _after(change, self._diagnostics)
        here = snapshot.line_at(offset)
        first = last = here
        header = -1
        for inner in scope.scopes[-1:]:
            if inner.kind == "function":
                first, last = snapshot.line_at(inner.span.start), snapshot.line_at(inner.span.end)
            else:
                header = snapshot.line_at(inner.header.start)
        first, last = max(first - NEAR_LINES, here - MAX_LINES), min(last + NEAR_LINES, here + MAX_LINES)
        by_line = [(snapshot.line_at(one.span.start), one) for one in diagnostics]
        near = [(line, one) for line, one in by_line if first <= line <= last or line == header]
        near.sort(key=lambda at: (at[1].severity != "error", abs(at[0] - here)))
        return tuple(sorted((one for _, one in near[:limit]), key=lambda one: (one.span.start, one.message)))


def _after(change: DocumentChange, diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    edit = change.edit
    places = ((one, moved_with_lines(change.before, one.span, edit)) for one in diagnostics)
    return tuple(replace(one, span=span) for one, span in places if span is not None)
