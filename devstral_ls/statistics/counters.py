"""What is counted: names, where they belong, and latencies as a histogram. Everything adds up, whoever counted it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

SHOWN = "shown"
SHOWN_CHARS = "shown.chars"
READ = "read"
"""Shown for long enough to be read, or used."""
ACCEPTED = "accepted"
ACCEPTED_CHARS = "accepted.chars"
"""Characters that were put in and not typed, of suggestions taken whole and in part."""
PARTLY = "partly"
"""Taken by word or by line, and not to the end."""
TYPED = "typed"
"""Typed by hand to the end, as it was shown."""
REJECTED = "rejected"
REASON = "reason."
"""With the reason code of an empty answer behind it."""
MEMORY, MODEL = "ms.memory.", "ms.model."
"""With the number of a bucket behind it: how long an answer took that came from memory, or from the model."""

N_BUCKETS = 80
_PER_DOUBLING = 4
"""Buckets for each doubling: a percentile is right within 10 %. 80 of them reach a quarter of an hour."""

MAX_NAME = 60
"""Characters of a model's name."""


@dataclass(frozen=True, slots=True, order=True)
class CounterKey:
    """What a count belongs to."""

    day: str
    """``YYYY-MM-DD``, where the machine is."""
    language: str
    """An id of ``languages.table``."""
    model: str
    """As ``ModelInfo.name``, or ``-`` where there is none."""


Counts = Counter[tuple[CounterKey, str]]
"""How many of each name."""


def kept(seconds: int) -> str:
    """The name for suggestions that were still there after so many seconds."""
    return f"kept.{seconds}"


def looked_at(seconds: int) -> str:
    """The name for suggestions that were looked at again after so many seconds."""
    return f"kept.{seconds}.known"


def model_name(name: str | None) -> str:
    """A model's name as it is kept: no path, no control characters, not too long."""
    last = PurePosixPath((name or "").replace("\\", "/")).name
    return "".join(c for c in last if c.isprintable())[:MAX_NAME] or "-"


def bucket(milliseconds: float) -> int:
    """The bucket of a latency."""
    if not milliseconds > 1:
        return 0
    return min(math.ceil(_PER_DOUBLING * math.log2(milliseconds)), N_BUCKETS - 1)


def percentile(buckets: Mapping[int, int], share: float) -> float | None:
    """The latency in milliseconds that ``share`` of the answers did not exceed; ``None`` where there are none."""
    total = sum(buckets.values())
    reached = 0
    for number in sorted(buckets):
        reached += buckets[number]
        if total and reached >= share * total:
            return float(2 ** ((number - 0.5) / _PER_DOUBLING)) if number else 1.0
    return None
