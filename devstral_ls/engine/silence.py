"""How long to wait for an engine that says nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from devstral_ls.errors import EngineSilent

T = TypeVar("T")


async def patiently(
    work: Coroutine[Any, Any, T],
    seconds: float,
    n_batches: Callable[[], Awaitable[str | None]],
    abandon: Callable[[T], Awaitable[None]],
) -> T:
    """What ``work`` gives, as long as the engine does anything: it may evaluate another slot's long prompt first.

    After ``seconds``, and again and again, ``n_batches`` is asked twice, a quarter of that time apart: how much was
    done, or None if there is no answer. ``abandon`` gets what came at the moment at which we were cancelled.

    Raises:
        EngineSilent: it does nothing.
    """
    task = asyncio.create_task(work)
    taken = False
    try:
        while not (await asyncio.wait({task}, timeout=seconds))[0]:
            before = await n_batches()
            if before is None:
                raise EngineSilent(f"the engine said nothing for {seconds:g} s, and not how it is")
            await asyncio.wait({task}, timeout=seconds / 4)
            if not task.done() and await n_batches() == before:
                raise EngineSilent(f"the engine said nothing for {seconds:g} s, and does nothing")
        taken = True
        return task.result()
    finally:
        # Not before what comes in this turn of the loop has arrived: anyio (4.16.0) gives a result to the future of a
        # read that was cancelled a moment before, and asyncio complains of it in the log.
        asyncio.get_running_loop().call_later(0, task.cancel)
        await asyncio.wait({task})
        if not taken and not task.cancelled() and task.exception() is None:
            await abandon(task.result())
