"""Names and keys of the counters, and the latency histogram. Counters of several servers add up."""

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
"""Characters inserted by acceptance, of suggestions accepted whole and in part."""
PARTLY = "partly"
"""Accepted by word or by line, and not to the end."""
TYPED = "typed"
"""Typed by hand to the end, as shown."""
REJECTED = "rejected"
REASON = "reason."
"""Prefix; the reason code of an empty answer follows."""
MEMORY, MODEL = "ms.memory.", "ms.model."
"""Prefixes; the number of a bucket follows: the latency of an answer from memory, or from the model."""

N_BUCKETS = 80
_PER_DOUBLING = 4
"""Buckets for each doubling: a percentile is right within 10 %. 80 of them reach a quarter of an hour."""

MAX_NAME = 60
"""Characters of a model's name."""


@dataclass(frozen=True, slots=True, order=True)
class CounterKey:
    """The day, language and model of a count."""

    day: str
    """``YYYY-MM-DD`` in local time."""
    language: str
    """An id of ``languages.table``."""
    model: str
    """As ``ModelInfo.name``, or ``-`` without a model."""


Counts = Counter[tuple[CounterKey, str]]
"""Counts by key and counter name."""


def kept(seconds: int) -> str:
    """The counter of accepted suggestions still in the document after so many seconds."""
    return f"kept.{seconds}"


def looked_at(seconds: int) -> str:
    """The counter of accepted suggestions that were checked after so many seconds."""
    return f"kept.{seconds}.known"


def model_name(name: str | None) -> str:
    """A model's name as it is stored: no path, no control characters, at most ``MAX_NAME`` characters."""
    last = PurePosixPath((name or "").replace("\\", "/")).name
    return "".join(c for c in last if c.isprintable())[:MAX_NAME] or "-"


def bucket(milliseconds: float) -> int:
    """The bucket of a latency."""
    if not milliseconds > 1:
        return 0
    return min(math.ceil(_PER_DOUBLING * math.log2(milliseconds)), N_BUCKETS - 1)


def percentile(buckets: Mapping[int, int], share: float) -> float | None:
    """The latency in milliseconds that ``share`` of the answers did not exceed; None when there are no answers."""
    total = sum(buckets.values())
    reached = 0
    for number in sorted(buckets):
        reached += buckets[number]
        if total and reached >= share * total:
            return float(2 ** ((number - 0.5) / _PER_DOUBLING)) if number else 1.0
    return None
