"""A whole calibration over a scripted engine: what it chooses, keeps, and leaves out the next time."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from devstral_ls.calibration import measurement, speed
from devstral_ls.calibration.record import Record, load, save
from devstral_ls.engine.tuning.calibration import Calibrated, Subject, calibration_file, read_calibrated
from devstral_ls.errors import GenerationFailed, PromptTooLong
from devstral_ls.generation import Priority
from tests.calibration.bench import BATCH, BATCH_MS, CASES, DECODE_MS, MODEL, TOKEN_MS, BenchEngine

N_SAMPLES = speed.N_ROUNDS * (1 + len(speed.lengths(BATCH, MODEL.context_tokens)))


def subject_of(engine: BenchEngine) -> Subject:
    assert engine.subject is not None
    return engine.subject


async def calibrate(engine: BenchEngine) -> Calibrated:
    found = (await measurement.calibrate(engine, subject_of(engine), cases=CASES)).result
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("good", "order"),
    [
        (("fim-psm",), ("fim-psm", "fim-spm-in-psm", "left-to-right")),
        (("left-to-right", "fim-psm"), ("fim-psm", "left-to-right", "fim-spm-in-psm")),
        ((), ("fim-spm-in-psm", "fim-psm", "left-to-right")),
    ],
)
async def test_the_layout_that_answers_best_is_chosen(
    good: tuple[str, ...], order: tuple[str, ...], tmp_path: Path
) -> None:
    assert (await calibrate(BenchEngine(tmp_path / "c.json", good))).layouts == order


async def test_the_costs_are_those_of_the_engine(tmp_path: Path) -> None:
    found = await calibrate(BenchEngine(tmp_path / "c.json"))
    assert (found.batch_ms, found.token_ms) == pytest.approx((BATCH_MS, TOKEN_MS), rel=0.05)
    assert found.decode_ms == DECODE_MS


async def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")

    def interrupt(n: int) -> None:
        if n == N_SAMPLES + 4:  # in the second hole
            raise KeyboardInterrupt

    engine.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        await calibrate(engine)
    first = [asked for asked in engine.asked if asked.startswith(CASES[0].id)]
    assert len(first) == 3
    assert read_calibrated(engine.file) is None  # an unfinished one is not used
    engine.before = lambda n: None
    engine.asked.clear()
    await calibrate(engine)
    assert len(engine.asked) == (len(CASES) - 1) * 3
    assert not set(first) & set(engine.asked)
    assert read_calibrated(engine.file) == load(engine.file).result  # type: ignore[union-attr]


async def test_what_fails_is_measured_the_next_time(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    engine.error = GenerationFailed("broke off")
    with pytest.raises(GenerationFailed):
        await calibrate(engine)
    engine.error = None
    assert (await calibrate(engine)).layouts[0] == "fim-psm"


async def test_a_prompt_that_does_not_fit_counts_as_no_answer(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")

    def refuse(_n: int) -> None:
        if engine.asked[-1].endswith("fim-psm"):
            raise PromptTooLong(2000, 1024)

    engine.before = refuse
    assert (await calibrate(engine)).layouts == ("fim-spm-in-psm", "fim-psm", "left-to-right")
    record = load(engine.file)
    assert record is not None
    assert not any(answered.similarity for answered in record.answers["fim-psm"].values())


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"version": 99}',
        '{"version": 1}',
        '{"version": 1, "model": "m", "threads": 1, "build": "b", "samples": [{}], "answers": {}, "result": null, '
        '"finished": true}',
        '{"version": 1, "result": {"layouts": ["a"], "batch_ms": 1, "token_ms": 0, "decode_ms": 1, '
        '"first_line_tokens": 1}}',
        '{"version": 1, "result": {"layouts": [1], "batch_ms": 1, "token_ms": 1, "decode_ms": 1, '
        '"first_line_tokens": 1}}',
    ],
)
def test_a_file_that_is_not_ours_is_ignored(content: str, tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(content)
    assert load(file) is None
    assert read_calibrated(file) is None


async def test_the_file_says_its_version_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "calibration" / "c.json")
    await calibrate(engine)
    assert json.loads(engine.file.read_text())["version"] == 1
    assert [path.name for path in engine.file.parent.iterdir()] == ["c.json"]


async def test_other_holes_are_measured_where_they_are_missing_only(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    await calibrate(engine)
    record = load(engine.file)
    assert record is not None
    gone = CASES[0].id
    fewer = {layout: {k: v for k, v in found.items() if k != gone} for layout, found in record.answers.items()}
    assert len(measurement.calibration_steps(replace(record, answers=fewer), subject_of(engine), CASES)) == 1


def test_only_the_rates_are_measured_again_by_command(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    record = Record("m", 1, "b", finished=True).without_rates()
    assert not record.finished
    assert len(measurement.calibration_steps(record, subject_of(engine), [])) == N_SAMPLES


def test_another_build_or_thread_count_is_another_calibration(tmp_path: Path) -> None:
    files = {calibration_file(tmp_path, key) for key in ("m:1:0:1.0", "m:1:0:1.1", "m:2:0:1.0")}
    assert len(files) == 3


async def test_a_slow_model_is_not_measured_for_longer_than_a_few_minutes(tmp_path: Path) -> None:
    """Every step takes a quarter of what all of them may: one round of the rates, and no hole in one layout only."""
    engine = BenchEngine(tmp_path / "c.json")
    now = itertools.count(0.0, measurement.MOST_S / 4)
    record = await measurement.calibrate(engine, subject_of(engine), cases=CASES, clock=lambda: next(now))
    assert len(record.samples) == N_SAMPLES // speed.N_ROUNDS
    assert not record.answers
    assert record.result is not None
    assert set(record.result.layouts) == set(MODEL.layouts)
    assert load(engine.file) == record


async def test_a_hole_that_was_asked_in_one_layout_is_asked_in_all(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    subject = subject_of(engine)
    rated = await measurement.calibrate(engine, subject, cases=[])
    save(engine.file, replace(rated, spent_s=measurement.MOST_S - 1, finished=False))
    now = itertools.count(0.0, 2.0)
    record = await measurement.calibrate(engine, subject, cases=CASES, clock=lambda: next(now))
    assert [set(answers) for answers in record.answers.values()] == [{CASES[0].id}] * 3
    assert record.result is not None


async def test_all_requests_are_one_conversation_that_nobody_waits_for(tmp_path: Path) -> None:
    engine = BenchEngine(tmp_path / "c.json")
    await calibrate(engine)
    assert {(request.conversation, request.priority) for request in engine.requests} == {
        (speed.CONVERSATION, Priority.BACKGROUND)
    }
    assert len(engine.requests) == len(engine.asked)
