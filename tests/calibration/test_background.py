"""Calibration in idle time: when it begins, and how it makes way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devstral_ls.calibration import background as module
from devstral_ls.calibration import rates, steps
from devstral_ls.calibration.background import IDLE_S, MAX_FAILURES, Background, drifted
from devstral_ls.calibration.marker import Marker
from devstral_ls.calibration.record import load
from devstral_ls.engine import locks
from devstral_ls.engine.calibrated import Calibrated
from devstral_ls.engine.rates import Rate
from devstral_ls.errors import GenerationFailed
from devstral_ls.generation import GenerationRequest, Text
from tests.calibration.bench import BATCH, CASES, MODEL, BenchEngine

PATIENCE = 10.0
N_STEPS = len(rates.planned(BATCH, MODEL.context_tokens)) + 3 * len(CASES)


class Idle:
    """A background calibration whose clock and looks the test holds."""

    def __init__(self, engine: BenchEngine) -> None:
        self.engine = engine
        self.now = 0.0
        self._looks = asyncio.Semaphore(0)
        self._looking = asyncio.Event()
        self.background = Background(engine, cases=CASES, clock=lambda: self.now, sleep=self._sleep)

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
        async with self.background.engine.generate(GenerationRequest((Text("def f():"),), 1)) as chunks:
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
        assert len(engine.asked) == N_STEPS
        assert engine.calibrating_said == [True, False]
        assert engine.n_recalibrated == 1
        await desk.look()
        assert len(engine.asked) == N_STEPS  # once is enough


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
        assert len(engine.asked) == 4 + N_STEPS - 2  # where it was


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


async def test_it_waits_while_somebody_asks_the_same_engine_from_another_editor(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    async with idle(engine) as desk:
        desk.now = IDLE_S
        marker = tmp_path / "c.asked"
        marker.touch()
        await desk.look()
        assert engine.asked == []
        os.utime(marker, (0, 0))  # long ago
        await desk.look()
        assert len(engine.asked) == N_STEPS


async def test_it_stops_when_another_editor_begins_to_ask(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")

    def somebody_comes(n: int) -> None:
        if n == 2:
            (tmp_path / "c.asked").touch()

    engine.before = somebody_comes
    async with idle(engine) as desk:
        desk.now = IDLE_S
        await desk.look()
        assert len(engine.asked) == 2
        assert engine.calibrating_said == [True, False]


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    async with idle(engine) as desk:
        desk.background.enabled = False
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
    with locks.try_exclusive(tmp_path / "c.lock"):  # type: ignore[union-attr]
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


async def test_an_engine_that_fails_again_and_again_is_left_alone(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    engine.error = GenerationFailed("broke off")
    async with idle(engine) as desk:
        desk.now = IDLE_S
        for _ in range(MAX_FAILURES + 2):
            await desk.look()
    assert len(engine.asked) == MAX_FAILURES
    assert engine.calibrating_said == [True, False] * MAX_FAILURES


async def test_a_drift_by_half_measures_the_rates_again_and_keeps_the_answers(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    async with idle(engine) as desk:
        desk.now = IDLE_S
        await desk.look()
        before = load(engine.file)
        assert before is not None
        assert before.result is not None
        engine.asked.clear()
        engine.speed = 0.4
        engine.observed = Rate(before.result.prefill_rate(BATCH) * 0.4)
        await desk.look()
        after = load(engine.file)
    assert after is not None
    assert after.result is not None
    assert set(engine.asked) == {"sample"}
    assert after.answers == before.answers
    assert after.result.prefill_rate(BATCH) == pytest.approx(before.result.prefill_rate(BATCH) * 0.4, rel=0.01)
    assert engine.n_recalibrated == 2


async def test_a_model_found_too_slow_is_measured_once_more(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    async with idle(engine) as first:
        first.now = IDLE_S
        await first.look()
    engine.slow = True
    engine.asked.clear()
    async with idle(engine) as second:
        second.now = IDLE_S
        for _ in range(3):
            await second.look()
    assert engine.asked == ["sample"] * len(rates.planned(BATCH, MODEL.context_tokens))


async def test_a_folder_that_cannot_be_written_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    engine = BenchEngine(tmp_path / "data" / "calibration" / "c.json")
    async with idle(engine) as desk:
        desk.now = IDLE_S
        for _ in range(3):
            await desk.look()
    assert engine.asked == []
    assert engine.calibrating_said == []


FOUND = Calibrated(("fim-psm",), batch_ms=40, token_ms=10, decode_ms=25, first_line_tokens=10)


@pytest.mark.parametrize(
    ("prefill", "decode", "drift"),
    [
        (1.0, None, False),
        (0.6, 1.0, False),
        (1.8, 0.6, False),
        (0.45, None, True),
        (2.2, None, True),
        (1.0, 0.4, True),
    ],
)
def test_what_counts_as_drift(prefill: float, decode: float | None, drift: bool) -> None:
    rate = Rate(FOUND.prefill_rate(8) * prefill, FOUND.decode_rate * decode if decode else None)
    assert drifted(rate, FOUND, 8) is drift


def test_short_prompts_on_an_engine_with_a_large_batch_are_no_drift() -> None:
    found = Calibrated(("fim-psm",), batch_ms=20, token_ms=0.2, decode_ms=10, first_line_tokens=10)
    assert not drifted(Rate(40 / (20 + 40 * 0.2) * 1000), found, 512)


def test_without_measurements_nothing_drifts() -> None:
    assert not drifted(None, FOUND, 8)
    assert not drifted(Rate(1.0), None, 8)


def test_steps_have_titles_for_people(tmp_path: Path) -> None:
    subject = BenchEngine(tmp_path / "c.json").subject
    assert subject is not None
    titles = [step.title for step in steps.left(steps.begin(subject), subject, CASES)]
    assert titles[0] == "decoding"
    assert titles[-1] == f"{CASES[-1].id} as left-to-right"


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
        assert len(engine.asked) == N_STEPS


async def test_another_servers_request_of_tomorrow_keeps_nobody_from_measuring(tmp_path: Path) -> None:
    """The clock was set back since."""
    path = tmp_path / "asked"
    Marker().touch(path)
    assert Marker().others_quiet_s(path) < IDLE_S
    os.utime(path, (path.stat().st_mtime + 86_400,) * 2)
    assert Marker().others_quiet_s(path) > IDLE_S
