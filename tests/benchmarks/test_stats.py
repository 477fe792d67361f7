"""Known values: textbooks' and other implementations'."""

from __future__ import annotations

import pytest

from benchmarks.stats import mcnemar, mean, paired_interval, percentile, wilson


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (10, 20, 0.2993, 0.7007),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson_interval(hits: int, n: int, low: float, high: float) -> None:
    assert wilson(hits, n) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [(0, 0, 1.0), (5, 15, 0.0414), (15, 5, 0.0414), (1, 0, 1.0), (0, 6, 0.03125), (10, 10, 1.0)],
)
def test_mcnemars_exact_p(only_first: int, only_second: int, p: float) -> None:
    assert mcnemar(only_first, only_second) == pytest.approx(p, abs=1e-4)


def test_the_interval_of_a_paired_difference_holds_the_difference_and_turns_with_it() -> None:
    low, high = paired_interval(12, 4, 40)
    assert low < 8 / 40 < high
    assert paired_interval(4, 12, 40) == pytest.approx((-high, -low))
    assert low == pytest.approx(0.0069, abs=1e-4)
    assert paired_interval(0, 0, 10)[0] < 0 < paired_interval(0, 0, 10)[1]


def test_percentiles_and_means() -> None:
    values = [float(n) for n in range(100)]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.95, 1.0)] == [0.0, 50.0, 95.0, 99.0]
    assert percentile([], 0.5) is None
    assert mean([1, 2, 6]) == 3
    assert mean([]) is None
