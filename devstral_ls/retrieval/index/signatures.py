"""Signatures of definitions in other files, for code actions: the index's answers as text that a model may be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from devstral_ls.retrieval.index.workspace_index import WorkspaceIndex
from devstral_ls.retrieval.redact import redacted
from devstral_ls.retrieval.visibility import Visibility
from devstral_ls.retrieval.visibility_check import VisibilityCheck
from devstral_ls.settings.tree import PrivacySettings
from devstral_ls.text import Snapshot

MAX_CHARACTERS = 2_000
"""Of all signatures together: the code itself matters more."""

MAX_LINES = 8
"""Of one signature; a class may have many methods."""


class IndexSignatures:
    """Queries the index, if there is one. Never raises."""

    def __init__(self, index: WorkspaceIndex | None, privacy: PrivacySettings, visibility: VisibilityCheck) -> None:
        self._index = index
        self._privacy = privacy
        self._visibility = visibility

    async def signatures(self, names: Sequence[str], snapshot: Snapshot, imports: Sequence[str]) -> Mapping[str, str]:
        """The signatures of ``names`` by name: of those that ``snapshot`` imports, and those that it calls and one file defines."""
        if self._index is None or not names:
            return {}
        answer = await self._index.find(names, snapshot.uri, imports, snapshot.language)
        files = {definition.path for _, _, definition in answer.definitions}
        visibility = await self._visibility.answers(files, self._privacy)
        shown: dict[str, str] = {}
        room = MAX_CHARACTERS
        for source, name, definition in answer.definitions:
            if visibility[definition.path] is not Visibility.VISIBLE:
                continue
            if source != "imports" and not re.search(rf"\b{re.escape(name)}\s*\(", snapshot.text):
                continue  # a variable that has the name of a definition elsewhere
            text = redacted(definition.signature) if self._privacy.redact_secrets else definition.signature
            text = "\n".join(text.split("\n")[:MAX_LINES])
            room -= len(text)
            if room < 0:
                break
            shown[name] = text
        return shown
