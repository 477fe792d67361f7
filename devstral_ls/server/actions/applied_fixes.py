"""Fixes that were applied: whether one helped is known when the client sends diagnostics again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from devstral_ls.code_context import Diagnostic
from devstral_ls.server.documents.store import DocumentObserver
from devstral_ls.text import Snapshot

MAX_FIXES = 32
"""Fixes of a session that are remembered: a fix matters while the user works on its document."""


@dataclass(frozen=True, slots=True)
class AppliedFix:
    """A fix, and the diagnostics it was for."""

    uri: str
    version: int
    """Of the document before the fix."""
    diagnostics: frozenset[tuple[str, str]]
    """Code and message of each diagnostic."""
    text: str


class AppliedFixes(DocumentObserver):
    """The fixes of one session."""

    def __init__(self) -> None:
        self._fixes: deque[AppliedFix] = deque(maxlen=MAX_FIXES)

    def add(self, snapshot: Snapshot, diagnostics: tuple[Diagnostic, ...], text: str) -> None:
        """A fix of ``diagnostics`` was applied to ``snapshot``."""
        self._fixes.appendleft(AppliedFix(snapshot.uri, snapshot.version, _keys(diagnostics), text))

    def still_reported(self, snapshot: Snapshot, diagnostics: tuple[Diagnostic, ...]) -> str:
        """The text of the last fix, if it was for one of ``diagnostics``, which are still reported; empty without one."""
        fix = next((fix for fix in self._fixes if fix.uri == snapshot.uri), None)
        if fix is None or snapshot.version <= fix.version:
            return ""
        return fix.text if _keys(diagnostics) & fix.diagnostics else ""

    def closed(self, uri: str) -> None:
        """A document was closed: versions start again when it is opened."""
        self._fixes = deque((fix for fix in self._fixes if fix.uri != uri), MAX_FIXES)


def _keys(diagnostics: tuple[Diagnostic, ...]) -> frozenset[tuple[str, str]]:
    return frozenset((item.code, item.message) for item in diagnostics)
