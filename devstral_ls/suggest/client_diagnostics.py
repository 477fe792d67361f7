"""What other tools said of the open documents: told by the client, moved along with edits, dropped where they touch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from devstral_ls.code_context import Diagnostic
from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.prompt.diagnostic_comments import MAX_COMMENTS
from devstral_ls.text import Edit, Snapshot, Span, single_edit

MAX_DOCUMENTS = 16

MAX_KEPT = 100
"""Of one document; a file with more is broken as a whole."""

NEAR_LINES = 3
"""Lines around the cursor's function, or around the cursor outside of one, that count as near."""

MAX_LINES = 60
"""Lines from the cursor at most: in a long function the other end says nothing about here."""


class ClientDiagnostics:
    """The latest word on each document."""

    def __init__(self) -> None:
        self._said: OrderedDict[str, tuple[Snapshot, tuple[Diagnostic, ...]]] = OrderedDict()

    def put(self, snapshot: Snapshot, found: Sequence[Diagnostic]) -> None:
        """All that is said of ``snapshot`` now."""
        self._said[snapshot.uri] = snapshot, tuple(found[:MAX_KEPT])
        self._said.move_to_end(snapshot.uri)
        if len(self._said) > MAX_DOCUMENTS:
            self._said.popitem(last=False)

    def edited(self, after: Snapshot) -> None:
        """A document has changed: what was said of changed lines goes."""
        known = self._said.get(after.uri)
        if known is not None and known[1]:
            self._said[after.uri] = after, _after(known[0], after, known[1])

    def forget(self, uri: str) -> None:
        """The document was closed."""
        self._said.pop(uri, None)

    def near(self, snapshot: Snapshot, offset: int, scope: CursorScope) -> tuple[Diagnostic, ...]:
        """Those of the cursor's function, or on the header of its class; the nearest ones, in the order of the text."""
        said_of, found = self._said.get(snapshot.uri, (snapshot, ()))
        if found and said_of.text != snapshot.text:  # a text that is written ahead
            found = _after(said_of, snapshot, found)
        here = snapshot.line_at(offset)
        first = last = here
        header = -1
        for one in scope.scopes[-1:]:
            if one.kind == "function":
                first, last = snapshot.line_at(one.span.start), snapshot.line_at(one.span.end)
            else:
                header = snapshot.line_at(one.header.start)
        first, last = max(first - NEAR_LINES, here - MAX_LINES), min(last + NEAR_LINES, here + MAX_LINES)
        placed = [(snapshot.line_at(one.span.start), one) for one in found]
        near = [(line, one) for line, one in placed if first <= line <= last or line == header]
        near.sort(key=lambda at: (at[1].severity != "error", abs(at[0] - here)))
        return tuple(sorted((one for _, one in near[:MAX_COMMENTS]), key=lambda one: (one.span.start, one.message)))


def _after(before: Snapshot, after: Snapshot, found: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    edit = single_edit(before.text, after.text)
    return tuple(moved for one in found if (moved := _moved(before, one, edit)) is not None)


def _moved(before: Snapshot, one: Diagnostic, edit: Edit) -> Diagnostic | None:
    """``one`` behind an edit of ``before``; ``None`` where a line it is about has changed."""
    first = before.line_starts[before.line_at(one.span.start)]
    last = before.line_span(before.line_at(one.span.end)).end
    start, end = edit.span.start, edit.span.end
    if start > last or (start == last and edit.text[:1] in ("\n", "\r")):
        return one
    whole_lines = edit.text.endswith(("\n", "\r")) or (
        not edit.text and before.line_starts[before.line_at(start)] == start
    )
    if end < first or (end == first and whole_lines):
        delta = len(edit.text) - len(edit.span)
        return replace(one, span=Span(one.span.start + delta, one.span.end + delta))
    return None
