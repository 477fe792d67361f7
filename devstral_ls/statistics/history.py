"""How willingly suggestions are taken in a language, over weeks, and how much surer the model must be for that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from devstral_ls.statistics.counters import ACCEPTED, PARTLY, READ, TYPED, CounterKey

HALF_LIFE_DAYS = 14
"""After which a count weighs half: habits and models change within weeks, and a raised threshold must come down again
by itself, since what is not shown cannot be taken."""

MIN_READ = 60
"""Fewer say nothing: who takes one in ten takes at most one of 60 in 1.4 % of the cases."""

FEW = 0.05
"""The share below which hardly any are taken: half the lowest share published (IntelliCode Compose 10 %, Copilot 27 %,
arXiv:2205.06537)."""

_TAKEN = frozenset({ACCEPTED, PARTLY, TYPED})


@dataclass(frozen=True, slots=True)
class AcceptanceRate:
    """Of one language; older counts weigh less."""

    read: float = 0.0
    taken: float = 0.0

    def strictness(self) -> float:
        """By what the confidence asked for is to be multiplied: 1, or up to 2 where hardly any were taken."""
        if self.read < MIN_READ:
            return 1.0
        return 1 + max(0.0, 1 - self.taken / (FEW * self.read))

    def __add__(self, other: AcceptanceRate) -> AcceptanceRate:
        return AcceptanceRate(self.read + other.read, self.taken + other.taken)


def likings(counts: Mapping[tuple[CounterKey, str], int], today: str) -> dict[str, AcceptanceRate]:
    """Each language's."""
    found: defaultdict[str, AcceptanceRate] = defaultdict(AcceptanceRate)
    for (where, name), n in counts.items():
        weight = n * 0.5 ** (_days_between(where.day, today) / HALF_LIFE_DAYS)
        if name == READ:
            found[where.language] += AcceptanceRate(read=weight)
        elif name in _TAKEN:
            found[where.language] += AcceptanceRate(taken=weight)
    return dict(found)


def _days_between(day: str, today: str) -> int:
    """In either direction: a clock may have been wrong."""
    try:
        return abs((date.fromisoformat(today) - date.fromisoformat(day)).days)
    except ValueError:
        return 10_000
