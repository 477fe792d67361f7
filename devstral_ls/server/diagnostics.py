"""Review findings as diagnostics: published, moved along with edits, cleared where the code changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lsprotocol import types

from devstral_ls.actions.query import Finding
from devstral_ls.server.documents import Documents
from devstral_ls.text import Edit, Snapshot, Span, single_edit

SOURCE = "Devstral"

_SEVERITY = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "information": types.DiagnosticSeverity.Information,
}

Publish = Callable[[types.PublishDiagnosticsParams], None]


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding and the line it is about."""

    id: str
    finding: Finding
    span: Span
    related: Span | None


class Reviews:
    """The findings of all open documents.

    Args:
        documents: the open ones.
        publish: sends a notification.
    """

    def __init__(self, documents: Documents, publish: Publish) -> None:
        self._documents = documents
        self._publish = publish
        self._shown: dict[str, list[Shown]] = {}
        self._read: dict[str, Snapshot] = {}
        self._n = 0
        self.related = False
        """Does the client show related places?"""
        documents.listeners.append(self._changed)

    def show(self, snapshot: Snapshot, reviewed: Span, findings: Sequence[Finding]) -> None:
        """Publish what a review of ``reviewed`` found in ``snapshot``; older findings there go."""
        uri = snapshot.uri
        self._changed(uri)
        now = self._documents.snapshot(uri)
        if now is None:
            return
        kept = self._shown.get(uri, [])
        found = [self._placed(snapshot, finding) for finding in findings]
        if now.text == snapshot.text:
            kept = [one for one in kept if not _touch(one.span, reviewed)]
        else:
            theirs = single_edit(snapshot.text, now.text)
            found = [moved for one in found if (moved := _moved(snapshot, one, theirs)) is not None]
        self._shown[uri], self._read[uri] = [*kept, *found], now
        self._send(uri)

    def _placed(self, snapshot: Snapshot, finding: Finding) -> Shown:
        self._n += 1
        span = snapshot.line_span(min(finding.line, snapshot.n_lines - 1))
        text = snapshot.of(span)
        begin = span.start + len(text) - len(text.lstrip())
        return Shown(f"review-{self._n}", finding, Span(begin, span.end), finding.related)

    def at(self, snapshot: Snapshot, span: Span) -> list[Shown]:
        """The findings on the lines of ``span``."""
        first, last = snapshot.line_at(span.start), snapshot.line_at(span.end)
        return [one for one in self._shown.get(snapshot.uri, ()) if first <= snapshot.line_at(one.span.start) <= last]

    def fix(self, snapshot: Snapshot, shown: Shown) -> Edit | None:
        """The edit of a finding that one line repairs."""
        if shown.finding.fix is None:
            return None
        return Edit(snapshot.line_span(snapshot.line_at(shown.span.start)), shown.finding.fix)

    def clear(self, uri: str | None = None, finding: str | None = None) -> int:
        """Dismiss one finding, those of a document, or all; how many were there?"""
        n_cleared = 0
        for known in [uri] if uri is not None else list(self._shown):
            found = self._shown.get(known, [])
            kept = [one for one in found if finding is not None and one.id != finding]
            n_cleared += len(found) - len(kept)
            if len(kept) != len(found):
                self._shown[known] = kept
                self._send(known)
        return n_cleared

    def diagnostic(self, snapshot: Snapshot, shown: Shown) -> types.Diagnostic:
        """A finding as LSP has it."""
        related = None
        if shown.related is not None and self.related:
            location = types.Location(uri=snapshot.uri, range=self._documents.range(snapshot, shown.related))
            related = [types.DiagnosticRelatedInformation(location=location, message="in this code")]
        return types.Diagnostic(
            range=self._documents.range(snapshot, shown.span),
            message=shown.finding.message,
            severity=_SEVERITY[shown.finding.severity],
            code=shown.finding.code,
            source=SOURCE,
            related_information=related,
            data={"id": shown.id},
        )

    def _changed(self, uri: str) -> None:
        """A document was changed or closed: findings on changed lines go, those below move."""
        before, now = self._read.get(uri), self._documents.snapshot(uri)
        if before is None or now is before:
            return
        found = self._shown.get(uri, [])
        if now is None:
            self._shown.pop(uri, None)
            self._read.pop(uri, None)
            if found:
                self._publish(types.PublishDiagnosticsParams(uri=uri, diagnostics=[]))
            return
        theirs = single_edit(before.text, now.text)
        moved = [one for one in (_moved(before, one, theirs) for one in found) if one is not None]
        self._shown[uri], self._read[uri] = moved, now
        if moved != found:
            self._send(uri)

    def _send(self, uri: str) -> None:
        snapshot = self._documents.snapshot(uri)
        if snapshot is None:
            return
        diagnostics = [self.diagnostic(snapshot, one) for one in self._shown.get(uri, ())]
        self._publish(types.PublishDiagnosticsParams(uri=uri, diagnostics=diagnostics, version=snapshot.version))


def _touch(one: Span, other: Span) -> bool:
    return one.start <= other.end and other.start <= one.end


def _moved(before: Snapshot, shown: Shown, edit: Edit) -> Shown | None:
    line = before.line_span(before.line_at(shown.span.start))
    if _touch(line, edit.span) and (edit.span.start < line.end or edit.text[:1] not in ("\n", "\r")):
        return None
    if edit.span.start >= line.end:
        related = shown.related if shown.related is None or edit.span.start > shown.related.end else None
        return shown if related == shown.related else replace(shown, related=None)
    delta = len(edit.text) - len(edit.span)
    related = shown.related
    if related is not None:
        related = Span(related.start + delta, related.end + delta) if edit.span.end < related.start else None
    return replace(shown, span=Span(shown.span.start + delta, shown.span.end + delta), related=related)
