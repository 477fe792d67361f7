"""What of a query a model may see: excluded documents not at all, secrets as ``x`` in their place.

The model works on a document without its secrets. What it would replace must not hold any: they could not be put back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from devstral_ls.actions.query import ActionQuery, ActionRefused
from devstral_ls.retrieval import visibility
from devstral_ls.retrieval.redact import redacted, secrets
from devstral_ls.settings.tree import PrivacySettings
from devstral_ls.text import Snapshot, Span

EXCLUDED = "this file is excluded by privacy.exclude"
IGNORED = "an ignore file names this file (privacy.respectIgnoreFiles)"
NOT_SHOWN = "No model is shown it."


def shown(query: ActionQuery, privacy: PrivacySettings) -> tuple[ActionQuery, tuple[Span, ...]]:
    """``query`` as a model may see it, with every place as it was, and where its document has secrets."""
    if not privacy.redact_secrets:
        return query, ()
    before = query.snapshot
    found = tuple(Span(start, end) for start, end in secrets(before.text))
    snapshot = Snapshot(before.uri, before.version, before.language, redacted(before.text)) if found else before
    problems = tuple(replace(one, message=redacted(one.message)) for one in query.problems)
    said = replace(query, instruction=redacted(query.instruction), tried=redacted(query.tried), problems=problems)
    return replace(said, snapshot=snapshot), found


def shown_file(path: str, text: str, privacy: PrivacySettings) -> str:
    """The text of another file as a model may see it; empty for one that is excluded."""
    if visibility.is_excluded(PurePosixPath(path), privacy.exclude):
        return ""
    return redacted(text) if privacy.redact_secrets else text


def keep_secrets(snapshot: Snapshot, span: Span, found: Sequence[Span], what: str) -> None:
    """See to it that nothing is written over a secret.

    Raises:
        ActionRefused: there is one in ``span``.
    """
    for one in found:
        if one.start < span.end and span.start < one.end:
            line = snapshot.line_at(one.start) + 1
            raise ActionRefused(
                f"{what} has what looks like a secret on line {line}, and no model is shown that",
                hint="Move it out of the code, select less, or switch privacy.redactSecrets off.",
            )
