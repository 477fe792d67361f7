"""One fault: how it comes, what is promised, and what it takes to work again."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum

from tests.faults.stage import NotRecoveredError, Stage


class Setting(Enum):
    """What a fault needs to be there."""

    ENGINE = "a server and the engine it started"
    SMALL_DISK = "the same, all its folders on a file system of a few megabytes"
    CLOCK = "the same, in processes whose clock can be set"
    REMOTE = "a server at a scripted engine"
    SMALL_FOLDER = "a file system of a few megabytes, and nothing that runs"
    FOLDER = "a folder, and nothing that runs"


async def _suggests(stage: Stage) -> None:
    """The first editor is answered with text, and the status says that nothing is wrong."""
    await stage.editor.works()
    await stage.editor.settled()


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table."""

    name: str
    how: str
    """How it is injected."""
    promise: str
    """What the user sees, and what is never lost."""
    strike: Callable[[Stage], AbstractAsyncContextManager[object]]
    """Entered, the fault is there; left, its cause is gone. Checks on the way what is promised meanwhile."""
    setting: Setting = Setting.ENGINE
    state: str = ""
    """The one status it shows in, if it does."""
    says: str = ""
    """What that status says, as a pattern."""
    lasts: bool = False
    """Does the cause stay until it is taken away? Else the way back is timed from the fault itself."""
    works: Callable[[Stage], Awaitable[object]] = _suggests
    """What must be possible again."""
    needs: Callable[[], str] = lambda: ""
    """Why it cannot be injected on this machine; empty if it can."""


async def suffer(fault: Fault, stage: Stage) -> float:
    """Inject ``fault``, see that all is as promised, and that it works again: the seconds that took.

    Raises:
        NotRecoveredError: a promise was not kept.
    """
    _mark(stage)
    stage.now()
    async with fault.strike(stage):
        if not fault.lasts:
            seconds = await _timed(fault, stage)
        await _seen(fault, stage)
        stage.now()
    if fault.lasts:
        seconds = await _timed(fault, stage)
    if fault.state:  # an engine whose socket is gone answers those that were connected until it has left
        for editor in stage.editors:
            await editor.settled()
    await _nothing_lost(fault, stage)
    return seconds


async def _timed(fault: Fault, stage: Stage) -> float:
    await fault.works(stage)
    return time.monotonic() - stage.struck


def _mark(stage: Stage) -> None:
    """Only what is said from now on counts."""
    for editor in stage.editors:
        editor.n_seen = editor.n_marked = len(editor.statuses)


async def _seen(fault: Fault, stage: Stage) -> None:
    """The one clear status, with something that the user can do."""
    if not fault.state:
        return
    editor = stage.editor
    editor.n_seen = editor.n_marked
    status = await editor.status(fault.state)
    if not re.search(fault.says, status["message"] or ""):
        raise NotRecoveredError(f"it says {status['message']!r}, and not {fault.says!r}")
    if "\n" in status["message"] or not status["hint"]:
        raise NotRecoveredError(f"not one line with a hint: {status}")


async def _nothing_lost(fault: Fault, stage: Stage) -> None:
    """The server has every document as its editor has it, said what was wrong once, and is in no state it was stuck in."""
    for editor in stage.editors:
        if (held := await editor.held()) != editor.text:
            raise NotRecoveredError(f"the document is not what was written: {held!r}")
        said = [status["state"] for status in editor.statuses[editor.n_marked :]]
        bad = [state for state in _changes(said) if state in ("lost", "failed", "absent")]
        # Those beside it lose the engine with it.
        allowed = (fault.state,) if editor is stage.editor else ("", "lost", fault.state)
        if (bad[-1] if bad else "") not in allowed or len(bad) != len(set(bad)):
            raise NotRecoveredError(f"not one clear status: {said}")


def _changes(states: list[str]) -> list[str]:
    """Without those that only repeat the one before."""
    return [state for n, state in enumerate(states) if n == 0 or states[n - 1] != state]
