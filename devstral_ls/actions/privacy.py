"""What of a query a model may see: excluded documents not at all, secrets masked with ``x``.

The model works on a document without its secrets. Code to be replaced must not contain any: they could not be restored.
"""

from __future__ import annotations

from dataclasses import replace

from devstral_ls.actions.query import ActionQuery
from devstral_ls.retrieval.redact import masked, redacted, secrets
from devstral_ls.retrieval.visibility import Visibility
from devstral_ls.settings.tree import PrivacySettings
from devstral_ls.text import Snapshot, Span

EXCLUDED = "this file is excluded by privacy.exclude"
IGNORED = "an ignore file names this file (privacy.respectIgnoreFiles)"
UNDECIDED = "it cannot be told whether this file may be shown to a model: its disk or an ignore file cannot be read"
HIDDEN = {Visibility.EXCLUDED: EXCLUDED, Visibility.IGNORED: IGNORED, Visibility.UNKNOWN: UNDECIDED}
"""Why a document is not shown to a model."""

NOT_SHOWN = "No model sees such files; change the setting if this one may be shown."


def masked_query(query: ActionQuery, privacy: PrivacySettings) -> tuple[ActionQuery, tuple[Span, ...]]:
    """``query`` with its secrets masked, every offset as it was, and the spans of the document's secrets."""
    if not privacy.redact_secrets:
        return query, ()
    before = query.snapshot
    found = secrets(before.text)
    snapshot = Snapshot(before.uri, before.version, before.language, masked(before.text, found)) if found else before
    shown = replace(
        query,
        snapshot=snapshot,
        instruction=redacted(query.instruction),
        failed_attempt=redacted(query.failed_attempt),
        diagnostics=tuple(replace(item, message=redacted(item.message)) for item in query.diagnostics),
    )
    return shown, tuple(Span(start, end) for start, end in found)


def masked_file(text: str, privacy: PrivacySettings) -> str:
    """The text of another file, which a model may see, without its secrets."""
    return redacted(text) if privacy.redact_secrets else text
