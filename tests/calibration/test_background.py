"""Calibration in idle time: when it begins, and how it makes way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devstral_ls.calibration import background as module
from devstral_ls.calibration import measurement, speed
from devstral_ls.calibration.background import IDLE_S, IdleCalibration
from devstral_ls.calibration.record import load
from devstral_ls.errors import GenerationFailed
from devstral_ls.generation import GenerationRequest, Text
from devstral_ls.platform import locks
from tests.calibration.bench import BATCH, CASES, MODEL, BenchEngine

PATIENCE = 10.0
N_SAMPLES = speed.N_ROUNDS * (1 + len(speed.lengths(BATCH, MODEL.context_tokens)))
N_REQUESTS = N_SAMPLES + 3 * len(CASES)


class Idle:
    """A background calibration whose clock and looks the test holds."""

    def __init__(self, engine: BenchEngine) -> None:
        self.engine = engine
        self.now = 0.0
        self.enabled = True
        self._looks = asyncio.Semaphore(0)
        self._looking = asyncio.Event()
        self.background = IdleCalibration(
            engine, enabled=lambda: self.enabled, cases=CASES, clock=lambda: self.now, sleep=self._sleep
        )

    async def _sleep(self, _seconds: float) -> None:
        self._looking.set()
        await self._looks.acquire()

    async def look(self) -> None:
        """Let it look once, and do what it finds to do."""
        await self.begin_to_look()
        async with asyncio.timeout(PATIENCE):
            await self._looking.wait()

    async def begin_to_look(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._looking.wait()
        self._looking.clear()
        self._looks.release()

    async def until(self, there: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not there():
                self.engine.news.clear()
                await self.engine.news.wait()

    async def ask(self) -> str:
        """A real request."""
        text = ""
        async with self.engine.generate(GenerationRequest((Text("def f():"),), 1)) as chunks:
            async for chunk in chunks:
                text += chunk.text
        return text


@asynccontextmanager
async def idle(engine: BenchEngine) -> AsyncIterator[Idle]:
    found = Idle(engine)
    found.background.start()
    try:
        yield found
    finally:
        await found.background.aclose()


async def test_it_begins_when_nobody_has_asked_for_a_while(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    async with idle(engine) as desk:
        desk.now = IDLE_S - 1
        await desk.look()
        assert engine.asked == []
        desk.now = IDLE_S
        await desk.look()
        assert len(engine.asked) == N_REQUESTS
        assert engine.calibrating_said == [True, False]
        assert engine.n_recalibrated == 1
        await desk.look()
        assert len(engine.asked) == N_REQUESTS  # once is enough


async def test_a_request_stops_the_step_that_runs_and_goes_first(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")

    def block_the_third(n: int) -> None:
        engine.hold = asyncio.Event() if n == 3 else None

    engine.before = block_the_third
    async with idle(engine) as desk:
        desk.now = IDLE_S
        await desk.begin_to_look()
        await desk.until(lambda: len(engine.asked) == 3)
        assert engine.calibrating_said == [True]
        assert await desk.ask()
        await desk.until(lambda: engine.calibrating_said == [True, False])
        assert engine.n_left == 1
        record = load(engine.file)
        assert record is not None
        assert (len(record.samples), record.finished) == (2, False)  # the two before are kept
        engine.before = lambda n: None
        await desk.look()
        assert len(engine.asked) == 4  # somebody has just asked
        desk.now = 2 * IDLE_S
        await desk.look()
        assert len(engine.asked) == 4 + N_REQUESTS - 2  # where it was


async def test_nothing_is_measured_while_a_request_runs(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    engine.hold = asyncio.Event()
    async with idle(engine) as desk:
        asking = asyncio.create_task(desk.ask())
        await desk.until(lambda: len(engine.asked) == 1)
        desk.now = 10 * IDLE_S
        await desk.look()
        assert engine.calibrating_said == []
        engine.hold.set()
        await asking


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    async with idle(engine) as desk:
        desk.enabled = False
        desk.now = IDLE_S
        await desk.look()
        assert engine.asked == []


async def test_closing_stops_it_at_once(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    engine.hold = asyncio.Event()
    async with idle(engine) as desk:
        desk.now = IDLE_S
        await desk.begin_to_look()
        await desk.until(lambda: len(engine.asked) == 1)
        await asyncio.wait_for(desk.background.aclose(), PATIENCE)
        assert engine.n_left == 1
        assert engine.calibrating_said == [True, False]


async def test_it_is_left_to_another_server_that_is_at_it(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    with locks.try_lock(tmp_path / "c.lock"):  # type: ignore[union-attr]
        async with idle(engine) as desk:
            desk.now = IDLE_S
            await desk.look()
    assert engine.asked == []


async def test_what_another_server_found_is_used(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    async with idle(engine) as first, idle(BenchEngine(engine.file)) as other:
        first.now = other.now = IDLE_S
        await first.look()
        await other.look()
        assert other.engine.asked == []
        assert other.engine.n_recalibrated == 1


async def test_an_engine_that_failed_is_left_alone(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    engine.error = GenerationFailed("broke off")
    async with idle(engine) as desk:
        desk.now = IDLE_S
        for _ in range(3):
            await desk.look()
    assert len(engine.asked) == 1
    assert engine.calibrating_said == [True, False]


async def test_a_folder_that_cannot_be_written_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    engine = BenchEngine(tmp_path / "data" / "calibration" / "c.json")
    async with idle(engine) as desk:
        desk.now = IDLE_S
        for _ in range(3):
            await desk.look()
    assert engine.asked == []
    assert engine.calibrating_said == []


def test_steps_have_titles_for_people(tmp_path: Path) -> None:
    subject = BenchEngine(tmp_path / "c.json").subject
    assert subject is not None
    titles = [step.title for step in measurement.calibration_steps(measurement.begin(subject), subject, CASES)]
    assert titles[0] == "decoding"
    assert titles[-1] == CASES[-1].id


async def test_on_a_full_disk_nothing_is_measured_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    monkeypatch.setattr(module, "save", lambda file, record: False)
    async with idle(engine) as desk:
        desk.now = IDLE_S
        for _ in range(3):
            await desk.look()
        assert (engine.asked, engine.calibrating_said) == ([], [])
        assert [record.message for record in caplog.records].count(caplog.records[0].message) == 1
        monkeypatch.undo()
        await desk.look()
        assert len(engine.asked) == N_REQUESTS
