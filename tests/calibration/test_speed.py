"""From what prompts cost to the costs of a batch and a token."""

from __future__ import annotations

import pytest

from devstral_ls.calibration import speed
from devstral_ls.calibration.record import Sample


def samples(batch_ms: float, token_ms: float, batch: int, lengths: tuple[int, ...]) -> list[Sample]:
    return [Sample(n, batch, -(-n // batch) * batch_ms + n * token_ms, 1, 0.0) for n in lengths]


@pytest.mark.parametrize(("batch_ms", "token_ms", "batch"), [(47, 12, 8), (20, 5.3, 44), (0, 10, 8), (5, 0.2, 512)])
def test_the_costs_are_found_again(batch_ms: float, token_ms: float, batch: int) -> None:
    found = speed.costs(samples(batch_ms, token_ms, batch, speed.lengths(batch, 4096)))
    assert found == pytest.approx((batch_ms, token_ms), abs=0.01)


def test_one_busy_moment_does_not_turn_them_over() -> None:
    measured = samples(20, 5, 44, speed.lengths(44, 4096) * 2)
    disturbed = [*measured[:-1], Sample(192, 44, measured[-1].prefill_ms * 6, 1, 0.0)]
    batch_ms, token_ms = speed.costs(disturbed)
    assert batch_ms + 44 * token_ms == pytest.approx(20 + 44 * 5, rel=0.25)


@pytest.mark.parametrize(
    "measured",
    [
        [],
        [Sample(0, 8, 0.0, 0, 0.0)],
        [Sample(8, 8, 100.0, 1, 0.0)],
        samples(100, 0, 8, (2, 4, 8)),  # a token costs nothing: that cannot be
        [Sample(8, 8, 200.0, 1, 0.0), Sample(64, 8, 100.0, 1, 0.0)],
    ],
)
def test_costs_are_never_senseless(measured: list[Sample]) -> None:
    batch_ms, token_ms = speed.costs(measured)
    assert batch_ms >= 0
    assert token_ms > 0


def test_lengths_fit_the_context_and_reach_over_a_batch() -> None:
    assert max(speed.lengths(8, 4096)) >= 8 * 8
    assert max(speed.lengths(512, 8192)) >= 2 * 512
    assert max(speed.lengths(512, 300)) < 300
    assert min(speed.lengths(4, 4096)) >= 1


def test_the_decode_rate_is_of_samples_that_generated_enough() -> None:
    assert speed.decode_ms([Sample(9, 8, 1.0, 1, 0.001), Sample(9, 8, 1.0, 24, 240.0)]) == 10
    assert speed.decode_ms([Sample(9, 8, 1.0, 1, 0.001)]) is None
