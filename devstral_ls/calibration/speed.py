"""The engine's speed: cold prompts of several lengths, and the costs of a batch and a token fitted to them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from statistics import fmean, linear_regression

from devstral_ls.calibration.record import Sample
from devstral_ls.generation import Engine, GenerationRequest, Priority, Text, Usage

N_ROUNDS = 3
"""Measurements of each length, so that one busy moment does not decide."""

_DISTURBED = 1.4
"""A sample that took this many times the fitted cost was disturbed, and is left out."""

LONGEST = 192
"""Tokens of the longest prompt on a slow engine: 4 s at 50 tokens a second."""

CONVERSATION = "calibration"
"""The conversation of all requests of a calibration: they evict the cached prompt of one document at most."""

DECODED = 24
"""Tokens to generate for the decode rate."""

_COUNTING = "import math\n\nnumbers = [" + ", ".join(str(n) for n in range(1, 11)) + ","
"""A text that every model continues."""


def lengths(batch: int, context_tokens: int) -> tuple[int, ...]:
    """The prompt lengths to measure, in tokens: parts of a batch, a whole one, several."""
    most = max(LONGEST, 2 * batch)
    wished = {max(batch // 4, 2), max(batch // 2, 3), batch, 2 * batch, most // 3, most}
    return tuple(sorted(n for n in wished if n <= context_tokens - DECODED))


async def sample(engine: Engine, n: int, length: int, batch: int) -> Sample:
    """Measure a prompt of about ``length`` tokens, or the decode rate when it is 0.

    Args:
        engine: the engine to measure.
        n: the number of the sample in this calibration.
        length: tokens.
        batch: prompt tokens the engine evaluates at once.

    Raises:
        EngineError: it could not be measured.
    """
    # Each begins differently, so that nothing of it is in the KV cache.
    text = f"{n}{chr(97 + n % 26)}" + (_COUNTING if length == 0 else " x" * (length - 2))
    request = GenerationRequest(
        (Text(text),),
        max_tokens=DECODED if length == 0 else 1,
        conversation=CONVERSATION,
        priority=Priority.BACKGROUND,
    )
    usage = Usage(0, 0, 0, 0.0, 0.0)
    async with engine.generate(request) as chunks:
        async for chunk in chunks:
            usage = chunk.usage or usage
    n_new = usage.prompt_tokens - usage.cached_tokens
    return Sample(n_new, batch, usage.prefill_ms, usage.generated_tokens, usage.decode_ms)


def costs(samples: Sequence[Sample]) -> tuple[float, float]:
    """Milliseconds for a batch (at least 0) and for each of its tokens (above 0), by least squares over the samples.

    Disturbed samples are left out, as long as most remain.
    """
    batches = [(ceil(s.n_tokens / s.batch), s) for s in samples if s.n_tokens and s.prefill_ms > 0]
    rows = [(s.n_tokens / n, s.prefill_ms / n) for n, s in batches]
    if not rows:
        return 0.0, 1.0
    batch_ms, token_ms = _fit(rows)
    calm = [row for row in rows if row[1] <= _DISTURBED * (batch_ms + row[0] * token_ms)]
    return _fit(calm) if len(calm) > len(rows) / 2 else (batch_ms, token_ms)


def _fit(rows: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """``costs`` of rows of tokens and milliseconds in a batch; at least one row."""
    n_tokens, ms = zip(*rows, strict=True)
    token_only = fmean(ms) / fmean(n_tokens)
    if len(set(n_tokens)) < 2:
        return 0.0, token_only
    token_ms, batch_ms = linear_regression(n_tokens, ms)
    if batch_ms < 0:
        return 0.0, token_only
    # Tokens that cost nothing are an artefact: they get a tenth of the cost.
    return (batch_ms, token_ms) if token_ms > 0 else (0.9 * fmean(ms), 0.1 * token_only)


def decode_ms(samples: Sequence[Sample]) -> float | None:
    """Milliseconds for a generated token, of the quickest sample that generated enough; None without such a sample.

    Other work on the machine only ever makes a sample slower.
    """
    found = [s.decode_ms / s.n_decoded for s in samples if s.n_decoded >= DECODED // 2 and s.decode_ms > 0]
    return min(found) if found else None
