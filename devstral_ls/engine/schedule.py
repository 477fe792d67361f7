"""When a request runs, and in which slot: what one client does about the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from cachetools import LRUCache

from devstral_ls.engine.dialects import Sent
from devstral_ls.engine.running import Run
from devstral_ls.engine.slots import LOOK_SECONDS, LocalSlots, Slot, Slots
from devstral_ls.engine.turns import Rank, Turns
from devstral_ls.errors import EngineError
from devstral_ls.generation import GenerationRequest, Priority

_DRAIN_SECONDS = 10.0
"""A slot that was left is given back after this time at the latest; it takes a batch."""

_MAX_CONVERSATIONS = 32
"""Of which is remembered how much of the last prompt was evaluated, to know how much of the next is new."""


class Schedule:
    """The slots and turns of one client."""

    def __init__(self, slots: int | Slots, turns: Turns | None = None, hot_tokens: int = 64) -> None:
        """``slots`` is how many requests may run at once, or how they share the engine's; ``turns`` says who goes first,
        of inline requests those with at most ``hot_tokens`` new tokens. Without ``turns`` nobody waits for others.
        """
        self.turns = turns or Turns()
        self._slots: Slots = LocalSlots(slots) if isinstance(slots, int) else slots
        self._hot_tokens = hot_tokens
        self._evaluated: LRUCache[str, Sequence[object]] = LRUCache(_MAX_CONVERSATIONS)
        self._draining = set[asyncio.Task[None]]()

    def close(self) -> None:
        """Give all slots back that wait for the engine."""
        for task in self._draining:
            task.cancel()

    def rank(self, prompt: Sent, request: GenerationRequest) -> Rank:
        """Who goes first: inline requests by how much of their prompt is new to the conversation."""
        if not self.turns.shared:
            return Rank.HOT
        if request.priority is not Priority.INLINE:
            return Rank.ACTION if request.priority is Priority.ACTION else Rank.BACKGROUND
        before = self._evaluated.get(request.conversation, ())
        n_known = next((n for n, (a, b) in enumerate(zip(before, prompt, strict=False)) if a != b), len(before))
        return Rank.HOT if len(prompt) - n_known <= self._hot_tokens else Rank.COLD

    @asynccontextmanager
    async def slot(
        self,
        prompt: Sent,
        request: GenerationRequest,
        rank: Rank,
        run: Run,
        is_busy: Callable[[int], Awaitable[bool]],
    ) -> AsyncIterator[int | None]:
        """At the turn of ``rank``, the slot for ``prompt``: its number, or None where the engine chooses.

        It is given back at once if ``run`` ended by itself, and else when ``is_busy`` says that the engine noticed: what
        is sent before waits inside it, and is begun even if it is left.
        """
        async with self.turns.running(rank):
            slot = await self._slots.take(request.conversation)
            try:
                yield slot.number
            finally:
                if run.usage.prompt_tokens and self.turns.shared:
                    self._evaluated[request.conversation] = prompt[: run.usage.prompt_tokens]
                if run.ended or slot.number is None:
                    slot.close()
                else:
                    self._give_back(slot, partial(is_busy, slot.number))

    def _give_back(self, slot: Slot, is_busy: Callable[[], Awaitable[bool]]) -> None:
        task = asyncio.create_task(_drain(is_busy))
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)
        # Also where the task never began: a slot must not stay ours.
        task.add_done_callback(lambda _: slot.close())


async def _drain(is_busy: Callable[[], Awaitable[bool]]) -> None:
    with contextlib.suppress(TimeoutError, EngineError, ValueError, TypeError, KeyError, AttributeError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            # Not at once: it goes on to the end of a token at least, and asking takes 2 ms from who waits for our answer.
            await asyncio.sleep(LOOK_SECONDS)
            while await is_busy():  # noqa: ASYNC110  another process works
                await asyncio.sleep(LOOK_SECONDS)
