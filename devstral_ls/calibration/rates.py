"""How fast the engine is: cold prompts of several lengths, and the costs of batch and token that explain them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from devstral_ls.calibration.record import Sample
from devstral_ls.generation import Engine, GenerationRequest, Priority, Text, Usage

N_ROUNDS = 3
"""How often each length is measured: a busy moment must not decide."""

_DISTURBED = 1.4
"""A prompt that took so many times what the others say was disturbed, and is left out."""

LONGEST = 192
"""Tokens of the longest prompt on a slow engine: 4 s at 50 tokens a second."""

CONVERSATION = "calibration"
"""Whose slot all requests of a calibration use: none of them evicts more than one document, however many there are."""

DECODED = 24
"""Tokens to generate where the decode rate is measured."""

_COUNTING = "import math\n\nnumbers = [" + ", ".join(str(n) for n in range(1, 11)) + ","
"""What every model goes on with."""


def lengths(batch: int, context_tokens: int) -> tuple[int, ...]:
    """The lengths to measure: parts of a batch, a whole one, several."""
    most = max(LONGEST, 2 * batch)
    wished = {max(batch // 4, 2), max(batch // 2, 3), batch, 2 * batch, most // 3, most}
    return tuple(sorted(n for n in wished if n <= context_tokens - DECODED))


def planned(batch: int, context_tokens: int) -> tuple[int, ...]:
    """The lengths of all samples, in order; 0 is one that counts on, for the decode rate."""
    return (0, *lengths(batch, context_tokens)) * N_ROUNDS


async def sample(engine: Engine, n: int, length: int, batch: int) -> Sample:
    """Measure a prompt of about ``length`` tokens, the ``n``-th of this calibration; see ``planned``.

    Raises:
        EngineError: it could not be measured.
    """
    # Another beginning each time: nothing of it is in the KV cache.
    text = f"{n}{chr(97 + n % 26)}" + (_COUNTING if length == 0 else " x" * (length - 2))
    request = GenerationRequest(
        (Text(text),),
        max_tokens=DECODED if length == 0 else 1,
        conversation=CONVERSATION,
        priority=Priority.BACKGROUND,
    )
    usage = await _usage(engine, request)
    n_new = usage.prompt_tokens - usage.cached_tokens
    return Sample(n_new, batch, usage.prefill_ms, usage.generated_tokens, usage.decode_ms)


async def _usage(engine: Engine, request: GenerationRequest) -> Usage:
    usage = Usage(0, 0, 0, 0.0, 0.0)
    async with engine.generate(request) as chunks:
        async for chunk in chunks:
            usage = chunk.usage or usage
    return usage


def costs(samples: Sequence[Sample]) -> tuple[float, float]:
    """Milliseconds of a batch and of each of its tokens, by least squares of the relative errors; both at least 0,
    that of a token above. Samples that were disturbed are left out, as long as most remain.
    """
    rows = [(ceil(s.n_tokens / s.batch), s.n_tokens, s.prefill_ms) for s in samples if s.n_tokens and s.prefill_ms > 0]
    if not rows:
        return 0.0, 1.0
    batch_ms, token_ms = _fit(rows)
    calm = [row for row in rows if row[2] <= _DISTURBED * (row[0] * batch_ms + row[1] * token_ms)]
    return _fit(calm) if len(calm) > len(rows) / 2 else (batch_ms, token_ms)


def _fit(rows: Sequence[tuple[int, int, float]]) -> tuple[float, float]:
    """``costs`` of rows of batches, tokens and milliseconds; not empty."""
    weighed = [(n_batches / ms, n_tokens / ms) for n_batches, n_tokens, ms in rows]
    bb = sum(b * b for b, _ in weighed)
    tt = sum(t * t for _, t in weighed)
    bt = sum(b * t for b, t in weighed)
    b1, t1 = sum(b for b, _ in weighed), sum(t for _, t in weighed)
    determinant = bb * tt - bt * bt
    token_only = t1 / tt
    if determinant <= 1e-9 * bb * tt:  # every prompt took as many batches as tokens allow
        return 0.0, token_only
    batch_ms, token_ms = (b1 * tt - t1 * bt) / determinant, (t1 * bb - b1 * bt) / determinant
    if batch_ms < 0:
        return 0.0, token_only
    # All cost and no rate cannot be: then a tenth of it is the tokens'.
    return (batch_ms, token_ms) if token_ms > 0 else (0.9 * b1 / bb, 0.1 * token_only)


def decode_ms(samples: Sequence[Sample]) -> float | None:
    """Milliseconds of a generated token: that of the quickest sample that generated enough.

    Whatever else runs on the machine makes a sample slower, and nothing makes it quicker than the machine is.
    """
    found = [s.decode_ms / s.n_decoded for s in samples if s.n_decoded >= DECODED // 2 and s.decode_ms > 0]
    return min(found) if found else None
