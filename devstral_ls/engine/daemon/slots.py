"""The slots of a backend: each holds the KV cache of one conversation, and the queue picks which one a request runs in.

llama-server's own choice takes the slot whose cache begins most like the prompt. Two documents with the same first
lines, or the same instruction in front, then take each other's slot while others are empty. So the daemon picks: a
conversation keeps its slot until all slots are needed and it was used longest ago.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Slot:
    """One slot."""

    number: int
    conversation: str = ""
    """The conversation whose prompt is in its KV cache; empty for none, or for a request without a conversation."""
    evaluated: Sequence[object] = ()
    """The prompt tokens in its KV cache."""
    last_use: int = 0
    """Higher numbers are more recent."""
    busy: bool = False


class Slots:
    """All slots of one backend."""

    def __init__(self, n_slots: int, *, are_chosen: bool = True) -> None:
        """``are_chosen``: see ``Capabilities.has_slots``. Where the backend chooses, no request waits for one of them."""
        self._are_chosen = are_chosen
        self._slots = [Slot(number) for number in range(max(n_slots, 1))]
        self._n_uses = 0

    @property
    def n_busy(self) -> int:
        """How many have a request running."""
        return sum(slot.busy for slot in self._slots)

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots)

    def evaluated(self, conversation: str) -> Sequence[object]:
        """The prompt tokens of ``conversation`` that are in a KV cache."""
        own = self._own(conversation)
        return own.evaluated if own is not None else ()

    def is_own_busy(self, conversation: str) -> bool:
        """True when the slot of ``conversation`` is running another request: waiting for it keeps its cache."""
        own = self._own(conversation) if self._are_chosen else None
        return own is not None and own.busy

    def take(self, conversation: str) -> Slot | None:
        """The slot of ``conversation`` or else the free one used longest ago; None when all are busy."""
        own = self._own(conversation)
        free = [slot for slot in self._slots if not slot.busy]
        if own is not None and not own.busy:
            chosen = own
        elif free:
            chosen = min(free, key=lambda slot: slot.last_use)
        else:
            return None
        self._n_uses += 1
        chosen.busy, chosen.last_use = True, self._n_uses
        if chosen is not own:
            chosen.conversation, chosen.evaluated = conversation, ()
        return chosen

    def release(self, slot: Slot, evaluated: Sequence[object] | None = None) -> None:
        """``slot`` is free; ``evaluated`` is the prompt now in its cache, None where that did not change."""
        slot.busy = False
        if evaluated is not None:
            slot.evaluated = evaluated

    def _own(self, conversation: str) -> Slot | None:
        """The slot of ``conversation``; of several a free one, and of those the one used last."""
        if not conversation:
            return None
        own = [slot for slot in self._slots if slot.conversation == conversation]
        return max(own, key=lambda slot: (not slot.busy, slot.last_use), default=None)
