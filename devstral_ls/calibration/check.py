"""Does it hold: cold requests through the pipeline, with the budget that was found."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace

from devstral_ls.calibration.cases import Hole, holes
from devstral_ls.generation import Engine
from devstral_ls.languages.syntax.tree import SyntaxTrees
from devstral_ls.settings.tree import Settings
from devstral_ls.suggest.pipeline import Suggester
from devstral_ls.suggest.trace import InlineQuery
from devstral_ls.text import Snapshot

_ASKED = "python/read-config"
"""A hole of one line, with code after it."""


N_REQUESTS = 3
"""How often: one may meet a busy moment."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the request cost."""

    total_ms: float
    """From the query to the suggestion."""
    n_new: int
    """Prompt tokens that were evaluated."""
    n_decoded: int


async def check(engine: Engine, settings: Settings) -> Checked:
    """Ask ``N_REQUESTS`` times, with as much code around the cursor as the budget takes, none of it seen before.

    The request of the middle is given back.

    Raises:
        EngineError: the engine failed.
    """
    found = [await _once(engine, settings) for _ in range(N_REQUESTS)]
    return sorted(found, key=lambda checked: checked.total_ms)[N_REQUESTS // 2]


async def _once(engine: Engine, settings: Settings) -> Checked:
    query = _cold()
    start = time.monotonic()
    suggester = Suggester(engine, SyntaxTrees())
    outcome = await suggester.inline(query, replace(settings, inline=replace(settings.inline, ahead=False)))
    total_ms = (time.monotonic() - start) * 1000
    usage = outcome.trace.usage
    if usage is None:
        return Checked(total_ms, 0, 0)
    return Checked(total_ms, usage.prompt_tokens - usage.cached_tokens, usage.generated_tokens)


def _cold() -> InlineQuery:
    """A file of other code, the hole, and other code again; with a line in each that is new in every run."""
    asked = next(hole for hole in holes() if hole.id == _ASKED)
    others = [hole for hole in holes() if hole.snapshot.language == "python" and hole is not asked]
    above, below = _file(others), _file(list(reversed(others)))
    text = asked.snapshot.text
    whole = f"{above}\n\n{text[: asked.offset]}{text[asked.offset :]}\n\n{below}"
    snapshot = Snapshot("file:///calibration.py", 1, "python", whole)
    return InlineQuery(snapshot, len(above) + 2 + asked.offset, invoked=True)


def _file(found: list[Hole]) -> str:
    """The code of ``found``, what is missing filled in, three times."""
    pieces = [f"_{secrets.token_hex(4)} = {n}\n\n{_filled(hole)}" for n, hole in enumerate(found * 3)]
    return "\n\n".join(pieces)


def _filled(hole: Hole) -> str:
    return hole.snapshot.text[: hole.offset] + hole.expected + hole.snapshot.text[hole.offset :]
