"""The editor's process, watched."""

from __future__ import annotations

import asyncio
import os

import pytest

from devstral_ls.server.rpc.parent import Parent


async def test_a_parent_is_gone_when_its_id_belongs_to_another_process() -> None:
    me = Parent.find(os.getpid())
    assert me is not None
    assert me.is_alive()
    me.process._ident = (os.getpid(), "another start time")  # type: ignore[attr-defined]
    assert not me.is_alive()


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 5, 2**80])
def test_what_is_no_process_is_not_found(pid: int) -> None:
    assert Parent.find(pid) is None


async def test_waiting_for_a_parent_ends_when_it_is_gone() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "1000")
    parent = Parent.find(process.pid)
    assert parent is not None
    looks: list[float] = []

    async def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            process.kill()
            await process.wait()

    await parent.gone(sleep)
    assert len(looks) == 2
