"""Review findings as diagnostics: published, moved along with edits, cleared where the code changes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lsprotocol import types

from devstral_ls.actions.query import Finding
from devstral_ls.server.client_port import Client
from devstral_ls.server.documents.store import DocumentObserver, Documents
from devstral_ls.text import DocumentChange, Edit, Snapshot, Span, moved, moved_with_lines, single_edit, touches

SOURCE = "Devstral"

_SEVERITY = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "information": types.DiagnosticSeverity.Information,
}


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A finding, and where it is now."""

    id: str
    finding: Finding
    span: Span
    """The code of its line."""
    related: Span | None


@dataclass(frozen=True, slots=True)
class _Published:
    """The findings of one document, for the text of ``snapshot``."""

    snapshot: Snapshot
    findings: Sequence[ShownFinding]


class ReviewFindings(DocumentObserver):
    """The findings of all open documents.

    Args:
        documents: the open documents.
        client: the editor.
    """

    def __init__(self, documents: Documents, client: Client) -> None:
        self._documents = documents
        self._client = client
        self._published: dict[str, _Published] = {}
        self._numbers = itertools.count(1)

    def show(self, snapshot: Snapshot, reviewed: Span, findings: Sequence[Finding]) -> None:
        """Publish the findings of a review of ``reviewed`` in ``snapshot``; older findings there go."""
        uri = snapshot.uri
        now = self._documents.snapshot(uri)
        if now is None:
            return
        older = self._findings(uri)
        new = [self._located(snapshot, finding) for finding in findings]
        if now.text is snapshot.text:
            older = [shown for shown in older if not _overlap(shown.span, reviewed)]
        else:
            edit = single_edit(snapshot.text, now.text)
            new = [after for shown in new if (after := _after(snapshot, shown, edit)) is not None]
        self._publish(now, [*older, *new])

    def at(self, snapshot: Snapshot, span: Span) -> list[ShownFinding]:
        """The findings on the lines of ``span``."""
        first, last = snapshot.line_at(span.start), snapshot.line_at(span.end)
        return [one for one in self._findings(snapshot.uri) if first <= snapshot.line_at(one.span.start) <= last]

    def fix(self, snapshot: Snapshot, shown: ShownFinding) -> Edit | None:
        """The edit of a finding that changing its line repairs."""
        if shown.finding.fix is None:
            return None
        return Edit(snapshot.line_span(snapshot.line_at(shown.span.start)), shown.finding.fix)

    def clear(self, uri: str | None = None, finding: str | None = None) -> int:
        """Dismiss one finding, those of a document, or all; returns how many there were."""
        n_cleared = 0
        for each in [uri] if uri is not None else list(self._published):
            before = self._findings(each)
            after = [shown for shown in before if finding is not None and shown.id != finding]
            if len(after) != len(before):
                n_cleared += len(before) - len(after)
                self._publish(self._published[each].snapshot, after)
        return n_cleared

    def diagnostic(self, snapshot: Snapshot, shown: ShownFinding) -> types.Diagnostic:
        """A finding as LSP has it."""
        related = None
        if shown.related is not None and self._client.abilities.related_information:
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

    def _findings(self, uri: str) -> Sequence[ShownFinding]:
        published = self._published.get(uri)
        return () if published is None else published.findings

    def _located(self, snapshot: Snapshot, finding: Finding) -> ShownFinding:
        span = snapshot.line_span(min(finding.line, snapshot.n_lines - 1))
        text = snapshot.of(span)
        begin = span.start + len(text) - len(text.lstrip())
        return ShownFinding(f"review-{next(self._numbers)}", finding, Span(begin, span.end), finding.related)

    def changed(self, change: DocumentChange) -> None:
        """A document has changed: findings on changed lines go, those below move."""
        published = self._published.get(change.after.uri)
        if published is None:
            return
        before, edit = change.before, change.edit
        findings = [after for shown in published.findings if (after := _after(before, shown, edit)) is not None]
        if findings == list(published.findings):
            self._published[change.after.uri] = _Published(change.after, findings)
        else:
            self._publish(change.after, findings)

    def closed(self, uri: str) -> None:
        """A document was closed: the client is told that there are no findings."""
        published = self._published.pop(uri, None)
        if published is not None and published.findings:
            params = types.PublishDiagnosticsParams(uri=uri, diagnostics=[])
            self._client.notify(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, params)

    def _publish(self, snapshot: Snapshot, findings: Sequence[ShownFinding]) -> None:
        self._published[snapshot.uri] = _Published(snapshot, findings)
        diagnostics = [self.diagnostic(snapshot, shown) for shown in findings]
        params = types.PublishDiagnosticsParams(snapshot.uri, diagnostics, snapshot.version)
        self._client.notify(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, params)


def _overlap(one: Span, other: Span) -> bool:
    return one.start <= other.end and other.start <= one.end


def _after(before: Snapshot, shown: ShownFinding, edit: Edit) -> ShownFinding | None:
    """``shown`` where it is after ``edit``; ``None`` when its line was changed, or what is just before it."""
    line_start = before.line_span(before.line_at(shown.span.start)).start
    span, related = moved_with_lines(before, shown.span, edit), shown.related
    if span is None or edit.span.end == line_start:
        return None
    if related is not None:
        related = None if touches(related, edit) else moved(related, edit)
    return replace(shown, span=span, related=related)
