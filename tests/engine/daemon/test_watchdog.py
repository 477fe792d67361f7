"""A backend that takes long is waited for; one that does nothing is given up."""

from __future__ import annotations

import asyncio

import pytest

from devstral_ls.engine.daemon.interruption import Interruptible
from devstral_ls.engine.daemon.watchdog import Watchdog
from devstral_ls.errors import EngineSilent


class Pulse:
    """What the backend says of its progress, one word after the other, the last one again and again."""

    def __init__(self, words: list[str | None]) -> None:
        self.words = words
        self.asked = asyncio.Event()
        """It was asked as often as there are words."""

    async def __call__(self) -> str | None:
        word = self.words.pop(0) if len(self.words) > 1 else self.words[0]
        if len(self.words) == 1:
            self.asked.set()
        return word


async def forever() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    "words",
    [
        [None],  # it does not answer
        ["7"],  # it answers, and does nothing
        ["7", "8", "8", "9", "9"],  # it stopped after a while
    ],
)
async def test_a_backend_that_does_nothing_is_given_up(words: list[str | None]) -> None:
    waits = Interruptible()
    with (
        Watchdog(0.01, Pulse(words)).watching(waits.interrupt),
        pytest.raises(EngineSilent),
    ):
        await asyncio.wait_for(waits.wait(forever()), 5)


async def test_a_backend_that_works_for_another_request_is_waited_for() -> None:
    waits = Interruptible()
    pulse = Pulse([str(n) for n in range(6)])
    with Watchdog(0.01, pulse).watching(waits.interrupt):
        await asyncio.wait_for(waits.wait(pulse.asked.wait()), 5)


async def test_a_stream_with_events_is_not_looked_at() -> None:
    pulse = Pulse([None])
    waits = Interruptible()
    with Watchdog(0.2, pulse).watching(waits.interrupt) as heard:
        for _ in range(30):
            await waits.wait(asyncio.sleep(0.01))
            heard()
    assert not pulse.asked.is_set()


async def test_a_wait_is_ended_in_the_middle_and_what_was_awaited_is_cancelled() -> None:
    waits = Interruptible()
    cancelled = False

    async def work() -> None:
        nonlocal cancelled
        try:
            await forever()
        except asyncio.CancelledError:
            cancelled = True
            raise

    task = asyncio.create_task(waits.wait(work()))
    await asyncio.sleep(0)
    waits.interrupt(KeyError("a reason"))
    with pytest.raises(KeyError, match="a reason"):
        await task
    assert cancelled
    assert await waits.wait(asyncio.sleep(0, "it can be waited for again")) == "it can be waited for again"


async def test_a_reason_that_comes_between_two_waits_ends_the_next() -> None:
    waits = Interruptible()
    waits.interrupt(KeyError())
    with pytest.raises(KeyError):
        await waits.wait(forever())


async def test_a_cancellation_from_outside_is_not_taken_for_an_interruption() -> None:
    waits = Interruptible()
    task = asyncio.create_task(waits.wait(forever()))
    await asyncio.sleep(0)
    waits.interrupt(KeyError())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_a_time_limit_inside_is_not_taken_for_an_interruption() -> None:
    async def work() -> None:
        async with asyncio.timeout(0):
            await forever()

    with pytest.raises(TimeoutError):
        await Interruptible().wait(work())
