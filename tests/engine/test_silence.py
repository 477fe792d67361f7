"""Waiting for an engine that may say nothing, and leaving it at any moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from devstral_ls.engine.silence import patiently
from devstral_ls.errors import EngineSilent


async def count(counts: list[str | None]) -> str | None:
    return counts.pop(0) if len(counts) > 1 else counts[0]


@pytest.mark.parametrize(
    ("counts", "silent"),
    [
        ([None], True),  # it does not answer
        (["7"], True),  # it answers, and does nothing
        (["7", "8", "8", "9", "9"], True),  # it stopped after a while
        ([str(n) for n in range(1000)], False),  # it works for somebody else
    ],
)
async def test_only_an_engine_that_does_nothing_is_given_up(counts: list[str | None], silent: bool) -> None:
    work = asyncio.sleep(0.3, "done")
    waiting = patiently(work, 0.02, lambda: count(counts), abandon=never)
    if silent:
        with pytest.raises(EngineSilent):
            await waiting
    else:
        assert await waiting == "done"


async def test_what_came_as_we_left_is_abandoned() -> None:
    abandoned: list[str] = []

    async def abandon(what: str) -> None:
        abandoned.append(what)

    async def work() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "a response"
        raise AssertionError

    waiting = asyncio.create_task(patiently(work(), 60.0, lambda: count([None]), abandon))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    assert abandoned == ["a response"]


async def test_leaving_at_the_moment_at_which_something_comes_is_no_error() -> None:
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, complaint: complaints.append(complaint))
    readable = loop.create_future()

    async def read() -> None:
        await readable

    waiting = asyncio.create_task(patiently(read(), 60.0, lambda: count([None]), abandon=never))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    loop.call_soon(readable.set_result, None)  # as anyio does it
    await asyncio.gather(waiting, return_exceptions=True)
    assert complaints == []


async def never(_what: object) -> None:
    """There is nothing to abandon."""
