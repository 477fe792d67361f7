"""Signatures of definitions in other files, for code actions: the index's answers as text that a model may be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from devstral_ls.retrieval.index.workspace_index import WorkspaceIndex
from devstral_ls.retrieval.redact import redacted
from devstral_ls.settings.tree import PrivacySettings
from devstral_ls.text import Snapshot

MAX_CHARACTERS = 2_000
"""Of all signatures together: the code itself matters more."""

MAX_LINES = 8
"""Of one signature; a class may have many methods."""

MAX_TRIES = 4
"""How often a running index that does not answer is queried for the visibility of a document, 2 s each."""


class IndexSignatures:
    """Queries the index, if there is one. Never raises."""

    def __init__(self, index: WorkspaceIndex | None, privacy: PrivacySettings, tries: int = MAX_TRIES) -> None:
        self._index = index
        self._tries = tries
        self._privacy = privacy

    async def allows(self, snapshot: Snapshot) -> bool:
        """True when the document may be shown to a model: no ignore file matches it."""
        if self._index is None or not self._privacy.respect_ignore_files:
            return True
        for _ in range(self._tries):
            answer = await self._index.find((), snapshot.uri, (), snapshot.language)
            if answer.answered or not self._index.is_alive:
                return answer.allowed
        return True

    async def signatures(self, names: Sequence[str], snapshot: Snapshot, imports: Sequence[str]) -> Mapping[str, str]:
        """The signatures of ``names`` by name: of those that ``snapshot`` imports, and those that it calls and one file defines."""
        if self._index is None or not names:
            return {}
        answer = await self._index.find(names, snapshot.uri, imports, snapshot.language)
        shown: dict[str, str] = {}
        room = MAX_CHARACTERS
        for source, name, definition in answer.definitions:
            if source != "imports" and not re.search(rf"\b{re.escape(name)}\s*\(", snapshot.text):
                continue  # a variable that has the name of a definition elsewhere
            text = redacted(definition.signature) if self._privacy.redact_secrets else definition.signature
            text = "\n".join(text.split("\n")[:MAX_LINES])
            room -= len(text)
            if room < 0:
                break
            shown[name] = text
        return shown
