"""The one queue in front of a backend: which requests run, which wait, and which are paused for a higher rank.

Everything here happens in one event loop and between two awaits, so there is nothing to lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

from devstral_ls.engine.daemon.interruption import Interruptible
from devstral_ls.engine.daemon.slots import Slot, Slots

_T = TypeVar("_T")


class Rank(IntEnum):
    """Lower numbers go first: a request makes those of higher numbers wait, or pauses them between two batches."""

    INLINE_CACHED = 0
    """Inline, and all but the last tokens of the prompt are cached: it ends in less than a second."""
    INLINE_COLD = 1
    """Inline with a new prompt: it can be paused until its answer has begun."""
    NEXT_EDIT = 2
    ACTION = 3
    AGENT = 4
    BACKGROUND = 5


@dataclass(frozen=True, slots=True)
class Waits:
    """The bounds of the queue, in seconds."""

    starved: Mapping[Rank, float]
    """A request that waited so long for higher ranks runs for ``share`` all the same: eight users who type must not
    stop an action for good. Cached inline requests never wait for a rank."""
    share: float = 0.5
    own_slot: float = 1.0
    """How long a conversation waits for its own slot before it takes another: another request of the same conversation
    runs in it, and what is in the cache is worth more than that."""


WAITS = Waits({Rank.INLINE_COLD: 3.0, Rank.NEXT_EDIT: 3.0, Rank.ACTION: 3.0, Rank.AGENT: 6.0, Rank.BACKGROUND: 30.0})


@dataclass(frozen=True, slots=True)
class Demand:
    """What the engine of another model on the same processor is asked for."""

    wanted: Rank | None = None
    """The best rank among its requests, waiting ones included."""
    runs_inline: bool = False
    """True while it runs an inline request."""


class Paused(Exception):
    """A higher rank wants the backend: leave the stream, and wait for the next turn."""


class Ticket:
    """The place of one request in the queue. Made by ``Queue.enter``."""

    def __init__(self, queue: Queue, rank: Rank, conversation: str, number: int) -> None:
        self.rank = rank
        self.conversation = conversation
        self.order = number
        """Tickets of one rank run in the order in which they came."""
        self.slot: Slot | None = None
        """Where it runs; None while it waits."""
        self.pausable = False
        """True while its stream may be left and resumed later."""
        self.has_share = False
        """True while it runs, or is about to, although a higher rank wants the backend."""
        self.waits_for_own_slot = False
        self.since = queue.clock()
        """When it came, or began to wait again."""
        self._queue = queue
        self._turn: asyncio.Future[Slot] | None = None
        self._waits = Interruptible()

    async def turn(self) -> Slot:
        """Wait until the request may run; the slot to run in."""
        self._turn = asyncio.get_running_loop().create_future()
        self._queue.wait(self)
        return await self._turn

    @property
    def is_waiting(self) -> bool:
        """True from ``turn`` until the queue has given it a slot."""
        return self._turn is not None and not self._turn.done()

    async def wait(self, coming: Coroutine[Any, Any, _T], *, pausable: bool) -> _T:
        """The result of ``coming``.

        Raises:
            Paused: ``pausable``, and a higher rank wants the backend.
            EngineError: ``fail`` was called with it.
        """
        self.pausable = pausable
        if not pausable:
            self._waits.forget(Paused)  # one that came too late: the event of the last wait was there already
        self._queue.reconsider(self)
        try:
            return await self._waits.wait(coming)
        finally:
            self.pausable = False

    def fail(self, error: Exception) -> None:
        """Raise ``error`` from the current wait."""
        self._waits.interrupt(error)

    def pause(self) -> None:
        """Raise ``Paused`` from the current wait."""
        self._waits.interrupt(Paused())

    def release(self, evaluated: Sequence[object] | None = None) -> None:
        """Leave the slot, with the prompt ``evaluated`` in its cache. Again does nothing."""
        self._waits.clear()
        self._queue.release(self, evaluated)

    def begin(self, slot: Slot) -> None:
        """The queue gives it ``slot``."""
        self.slot = slot
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(slot)


class Queue:
    """All requests of one backend."""

    def __init__(
        self,
        slots: Slots,
        *,
        pauses: bool = True,
        one_inline_at_a_time: bool = False,
        waits: Waits = WAITS,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """``pauses``: lower ranks wait for higher ones and are paused by them, else ranks only order those that wait for
        a slot. ``one_inline_at_a_time``: see ``Capabilities.is_shared_processor``.
        """
        self.slots = slots
        self.clock = clock or asyncio.get_running_loop().time
        self._pauses = pauses
        self._one_inline_at_a_time = one_inline_at_a_time
        self._waits = waits
        self._watchers = list[Callable[[], None]]()
        self._tickets = list[Ticket]()
        self._n_tickets = 0
        self._others: dict[object, Demand] = {}

    @property
    def tickets(self) -> Sequence[Ticket]:
        """Every request that waits or runs, in the order of coming."""
        return self._tickets

    @property
    def demand(self) -> Demand:
        """What this queue asks of the processor, for the engines of other models on it."""
        best = min((ticket.rank for ticket in self._tickets), default=None)
        return Demand(best, any(_is_inline(ticket) and ticket.slot is not None for ticket in self._tickets))

    def watch(self, on_change: Callable[[], None]) -> None:
        """Call ``on_change`` whenever ``demand`` may have changed."""
        self._watchers.append(on_change)

    @contextmanager
    def enter(self, rank: Rank, conversation: str) -> Iterator[Ticket]:
        """A place in the queue until the end of the block; its rank counts from now on."""
        self._n_tickets += 1
        ticket = Ticket(self, rank, conversation, self._n_tickets)
        self._tickets.append(ticket)
        self._changed()
        try:
            yield ticket
        finally:
            ticket.release()
            self._tickets.remove(ticket)
            self._changed()

    def wait(self, ticket: Ticket) -> None:
        """``ticket`` wants to run."""
        ticket.since = self.clock()
        seconds = self._waits.starved.get(ticket.rank)
        if seconds is not None and self._pauses:
            asyncio.get_running_loop().call_later(seconds, self._grant_share, ticket, ticket.since)
        ticket.waits_for_own_slot = self.slots.is_own_busy(ticket.conversation)
        if ticket.waits_for_own_slot:
            asyncio.get_running_loop().call_later(self._waits.own_slot, self._take_any_slot, ticket, ticket.since)
        self._changed()

    def release(self, ticket: Ticket, evaluated: Sequence[object] | None) -> None:
        """``ticket`` leaves its slot; it still has its place."""
        if ticket.slot is not None:
            self.slots.release(ticket.slot, evaluated)
            ticket.slot = None
            ticket.has_share = False
            self._changed()

    def reconsider(self, ticket: Ticket) -> None:
        """``ticket`` may have become pausable: pause it if a higher rank wants the backend."""
        if ticket.pausable and ticket.slot is not None and not ticket.has_share and self._is_outranked(ticket):
            ticket.pause()

    def note_other(self, engine: object, demand: Demand | None) -> None:
        """The engine of another model on this processor has ``demand``; None when it has left."""
        if demand is None:
            self._others.pop(engine, None)
        else:
            self._others[engine] = demand
        self._dispatch()

    def _changed(self) -> None:
        self._dispatch()
        for watcher in self._watchers:
            watcher()

    def _dispatch(self) -> None:
        """Pause what is outranked, and start whatever may run."""
        for ticket in self._tickets:
            self.reconsider(ticket)
        waiting = [ticket for ticket in self._tickets if ticket.slot is None and ticket.is_waiting]
        for ticket in sorted(waiting, key=lambda ticket: (not ticket.has_share, ticket.rank, ticket.order)):
            if self._may_run(ticket):
                slot = self.slots.take(ticket.conversation)
                if slot is not None:
                    self._begin(ticket, slot)

    def _begin(self, ticket: Ticket, slot: Slot) -> None:
        if ticket.has_share:
            asyncio.get_running_loop().call_later(self._waits.share, self._end_share, ticket, ticket.since)
        ticket.begin(slot)

    def _may_run(self, ticket: Ticket) -> bool:
        if not ticket.has_share and self._is_outranked(ticket):
            return False
        if ticket.waits_for_own_slot and self.slots.is_own_busy(ticket.conversation):
            return False
        if self._one_inline_at_a_time and _is_inline(ticket):
            return not self._runs_inline()
        return True

    def _is_outranked(self, ticket: Ticket) -> bool:
        """True when a request of a higher rank waits or runs, here or in another engine on the same processor."""
        if not self._pauses:
            return False
        if any(demand.wanted is not None and demand.wanted < ticket.rank for demand in self._others.values()):
            return True
        return any(other.rank < ticket.rank for other in self._tickets)

    def _runs_inline(self) -> bool:
        """On a CPU two requests that decode together take more than twice as long as one: the kernels work on one row
        or on four. The second had better wait, for half of the first on average.
        """
        if any(demand.runs_inline for demand in self._others.values()):
            return True
        return any(ticket.slot is not None and _is_inline(ticket) for ticket in self._tickets)

    def _grant_share(self, ticket: Ticket, since: float) -> None:
        """``ticket`` has waited too long, if it still waits since then."""
        if ticket.slot is None and ticket.since == since and ticket in self._tickets:
            ticket.has_share = True
            self._dispatch()

    def _end_share(self, ticket: Ticket, since: float) -> None:
        """``ticket`` has had its share, if it runs since then."""
        if ticket.since == since:
            ticket.has_share = False
            self.reconsider(ticket)

    def _take_any_slot(self, ticket: Ticket, since: float) -> None:
        """``ticket`` has waited long enough for its own slot, if it still waits since then."""
        if ticket.since == since:
            ticket.waits_for_own_slot = False
            self._dispatch()


def _is_inline(ticket: Ticket) -> bool:
    return ticket.rank <= Rank.INLINE_COLD
