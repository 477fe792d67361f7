"""Signatures of what other files define, for code actions: the index's answer as text that a model may see."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from devstral_ls.retrieval.index.client import WorkspaceIndex
from devstral_ls.retrieval.redact import redacted
from devstral_ls.settings.tree import PrivacySettings
from devstral_ls.text import Snapshot

MAX_CHARACTERS = 2_000
"""Of all signatures together: they are context, and the code itself comes first."""

MAX_LINES = 8
"""Of one; a class may have many methods."""

MAX_TRIES = 4
"""How often an index that is there and does not answer is asked whether a document may be shown, 2 s each."""


class IndexSignatures:
    """What an index knows, or nothing without one. Never raises."""

    def __init__(self, index: WorkspaceIndex | None, privacy: PrivacySettings, tries: int = MAX_TRIES) -> None:
        self._index = index
        self._tries = tries
        self._privacy = privacy

    async def allows(self, snapshot: Snapshot) -> bool:
        """May the document be shown to a model? Not if an ignore file names it."""
        if self._index is None or not self._privacy.respect_ignore_files:
            return True
        for _ in range(self._tries):
            found = await self._index.find((), snapshot.uri, (), snapshot.language)
            if found.answered or not self._index.is_alive:
                return found.allowed
        return True

    async def signatures(self, names: Sequence[str], snapshot: Snapshot, imports: Sequence[str]) -> Mapping[str, str]:
        """The signatures of ``names`` by name: what ``snapshot`` imports, and what it calls and one file defines."""
        if self._index is None or not names:
            return {}
        found = await self._index.find(names, snapshot.uri, imports, snapshot.language)
        shown: dict[str, str] = {}
        room = MAX_CHARACTERS
        for source, name, one in found.definitions:
            if source != "imports" and not re.search(rf"\b{re.escape(name)}\s*\(", snapshot.text):
                continue  # a variable that is called as something elsewhere is
            text = "\n".join(one.signature.split("\n")[:MAX_LINES])
            text = redacted(text) if self._privacy.redact_secrets else text
            room -= len(text)
            if room < 0:
                break
            shown[name] = text
        return shown
