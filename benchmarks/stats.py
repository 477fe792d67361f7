"""Intervals and tests for shares: small pure functions, checked against published values in ``tests/benchmarks``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import comb, sqrt

Z_95 = 1.959963984540054
"""The normal distribution's two-sided 95 % point."""


def wilson(n_hits: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """The interval of the true share, by Wilson (1927), each 0 to 1; (0, 1) when ``n`` is 0."""
    if n == 0:
        return 0.0, 1.0
    share = n_hits / n
    denominator = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / denominator
    half = z / denominator * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided exact p-value that two variants, tried on the same items, are the same.

    Args:
        only_first: items that only the first got right.
        only_second: items that only the second got right.
    """
    n = only_first + only_second
    if n == 0:
        return 1.0
    tail = sum(comb(n, k) for k in range(min(only_first, only_second) + 1)) / 2**n
    return min(1.0, 2 * tail)


def paired_interval(only_first: int, only_second: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """The interval of the difference of two shares on the same ``n`` items, first less second, each -1 to 1 (Wald with
    Agresti and Min's (2005) half an item in each cell, which holds for few items, too).
    """
    b, c, total = only_first + 0.5, only_second + 0.5, n + 2
    difference = (b - c) / total
    half = z * sqrt(b + c - (b - c) ** 2 / total) / total
    return max(-1.0, difference - half), min(1.0, difference + half)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which ``share`` (0 to 1) of ``values`` are; None when there are none."""
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def mean(values: Iterable[float]) -> float | None:
    """The mean; None when there are no values."""
    found = list(values)
    return sum(found) / len(found) if found else None
