"""A check of the result: cold requests through the pipeline, with the calibrated budget."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace

from devstral_ls.calibration.cases import holes
from devstral_ls.generation import Engine
from devstral_ls.settings.tree import Settings
from devstral_ls.suggest.pipeline import Suggester
from devstral_ls.suggest.trace import InlineQuery
from devstral_ls.text import Snapshot

_ASKED = "python/read-config"
"""A hole of one line, with code after it."""


N_REQUESTS = 3
"""Several, since one may meet a busy moment of the machine."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The cost of one request."""

    total_ms: float
    """From the query to the suggestion."""
    n_new: int
    """Prompt tokens that were evaluated, not reused."""
    n_decoded: int


async def check(engine: Engine, settings: Settings) -> Checked:
    """The median of ``N_REQUESTS`` cold requests, with as much code around the cursor as the budget takes.

    Raises:
        EngineError: the engine failed.
    """
    found = [await _once(engine, settings) for _ in range(N_REQUESTS)]
    return sorted(found, key=lambda checked: checked.total_ms)[N_REQUESTS // 2]


async def _once(engine: Engine, settings: Settings) -> Checked:
    query = _cold()
    start = time.monotonic()
    suggester = Suggester(engine)
    outcome = await suggester.inline(query, replace(settings, inline=replace(settings.inline, prefetch=False)))
    total_ms = (time.monotonic() - start) * 1000
    usage = outcome.trace.usage
    if usage is None:
        return Checked(total_ms, 0, 0)
    return Checked(total_ms, usage.prompt_tokens - usage.cached_tokens, usage.generated_tokens)


def _cold() -> InlineQuery:
    """The hole between other code, with a line in each piece that is new in every run, so that nothing is cached."""
    asked = next(hole for hole in holes() if hole.id == _ASKED)
    others = [hole for hole in holes() if hole.snapshot.language == "python" and hole is not asked] * 3
    pieces = [f"_{secrets.token_hex(4)} = 1\n\n{hole.complete}\n\n" for hole in others]
    above, below = "".join(pieces), "".join(reversed(pieces))
    snapshot = Snapshot("file:///calibration.py", 1, "python", f"{above}{asked.snapshot.text}\n\n{below}")
    return InlineQuery(snapshot, len(above) + asked.offset, invoked=True)
