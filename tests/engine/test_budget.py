"""What a suggestion may cost, by what was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devstral_ls.engine.tuning.budget import FLOOR, MOST, WARM_TOKENS, budget_for
from devstral_ls.engine.tuning.calibration import Calibrated

TINY = Calibrated(("fim-psm",), batch_ms=20, token_ms=5.3, decode_ms=13, first_line_tokens=12)
"""As measured on one EPYC core with a model of 135M parameters."""

DEVSTRAL_ON_A_GPU = Calibrated(("chat-prefill",), batch_ms=5, token_ms=0.28, decode_ms=10.4, first_line_tokens=12)
"""3,600 and 96 tokens a second on an H100 (``engines.md``)."""

DEVSTRAL_ON_A_CORE = Calibrated(("chat-prefill",), batch_ms=1500, token_ms=400, decode_ms=1000, first_line_tokens=12)


@pytest.mark.parametrize("latency_ms", [2000, 2500, 5000, 8000])
def test_a_cold_prompt_and_a_line_fit_the_latency_budget(latency_ms: int) -> None:
    budget = budget_for(TINY, 24, 4096, latency_ms)
    assert not budget.by_floor
    assert 0.9 * latency_ms < budget.cold_ms <= 1.05 * latency_ms


def test_below_the_floor_suggestions_are_late_rather_than_useless() -> None:
    budget = budget_for(TINY, 24, 4096, 600)
    assert budget.by_floor
    assert budget.prompt_tokens == FLOOR
    assert budget.cold_ms > 600
    assert not budget.slow  # while typing it is quick


def test_a_gpu_gets_much_and_never_too_much() -> None:
    budget = budget_for(DEVSTRAL_ON_A_GPU, 512, 8192, 600)
    assert FLOOR < budget.prompt_tokens <= MOST
    assert not budget.by_floor
    assert budget_for(DEVSTRAL_ON_A_GPU, 512, 8192, 6000).prompt_tokens == MOST


def test_the_context_is_the_limit() -> None:
    assert budget_for(DEVSTRAL_ON_A_GPU, 512, 256, 600).prompt_tokens == 192


def test_a_model_that_takes_four_budgets_for_a_line_is_too_slow() -> None:
    budget = budget_for(DEVSTRAL_ON_A_CORE, 4, 4096, 600)
    assert budget.slow
    assert not budget_for(DEVSTRAL_ON_A_CORE, 4, 4096, 60_000).slow
    assert budget.warm_ms == DEVSTRAL_ON_A_CORE.prefill_ms(WARM_TOKENS, 4) + 12_000


def test_what_a_layout_says_around_the_code_costs_too() -> None:
    plain, chat = (budget_for(replace(TINY, overhead_tokens=n), 24, 4096, 2500) for n in (0, 60))
    assert chat.prompt_tokens == plain.prompt_tokens - 60
    assert chat.cold_ms == pytest.approx(plain.cold_ms, rel=0.01)


def test_token_caps_follow_the_decode_rate() -> None:
    quick = budget_for(TINY, 24, 4096, 600)
    assert (quick.line_tokens, quick.lines_tokens) == (48, 192)
    slower = budget_for(replace(TINY, decode_ms=100), 24, 4096, 600)
    assert (slower.line_tokens, slower.lines_tokens) == (24, 60)
    assert budget_for(DEVSTRAL_ON_A_CORE, 4, 4096, 600).line_tokens == 12


@pytest.mark.parametrize(("milliseconds", "batch"), [(150, 24), (100, 12), (10, 4), (100_000, 512)])
def test_the_batch_is_what_fits_the_time(milliseconds: float, batch: int) -> None:
    assert TINY.batch_within(milliseconds) == batch
