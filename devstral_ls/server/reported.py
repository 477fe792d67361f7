"""``devstral/diagnostics``: what other tools say of a document, as the client tells it. A server hears of no other server.

The body is that of ``textDocument/publishDiagnostics``. What of it is of use is decided here and in the pipeline; what
cannot be read is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from lsprotocol import types

from devstral_ls.server.diagnostics import SOURCE
from devstral_ls.text import Snapshot, Span

if TYPE_CHECKING:
    from devstral_ls.prompt.diagnostic_comments import Diagnostic
    from devstral_ls.server.app import DevstralServer
    from devstral_ls.server.documents import Documents

METHOD = "devstral/diagnostics"

MAX_READ = 200
"""Of one notification."""

_SEVERITIES: Mapping[Any, Literal["error", "warning"]] = {None: "error", 1: "error", 2: "warning"}
"""LSP leaves it to us what no severity means. Information and hints are about style."""


def did_report(ls: DevstralServer, params: Any) -> None:
    """Keep what is said of the document as it is now; what is about another version is said again soon."""
    if not isinstance(params, Mapping) or not isinstance(params.get("uri"), str):
        return
    snapshot = ls.documents.snapshot(params["uri"])
    said = params.get("diagnostics")
    if snapshot is None or not isinstance(said, list) or params.get("version") not in (None, snapshot.version):
        return
    found = (_diagnosis(ls.documents, snapshot, one) for one in said[:MAX_READ])
    ls.others.diagnosed(snapshot, tuple(one for one in found if one is not None))


def _diagnosis(documents: Documents, snapshot: Snapshot, said: Any) -> Diagnostic | None:
    """One of them; ``None`` where it is not one, says nothing, or was said by ourselves."""
    from devstral_ls.prompt.diagnostic_comments import (  # parsers: not before `initialize` is answered
        MAX_MESSAGE,
        Diagnostic,
    )

    if not isinstance(said, Mapping) or said.get("source") == SOURCE or not isinstance(said.get("message"), str):
        return None
    severity = said.get("severity")
    message = next((line.strip() for line in said["message"].split("\n") if line.strip()), "")
    places = [_offset(documents, snapshot, place) for place in _ends(said.get("range"))]
    if isinstance(severity, list | dict) or severity not in _SEVERITIES or not message or len(places) != 2:
        return None
    return Diagnostic(Span(min(places), max(places)), _SEVERITIES[severity], message[:MAX_MESSAGE])


def _ends(range_: Any) -> Iterator[tuple[int, int]]:
    for name in ("start", "end") if isinstance(range_, Mapping) else ():
        place = range_.get(name)
        line, character = (place.get("line"), place.get("character")) if isinstance(place, Mapping) else (None, None)
        if type(line) is int and type(character) is int:
            yield line, character


def _offset(documents: Documents, snapshot: Snapshot, place: tuple[int, int]) -> int:
    return documents.offset(snapshot, types.Position(line=max(0, place[0]), character=max(0, place[1])))
