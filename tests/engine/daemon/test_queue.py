"""The queue: who runs, who waits, who is paused, and that nothing waits for ever. No engine, and no clock but the loop's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from devstral_ls.engine.daemon.queue import WAITS, Demand, Paused, Queue, Rank, Ticket, Waits
from devstral_ls.engine.daemon.slots import Slots

NEVER = Waits(dict.fromkeys(WAITS.starved, 1000.0), share=1000.0, own_slot=1000.0)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


def make(n_slots: int = 4, *, pauses: bool = True, one_inline_at_a_time: bool = True, waits: Waits = NEVER) -> Queue:
    return Queue(Slots(n_slots), pauses=pauses, one_inline_at_a_time=one_inline_at_a_time, waits=waits)


class Request:
    """A request in the queue: what it has got so far."""

    def __init__(self, queue: Queue, stack: ExitStack, rank: Rank, conversation: str = "") -> None:
        self._place = ExitStack()
        self.ticket: Ticket = self._place.enter_context(queue.enter(rank, conversation))
        stack.push(self._place)
        self._turn = asyncio.ensure_future(self.ticket.turn())

    async def runs(self) -> bool:
        await settled()
        return self.ticket.slot is not None

    async def waits(self) -> bool:
        return not await self.runs()

    def working(self) -> asyncio.Task[None]:
        """A stream that can be paused, in the middle of a wait for its next event."""
        return asyncio.create_task(self.ticket.wait(forever(), pausable=True))

    def again(self) -> None:
        """It was paused: wait for the next turn."""
        self.ticket.release()
        self._turn = asyncio.ensure_future(self.ticket.turn())

    def leave(self) -> None:
        self._turn.cancel()
        self._place.close()


async def forever() -> None:
    await asyncio.Event().wait()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("first", Rank)
@pytest.mark.parametrize("second", Rank)
async def test_a_lower_rank_waits_for_a_higher_one(first: Rank, second: Rank, stack: ExitStack) -> None:
    queue = make(one_inline_at_a_time=False)
    higher = Request(queue, stack, first)
    assert await higher.runs()
    other = Request(queue, stack, second)
    assert await other.runs() is (second <= first)
    higher.leave()
    assert await other.runs()


@pytest.mark.parametrize("rank", [rank for rank in Rank if rank > Rank.INLINE_CACHED])
async def test_a_higher_rank_pauses_a_lower_one_at_once_and_it_goes_on_afterwards(rank: Rank, stack: ExitStack) -> None:
    queue = make()
    low = Request(queue, stack, rank)
    assert await low.runs()
    working = low.working()
    await settled()
    high = Request(queue, stack, Rank.INLINE_CACHED)
    with pytest.raises(Paused):
        await asyncio.wait_for(working, 5)
    low.again()
    assert await high.runs()
    assert await low.waits()
    high.leave()
    assert await low.runs()


async def test_what_cannot_be_paused_yet_is_paused_when_it_can(stack: ExitStack) -> None:
    queue = make(one_inline_at_a_time=False)
    low = Request(queue, stack, Rank.ACTION)
    assert await low.runs()
    done = asyncio.create_task(low.ticket.wait(asyncio.sleep(0, "an event"), pausable=False))
    await asyncio.sleep(0)
    Request(queue, stack, Rank.INLINE_CACHED)
    assert await done == "an event"
    with pytest.raises(Paused):
        await low.ticket.wait(forever(), pausable=True)


async def test_waiting_requests_run_by_rank_and_then_in_the_order_of_coming(stack: ExitStack) -> None:
    queue = make(1, pauses=False)
    running = Request(queue, stack, Rank.ACTION)
    assert await running.runs()
    ranks = [
        Rank.BACKGROUND,
        Rank.AGENT,
        Rank.ACTION,
        Rank.INLINE_COLD,
        Rank.ACTION,
        Rank.NEXT_EDIT,
        Rank.INLINE_CACHED,
    ]
    waiting = [Request(queue, stack, rank) for rank in ranks]
    await settled()
    order = []
    while waiting:
        running.leave()
        await settled()
        (running,) = [request for request in waiting if request.ticket.slot is not None]
        waiting.remove(running)
        order.append((running.ticket.rank, running.ticket.order))
    assert order == sorted(order)


async def test_without_pauses_ranks_do_not_hold_each_other_up(stack: ExitStack) -> None:
    queue = make(2, pauses=False, one_inline_at_a_time=False)
    assert await Request(queue, stack, Rank.INLINE_CACHED).runs()
    assert await Request(queue, stack, Rank.BACKGROUND).runs()


async def test_on_a_processor_one_inline_request_runs_at_a_time(stack: ExitStack) -> None:
    queue = make()
    first = Request(queue, stack, Rank.INLINE_CACHED, "a")
    second = Request(queue, stack, Rank.INLINE_CACHED, "b")
    assert await first.runs()
    assert await second.waits()
    first.leave()
    assert await second.runs()


async def test_on_a_gpu_several_run(stack: ExitStack) -> None:
    queue = make(one_inline_at_a_time=False)
    assert await Request(queue, stack, Rank.INLINE_CACHED, "a").runs()
    assert await Request(queue, stack, Rank.INLINE_CACHED, "b").runs()


@pytest.mark.parametrize("rank", WAITS.starved)
async def test_a_request_that_waited_too_long_gets_a_share_and_is_paused_again(rank: Rank, stack: ExitStack) -> None:
    queue = make(one_inline_at_a_time=False, waits=Waits({rank: 0.01}, share=0.01))
    assert await Request(queue, stack, Rank.INLINE_CACHED).runs()  # and never ends
    starving = Request(queue, stack, rank)
    async with asyncio.timeout(5):
        await starving._turn
        with pytest.raises(Paused):
            await starving.working()
        starving.again()
        await starving._turn  # and again


async def test_a_starved_inline_request_goes_before_those_that_came_later(stack: ExitStack) -> None:
    queue = make(waits=Waits({Rank.INLINE_COLD: 0.0}, share=1000.0))
    running = Request(queue, stack, Rank.INLINE_CACHED)
    assert await running.runs()
    cold = Request(queue, stack, Rank.INLINE_COLD)
    async with asyncio.timeout(5):
        while not cold.ticket.has_share:  # noqa: ASYNC110
            await asyncio.sleep(0)
    later = Request(queue, stack, Rank.INLINE_CACHED)
    running.leave()
    assert await cold.runs()
    assert await later.waits()


def test_every_rank_but_the_first_has_a_bounded_wait() -> None:
    assert set(WAITS.starved) == set(Rank) - {Rank.INLINE_CACHED}


async def test_a_conversation_keeps_its_slot(stack: ExitStack) -> None:
    queue = make(2, one_inline_at_a_time=False)
    slots = {}
    for name in "abab":
        request = Request(queue, stack, Rank.INLINE_CACHED, name)
        assert await request.runs()
        assert request.ticket.slot is not None
        slots.setdefault(name, request.ticket.slot.number)
        assert request.ticket.slot.number == slots[name]
        request.leave()
    third = Request(queue, stack, Rank.INLINE_CACHED, "c")
    assert await third.runs()
    assert third.ticket.slot is not None
    assert third.ticket.slot.number == slots["a"]  # used longest ago


async def test_a_conversation_waits_for_its_own_slot_but_not_for_ever(stack: ExitStack) -> None:
    queue = make(2, waits=Waits({}, own_slot=0.01))
    first = Request(queue, stack, Rank.ACTION, "a")
    assert await first.runs()
    second = Request(queue, stack, Rank.ACTION, "a")
    assert await second.waits()
    async with asyncio.timeout(5):
        slot = await second._turn
    assert first.ticket.slot is not None
    assert slot.number != first.ticket.slot.number


async def test_requests_without_a_conversation_never_wait_for_a_slot_of_their_own(stack: ExitStack) -> None:
    queue = make(2)
    assert await Request(queue, stack, Rank.ACTION).runs()
    assert await Request(queue, stack, Rank.ACTION).runs()


async def test_what_waits_for_a_slot_can_be_left_for_nothing(stack: ExitStack) -> None:
    queue = make(1, one_inline_at_a_time=False)
    first = Request(queue, stack, Rank.ACTION)
    waiting = [Request(queue, stack, Rank.ACTION) for _ in range(3)]
    assert await first.runs()
    for request in (*waiting[:2], first):
        request.leave()
    assert await waiting[2].runs()
    assert len(queue.tickets) == 1


async def test_leaving_at_the_moment_of_the_turn_gives_the_slot_back(stack: ExitStack) -> None:
    queue = make(1)
    first, second = Request(queue, stack, Rank.ACTION), Request(queue, stack, Rank.ACTION)
    assert await first.runs()
    first.leave()
    second.leave()  # the turn was given, and nobody has taken it up yet
    assert await Request(queue, stack, Rank.ACTION).runs()


async def test_an_engine_of_another_model_on_the_processor_is_yielded_to(stack: ExitStack) -> None:
    queue, other = make(), object()
    action = Request(queue, stack, Rank.ACTION)
    assert await action.runs()
    working = action.working()
    await settled()
    queue.note_other(other, Demand(Rank.INLINE_CACHED))
    with pytest.raises(Paused):
        await asyncio.wait_for(working, 5)
    action.again()
    assert await action.waits()
    queue.note_other(other, None)
    assert await action.runs()


async def test_an_inline_request_waits_for_one_that_another_engine_runs(stack: ExitStack) -> None:
    queue, other = make(), object()
    queue.note_other(other, Demand(Rank.INLINE_COLD, runs_inline=True))
    inline = Request(queue, stack, Rank.INLINE_CACHED)
    assert await inline.waits()
    queue.note_other(other, Demand(Rank.ACTION))
    assert await inline.runs()


async def test_the_demand_is_told_when_it_changes(stack: ExitStack) -> None:
    queue = make()
    told: list[Demand] = []
    queue.watch(lambda: told.append(queue.demand))
    inline = Request(queue, stack, Rank.INLINE_CACHED)
    await inline.runs()
    inline.leave()
    assert Demand(Rank.INLINE_CACHED, runs_inline=True) in told
    assert told[-1] == Demand()


async def test_a_pause_that_comes_with_the_first_event_ends_no_later_wait(stack: ExitStack) -> None:
    queue = make()
    cold = Request(queue, stack, Rank.INLINE_COLD, "a")
    assert await cold.runs()
    arrived = asyncio.get_running_loop().create_future()

    async def event() -> str:
        await arrived
        return "event"

    working = asyncio.create_task(cold.ticket.wait(event(), pausable=True))
    await settled()
    arrived.set_result(None)
    Request(queue, stack, Rank.INLINE_CACHED, "b")  # in the same turn of the loop: the event is there, the task not yet
    try:
        assert await working == "event"
    except Paused:
        return  # the event was not used: the run begins again, and nothing was shown of it
    assert await cold.ticket.wait(asyncio.sleep(0, "next"), pausable=False) == "next"


async def test_of_two_slots_with_its_conversation_a_request_takes_the_free_one(stack: ExitStack) -> None:
    queue = make(3, one_inline_at_a_time=False)
    first, second = Request(queue, stack, Rank.ACTION, "a"), Request(queue, stack, Rank.ACTION, "a")
    assert await first.runs()
    queue.slots.take("a")  # another request of it took a second slot
    second.leave()
    own = [slot for slot in queue.slots if slot.conversation == "a"]
    assert len(own) == 2
    queue.slots.release(own[1], (1, 2, 3))
    assert not queue.slots.is_own_busy("a")
    assert queue.slots.evaluated("a") == (1, 2, 3)
    assert queue.slots.take("a") is own[1]
