"""The table of ``model calibrate``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from devstral_ls.calibration import measurement
from devstral_ls.calibration.check import Checked
from devstral_ls.calibration.record import Record
from devstral_ls.cli import _parser
from devstral_ls.cli.calibrate import CalibrationTable, Speed, as_json, measure, table_lines
from devstral_ls.engine.tuning.budget import budget_for
from tests.calibration.bench import CASES, BenchEngine


@pytest.fixture
async def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CalibrationTable:
    monkeypatch.setattr(measurement, "holes", lambda: CASES)
    engine = BenchEngine(tmp_path / "c.json")
    subject = engine.subject
    assert subject is not None
    record = await measure(engine, subject)
    found = measurement.result_of(record, subject)
    budget = budget_for(found, subject.batch, subject.model.context_tokens, subject.latency_ms)
    speeds = (Speed(1, 58.8, 33.3), Speed(2, 100.0, None))
    return CalibrationTable(subject, record, found, budget, Checked(4000.0, 180, 10), speeds, None)


def test_it_says_what_was_chosen_and_when_the_floor_rules(table: CalibrationTable) -> None:
    said = "\n".join(table_lines(table))
    assert "6 of 6" in said
    assert "1.00  chosen" in said
    assert "192 tokens of code (the floor" in said
    assert "33.3  used" in said
    assert "+567% of the latency budget" in said


def test_a_batch_that_comes_with_the_next_start_is_said(table: CalibrationTable) -> None:
    assert "(now 8; at its next start)" not in "\n".join(table_lines(table))
    slower = replace(table, calibrated=replace(table.calibrated, token_ms=20))
    assert "4 tokens in 120 ms (now 8; at its next start)" in "\n".join(table_lines(slower))


@pytest.mark.parametrize(
    ("prefill", "decode", "said"), [(100.0, 60.0, True), (100.0, 20.0, False), (60.0, 34.0, False)]
)
def test_more_threads_are_recommended_where_all_is_faster(
    table: CalibrationTable, prefill: float, decode: float, said: bool
) -> None:
    speeds = (table.speeds[0], Speed(2, prefill, decode))
    assert ("engine.threads = 2 is faster" in "\n".join(table_lines(replace(table, speeds=speeds)))) is said


def test_json_has_all_of_it(table: CalibrationTable) -> None:
    facts = json.loads(json.dumps(as_json(table)))
    assert facts["chosen"] == "fim-psm"
    assert facts["promptTokensByFloor"] is True
    assert [row["threads"] for row in facts["threads"]] == [1, 2]


async def test_interrupted_it_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "holes", lambda: CASES)
    engine = BenchEngine(tmp_path / "c.json")

    def interrupt(n: int) -> None:
        if n == 20:
            raise KeyboardInterrupt

    engine.before = interrupt
    assert engine.subject is not None
    with pytest.raises(KeyboardInterrupt):
        await measure(engine, engine.subject)
    engine.before = lambda n: None
    record: Record = await measure(engine, engine.subject)
    assert record.finished
    assert len(set(engine.asked)) == len(CASES) * 3 + 1  # each hole once in each layout, and samples
    assert len(engine.asked) == len(CASES) * 3 + len(record.samples) + 1


def test_the_command_takes_a_name() -> None:
    options = _parser().parse_args(["model", "calibrate", "tiny", "--json"])
    assert (options.module, options.name, options.json, options.again) == (
        "devstral_ls.cli.calibrate",
        "tiny",
        True,
        False,
    )
