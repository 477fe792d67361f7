"""``devstral/diagnostics``: what other tools report of a document, passed on by the client.

The body is that of ``textDocument/publishDiagnostics``. Only errors and warnings are used, and what cannot be read is left
out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from lsprotocol import types

from devstral_ls.server.actions.review_findings import SOURCE
from devstral_ls.text import Snapshot, Span

if TYPE_CHECKING:
    from devstral_ls.code_context import Diagnostic
    from devstral_ls.server.documents.store import Documents
    from devstral_ls.server.server import DevstralServer

METHOD = "devstral/diagnostics"

MAX_READ = 200
"""Diagnostics of one notification that are read."""

_MAX_CODE = 80
"""Characters of a diagnostic's code, and of its tool's name."""

_SEVERITIES: Mapping[Any, Literal["error", "warning"]] = {None: "error", 1: "error", 2: "warning"}
"""LSP leaves the meaning of a missing severity to the receiver. Information and hints are about style."""


def did_report(ls: DevstralServer, params: Any) -> None:
    """Take the diagnostics of a document's current version; for any other version the client sends them again soon."""
    if not isinstance(params, Mapping) or not isinstance(params.get("uri"), str):
        return
    snapshot = ls.documents.snapshot(params["uri"])
    reported = params.get("diagnostics")
    if snapshot is None or not isinstance(reported, list) or params.get("version") not in (None, snapshot.version):
        return
    diagnostics = (_diagnostic(ls.documents, snapshot, one) for one in reported[:MAX_READ])
    ls.session.diagnosed(snapshot, tuple(one for one in diagnostics if one is not None))


def _diagnostic(documents: Documents, snapshot: Snapshot, reported: Any) -> Diagnostic | None:
    """``reported`` as a value; ``None`` where it cannot be read, has no message, or comes from this server."""
    # Imports parsers: not before `initialize` is answered.
    from devstral_ls.code_context import Diagnostic
    from devstral_ls.prompt.diagnostic_comments import MAX_MESSAGE

    if not isinstance(reported, Mapping) or reported.get("source") == SOURCE:
        return None
    severity, text = reported.get("severity"), reported.get("message")
    if not isinstance(text, str) or isinstance(severity, list | dict) or severity not in _SEVERITIES:
        return None
    message = next((line.strip() for line in text.split("\n") if line.strip()), "")
    offsets = [_offset(documents, snapshot, *position) for position in _positions(reported.get("range"))]
    if not message or len(offsets) != 2:
        return None
    code, source = reported.get("code"), reported.get("source")
    return Diagnostic(
        Span(min(offsets), max(offsets)),
        _SEVERITIES[severity],
        message[:MAX_MESSAGE],
        str(code)[:_MAX_CODE] if isinstance(code, str | int) else "",
        source[:_MAX_CODE] if isinstance(source, str) else "",
    )


def _positions(range_: Any) -> Iterator[tuple[int, int]]:
    for name in ("start", "end") if isinstance(range_, Mapping) else ():
        position = range_.get(name)
        if isinstance(position, Mapping):
            line, character = position.get("line"), position.get("character")
            if type(line) is int and type(character) is int:
                yield line, character


def _offset(documents: Documents, snapshot: Snapshot, line: int, character: int) -> int:
    return documents.offset(snapshot, types.Position(line=max(0, line), character=max(0, character)))


HANDLERS = {METHOD: did_report}
