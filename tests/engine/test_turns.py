"""Who goes first, with several clients and no engine."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from devstral_ls.engine import locks
from devstral_ls.engine import turns as module
from devstral_ls.engine.place import Place
from devstral_ls.engine.turns import Rank, Turns


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, "key")


@pytest.mark.parametrize("wants", Rank)
@pytest.mark.parametrize("other", Rank)
async def test_who_goes_first(wants: Rank, other: Rank, place: Place) -> None:
    mine, theirs = Turns(place), Turns(place)
    async with theirs.wanting(wants), mine.wanting(other):
        assert mine.must_pause(other) is (wants < other)
    assert not mine.must_pause(other)


async def test_it_goes_on_as_soon_as_nobody_goes_first(place: Place) -> None:
    mine = Turns(place)
    async with Turns(place).wanting(Rank.HOT):
        waiting = asyncio.create_task(mine.mine(Rank.ACTION))
        await asyncio.sleep(0)
        assert not waiting.done()
    assert await asyncio.wait_for(waiting, 5) == 0.0


async def test_nobody_waits_for_ever(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STARVED_SECONDS", 0.0)
    monkeypatch.setattr(module, "_SHARE_SECONDS", 1000.0)
    mine = Turns(place)
    async with Turns(place).wanting(Rank.HOT):
        not_before = await asyncio.wait_for(mine.mine(Rank.ACTION), 5)
        assert mine.must_pause(Rank.ACTION)
        assert not mine.must_pause(Rank.ACTION, not_before)


async def test_what_nobody_waits_for_waits_as_long_as_it_takes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STARVED_SECONDS", 0.0)
    async with Turns(place).wanting(Rank.ACTION):
        waiting = asyncio.create_task(Turns(place).mine(Rank.BACKGROUND))
        done, _ = await asyncio.wait({waiting}, timeout=10 * module.LOOK_SECONDS)
        assert not done
    assert await asyncio.wait_for(waiting, 5) == 0.0


async def test_on_a_cpu_one_inline_request_runs_at_a_time(place: Place) -> None:
    one, other = Turns(place, one_at_a_time=True), Turns(place, one_at_a_time=True)
    entered = asyncio.Event()

    async def second() -> None:
        async with other.running(Rank.HOT):
            entered.set()

    async with one.running(Rank.COLD):
        task = asyncio.create_task(second())
        async with other.running(Rank.ACTION):  # actions have pauses for that
            await asyncio.sleep(0)
        assert not entered.is_set()
    await asyncio.wait_for(entered.wait(), 5)
    await task


async def test_a_client_that_is_stopped_does_not_stop_the_others(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_JAM_SECONDS", 100.0)
    one, other = Turns(place, one_at_a_time=True), Turns(place, one_at_a_time=True)
    async with one.running(Rank.HOT):
        os.utime(place.turn("run"), (0, 0))  # its last event was long ago
        async with asyncio.timeout(5), other.running(Rank.HOT):
            pass


@pytest.mark.parametrize("rank", [Rank.COLD, Rank.ACTION, Rank.BACKGROUND])
async def test_nobody_pauses_for_a_client_that_shows_no_life(
    rank: Rank, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_JAM_SECONDS", 100.0)
    with locks.try_shared(place.turn("hot")) or pytest.fail("nobody has it"):  # as one has it who is stopped
        os.utime(place.turn("hot"), (0, 0))
        assert not Turns(place).must_pause(rank)
        async with Turns(place).wanting(Rank.HOT):  # somebody else is well
            assert Turns(place).must_pause(rank)


async def test_who_waits_shows_life(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_JAM_SECONDS", 100.0)
    monkeypatch.setattr(module, "_ALIVE_SECONDS", 0.01)
    async with Turns(place).wanting(Rank.HOT):
        os.utime(place.turn("hot"), (0, 0))
        async with asyncio.timeout(5):
            while not Turns(place).must_pause(Rank.COLD):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_elsewhere_as_many_run_as_there_are_slots(place: Place) -> None:
    async with Turns(place).running(Rank.HOT), Turns(place).running(Rank.HOT):
        pass


async def test_without_a_place_nobody_waits() -> None:
    turns = Turns()
    async with turns.wanting(Rank.HOT), turns.running(Rank.HOT):
        assert not turns.must_pause(Rank.BACKGROUND)
        assert await turns.mine(Rank.BACKGROUND) == 0.0


def test_holders_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = [locks.try_shared(path) for _ in range(3)]
    assert locks.n_holders(path) in (3, None)
    assert locks.n_holders(path, tmp_path / "none") is None
    for lock in held:
        assert lock is not None
        lock.close()
    assert locks.n_holders(path) in (0, None)


@pytest.mark.parametrize("seconds", [-3600, 3600])
async def test_nobody_pauses_for_a_sign_of_life_that_another_clock_gave(seconds: float, place: Place) -> None:
    """The clock was set, and whoever should show life is stopped: an hour would be waited for."""
    mine = Turns(place)
    async with Turns(place).wanting(Rank.HOT):
        assert mine.must_pause(Rank.COLD)
        then = time.time() + seconds
        os.utime(place.turn("hot"), (then, then))
        assert not mine.must_pause(Rank.COLD)


async def test_where_no_file_can_be_made_nobody_waits(tmp_path: Path) -> None:
    turns = Turns(Place(tmp_path / "none", "key"), one_at_a_time=True)
    async with turns.wanting(Rank.HOT), turns.running(Rank.HOT):
        assert not turns.must_pause(Rank.COLD)
