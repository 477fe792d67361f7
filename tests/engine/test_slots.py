"""Which slot a request gets, with several clients and no engine."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from devstral_ls.engine import locks
from devstral_ls.engine import slots as module
from devstral_ls.engine.place import Place
from devstral_ls.engine.slots import SharedSlots


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, "key")


def client(place: Place, n_slots: int = 2, nonce: str = "start") -> SharedSlots:
    return SharedSlots(place, nonce, n_slots)


async def used(slots: SharedSlots, conversation: str) -> int | None:
    slot = await slots.take(conversation)
    slot.close()
    return slot.number


async def test_a_conversation_keeps_its_slot_whoever_else_asks(place: Place) -> None:
    one, other = client(place), client(place)
    first = await used(one, "file:///a.py")
    second = await used(other, "file:///b.py")
    assert first != second
    for _ in range(3):
        assert await used(other, "file:///b.py") == second
    assert await used(one, "file:///a.py") == first


async def test_a_new_conversation_takes_the_slot_that_was_not_used_for_longest(place: Place) -> None:
    slots = client(place, 3)
    a, b, c = [await used(slots, name) for name in "abc"]
    assert {a, b, c} == {0, 1, 2}
    assert await used(slots, "a") == a
    assert await used(client(place, 3), "d") == b
    assert await used(slots, "a") == a
    assert await used(slots, "b") == c


async def test_while_all_are_busy_it_waits_and_can_leave_for_nothing(place: Place) -> None:
    slots, other = client(place, 1), client(place, 1)
    held = await slots.take("a")
    waiting = asyncio.create_task(other.take("b"))
    left = asyncio.create_task(other.take("c"))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    assert not waiting.done()
    held.close()
    (await asyncio.wait_for(waiting, 5)).close()


async def test_it_waits_for_its_own_slot_rather_than_lose_what_is_cached(place: Place) -> None:
    slots = client(place)
    held = await slots.take("a")
    again = asyncio.create_task(slots.take("a"))
    await asyncio.sleep(0)
    assert not again.done()
    number = held.number
    held.close()
    found = await asyncio.wait_for(again, 5)
    assert found.number == number
    found.close()


async def test_it_does_not_wait_for_its_own_slot_for_ever(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OWN_SECONDS", 0.0)
    slots = client(place)
    held = await slots.take("a")
    found = await asyncio.wait_for(slots.take("a"), 5)
    assert found.number != held.number
    held.close()
    found.close()


async def test_without_a_conversation_it_takes_another_at_once(place: Place) -> None:
    slots = client(place)
    one, two = await slots.take(""), await slots.take("")
    assert one.number != two.number
    one.close()
    assert await used(slots, "") == one.number
    two.close()


async def test_what_is_said_of_another_start_of_the_engine_does_not_count(place: Place) -> None:
    old, new = client(place, nonce="old"), client(place, nonce="new")
    for name in "ab":
        await used(old, name)
    assert await used(new, "b") == 0


@pytest.mark.parametrize("content", ["", "nonsense", "start key", "start key time", "é", "\0" * 9])
async def test_strange_files_are_no_obstacle(content: str, place: Place) -> None:
    place.slot(0).write_text(content)
    assert await used(client(place), "a") == 0


async def test_the_name_of_the_document_is_in_no_file(place: Place) -> None:
    await used(client(place), "file:///secret/plan.py")
    found = b"".join(path.read_bytes() for path in place.folder.iterdir())
    assert found
    assert b"plan" not in found


async def test_a_holder_that_shows_no_life_keeps_nobody_waiting(place: Place) -> None:
    """Its process is stopped: the kernel keeps its lock, and the engine has long been done."""
    held = await client(place, 1).take("a")
    assert held.alive is not None
    waiting = asyncio.create_task(client(place, 1).take("b"))
    done, _ = await asyncio.wait({waiting}, timeout=10 * module.LOOK_SECONDS)
    assert not done
    held.alive.cancel()
    os.utime(place.slot(0), (0, 0))
    found = await asyncio.wait_for(waiting, 5)
    assert found.number == 0
    found.close()
    held.close()
    assert await used(client(place, 1), "c") == 0


async def test_where_nothing_can_be_written_there_is_a_slot_all_the_same(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> locks.Lock | None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(locks, "try_exclusive", full)
    assert await asyncio.wait_for(used(client(place), "a"), 5) == 0


async def test_on_a_full_disk_a_slot_is_nobodys_but_works(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await used(client(place), "a")

    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    assert await used(client(place), "a") == 0
    assert place.slot(0).read_text() == ""
