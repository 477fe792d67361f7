"""What is made of counts: percentiles, names, rows, and how much surer the model must be."""

from __future__ import annotations

import json

import pytest

from devstral_ls.statistics.counters import N_BUCKETS, CounterKey, Counts, bucket, model_name, percentile
from devstral_ls.statistics.report import report
from devstral_ls.text import Edit, Span, apply, moved


@pytest.mark.parametrize("milliseconds", [1.5, 3, 17, 80, 240, 999, 12_345, 300_000])
def test_a_latency_is_told_within_ten_percent(milliseconds: float) -> None:
    assert percentile({bucket(milliseconds): 1}, 0.5) == pytest.approx(milliseconds, rel=0.1)


@pytest.mark.parametrize("milliseconds", [-5, 0, 0.2, 1, 1e12, float("inf"), float("nan")])
def test_any_latency_has_a_bucket(milliseconds: float) -> None:
    assert 0 <= bucket(min(milliseconds, 1e300)) < N_BUCKETS


def test_percentiles() -> None:
    buckets = {bucket(10): 8, bucket(100): 1, bucket(1000): 1}
    assert [round(percentile(buckets, share) or 0, -1) for share in (0.5, 0.9, 1.0)] == [10, 100, 940]
    assert percentile({}, 0.5) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [("starter", "starter"), ("/home/me/secret project/x.gguf", "x.gguf"), ("C:\\me\\x.gguf", "x.gguf"),
     ("org/name", "name"), (None, "-"), ("", "-"), ("a\nb", "ab"), ("x" * 500, "x" * 60)],
)  # fmt: skip
def test_a_model_is_named_without_its_place(name: str | None, told: str) -> None:
    assert model_name(name) == told


TEXT, SPAN = "0123456789", Span(3, 6)


@pytest.mark.parametrize(
    ("start", "end", "text", "left"),
    [
        (0, 0, "ab", "345"), (0, 2, "", "345"), (8, 9, "xx", "345"), (6, 6, "x", "345"),
        (3, 3, "x", "x345"), (4, 5, "xyz", "3xyz5"), (3, 6, "", ""), (1, 4, "x", "x45"), (5, 8, "x", "34x"),
        (0, 10, "all", "all"), (1, 9, "", ""),
    ],
)  # fmt: skip
def test_where_code_is_after_an_edit(start: int, end: int, text: str, left: str) -> None:
    edit = Edit(Span(start, end), text)
    span = moved(SPAN, edit)
    assert apply(TEXT, edit)[span.start : span.end] == left


# --- rows ---


def test_a_report_has_rows_days_and_a_total() -> None:
    counts = Counts()
    for day, language, n in (("2026-11-21", "go", 1), ("2026-11-22", "python", 10), ("2026-11-23", "go", 20)):
        where = CounterKey(day, language, "m")
        counts.update({(where, "shown"): n, (where, "accepted"): n // 2, (where, f"ms.model.{bucket(100)}"): n})
        counts.update({(where, "ms.memory.0"): 3 * n, (where, "reason.unsure"): n})
    whole = report(counts)
    assert list(whole.rows) == [("go", "m"), ("python", "m")]
    assert list(whole.days) == ["2026-11-21", "2026-11-22", "2026-11-23"]
    assert (whole.total.n["shown"], whole.total.from_memory, whole.total.reasons) == (31, 0.75, {"unsure": 31})
    assert list(report(counts, 2).days) == ["2026-11-22", "2026-11-23"]
    row = json.loads(json.dumps(whole.as_json()))["rows"][0]
    assert row["latencyMs"]["model"]["p90"] == pytest.approx(100, rel=0.1)
    assert row["acceptedShare"] == pytest.approx(10 / 21)
    assert row["kept"]["30"] == {"kept": 0, "known": 0}


def test_an_empty_report_divides_by_nothing() -> None:
    assert report(Counts()).as_json()["rows"] == []
    odd = Counts(
        {(CounterKey("d", "l", "m"), name): 1 for name in ("ms.model.x", "ms.model.", "ms.model.99999", "kept.30")}
    )
    assert report(odd).as_json()["total"]["acceptedShare"] is None  # type: ignore[index]
