"""Which candidates stand in the prompts of one document: chosen once, and kept while the user types.

A choice is made anew when the cursor goes to another definition, the imports change, or the line at the cursor uses
something that is not shown.
"""

from __future__ import annotations

from devstral_ls.code_context import Excerpt
from devstral_ls.prompt import excerpts
from devstral_ls.prompt.window import CHARACTERS_PER_TOKEN
from devstral_ls.retrieval.ranking import AT_CURSOR
from devstral_ls.retrieval.retriever import Retrieved
from devstral_ls.text import Snapshot


class ExcerptSelection:
    """The excerpts that one document's prompts show now."""

    def __init__(self) -> None:
        self._key: object = None
        self._epoch = 0
        self._chosen: tuple[Excerpt, ...] = ()

    @property
    def chosen(self) -> tuple[Excerpt, ...]:
        """Those that the last prompt showed."""
        return self._chosen

    def choose(self, retrieved: Retrieved, snapshot: Snapshot, offset: int, budget: int) -> tuple[Excerpt, ...]:
        """The excerpts for a prompt of ``budget`` tokens at ``offset``."""
        if retrieved.epoch != self._epoch:
            self._key, self._chosen, self._epoch = None, (), retrieved.epoch
        if any(one.file in retrieved.hidden for one in self._chosen):
            self._key = None
            self._chosen = tuple(one for one in self._chosen if one.file not in retrieved.hidden)
        if retrieved.candidates is None:  # the index has not answered yet: what was chosen stays
            return self._chosen
        if retrieved.key is None:
            return ()
        chosen = {one.text for one in self._chosen}
        window = _shown_anyway(snapshot, offset, budget)
        urgent = (one for one in retrieved.candidates if one.rank >= AT_CURSOR and one.text not in window)
        if self._key != retrieved.key or any(one.text not in chosen for one in urgent):
            self._key = retrieved.key
            self._chosen = excerpts.select_excerpts(retrieved.candidates, excerpts.room_for_excerpts(budget), window)
        return self._chosen


def reach(budget: int) -> int:
    """Characters on either side of the cursor that a prompt of ``budget`` tokens may show; 0: no room for excerpts."""
    return int(budget * CHARACTERS_PER_TOKEN) if excerpts.room_for_excerpts(budget) else 0


def _shown_anyway(snapshot: Snapshot, offset: int, budget: int) -> str:
    """About what the window will show."""
    n = int(budget * CHARACTERS_PER_TOKEN * 0.7)
    return snapshot.text[max(0, offset - n) : offset + n // 2]
