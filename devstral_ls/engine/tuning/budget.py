"""What a suggestion may cost: prompt tokens and token caps for ``inline.latencyBudgetMs``, from measured rates."""

from __future__ import annotations

from dataclasses import dataclass

from devstral_ls.engine.tuning.calibration import Calibrated
from devstral_ls.generation import LINE_TIME, LINE_TOKENS, LINES_TIME, LINES_TOKENS

LATENCY_MS = 600
"""Default of ``inline.latencyBudgetMs``."""

FLOOR = 192
"""Fewest prompt tokens: some 15 lines. With less the model guesses, however quickly; what is in front of the cursor is
in the KV cache after the first request."""

MOST = 2048
"""Most prompt tokens: beyond it, what is far from the cursor adds little (``quality.md``)."""

WARM_TOKENS = 16
"""Prompt tokens that are new at the next key: the line typed on, and the healed word."""

_LEAST_LINE_TOKENS = 12
_LEAST_LINES_TOKENS = 48


@dataclass(frozen=True, slots=True)
class Budget:
    """For one model, machine and latency budget. Times in milliseconds, predicted."""

    prompt_tokens: int
    """Of code; what a layout says around it comes on top, and is counted in the times."""
    by_floor: bool
    """True when ``prompt_tokens`` is the least that keeps suggestions useful: the latency budget has no room for it."""
    line_tokens: int
    lines_tokens: int
    cold_ms: float
    """Until a usual line is there, nothing being cached."""
    warm_ms: float
    """The same at the next key."""
    slow: bool
    """True when a usual line takes longer while typing than ``LINE_TIME`` times the latency budget."""


def budget_for(found: Calibrated, batch: int, context_tokens: int, latency_ms: int = LATENCY_MS) -> Budget:
    """The budget with prompt batches of ``batch`` tokens, in a context of ``context_tokens``."""
    room_ms = latency_ms - found.line_ms
    overhead = round(found.overhead_tokens)
    wished = int(max(room_ms, 0) * found.prefill_rate(batch) / 1000) - overhead
    prompt = max(1, min(max(wished, FLOOR), MOST, context_tokens * 3 // 4 - overhead))
    warm_ms = found.prefill_ms(WARM_TOKENS, batch) + found.line_ms
    return Budget(
        prompt_tokens=prompt,
        by_floor=wished < FLOOR,
        line_tokens=_cap(found, latency_ms * LINE_TIME, _LEAST_LINE_TOKENS, LINE_TOKENS),
        lines_tokens=_cap(found, latency_ms * LINES_TIME, _LEAST_LINES_TOKENS, LINES_TOKENS),
        cold_ms=found.prefill_ms(prompt + overhead, batch) + found.line_ms,
        warm_ms=warm_ms,
        slow=warm_ms > latency_ms * LINE_TIME,
    )


def _cap(found: Calibrated, milliseconds: float, least: int, most: int) -> int:
    """The tokens that are decoded in the time a suggestion may take."""
    return min(max(int(milliseconds / found.decode_ms), least), most)
