"""What was measured of a model on this machine: the result of a calibration, as the engine reads it from the disk.

``devstral_ls.calibration`` measures and writes; the engine only knows what came of it.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from hashlib import blake2b
from math import ceil
from pathlib import Path
from typing import Any

from devstral_ls.engine.tuning.rates import Rate
from devstral_ls.generation import ModelInfo

VERSION = 1
"""Of the file's format; files of another version are ignored."""

_BATCH_STEP = 4
"""The kernels work on rows in fours (``sizing``)."""

_BATCH = (4, 512)

_LEAST, _MOST = 1e-6, 1e9
"""Milliseconds and tokens out of which something can be reckoned: a nanosecond, eleven days."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """One model in one engine build with so many threads on one machine. Times in milliseconds."""

    layouts: tuple[str, ...]
    """All layouts that were tried, best first."""
    batch_ms: float
    """What a prompt batch costs, however small it is."""
    token_ms: float
    """What each prompt token of a batch costs on top."""
    decode_ms: float
    """What a generated token costs."""
    first_line_tokens: float
    """Tokens of a usual first line, as the model writes it."""
    overhead_tokens: float = 0.0
    """Prompt tokens that the first layout needs besides the code: sentinels, instructions."""

    def prefill_ms(self, n_tokens: int, batch: int) -> float:
        """What a cold prompt of ``n_tokens`` costs in batches of ``batch``."""
        return ceil(n_tokens / batch) * self.batch_ms + n_tokens * self.token_ms

    def prefill_rate(self, batch: int) -> float:
        """Prompt tokens a second in batches of ``batch``."""
        return batch / self.prefill_ms(batch, batch) * 1000

    @property
    def decode_rate(self) -> float:
        """Generated tokens a second."""
        return 1000 / self.decode_ms

    @property
    def line_ms(self) -> float:
        """What writing a usual first line costs."""
        return self.first_line_tokens * self.decode_ms

    def batch_within(self, milliseconds: float) -> int:
        """The most tokens whose batch takes no longer, in fours, from 4 to 512."""
        n_tokens = int((milliseconds - self.batch_ms) / self.token_ms) // _BATCH_STEP * _BATCH_STEP
        return min(max(n_tokens, _BATCH[0]), _BATCH[1])


@dataclass(frozen=True, slots=True)
class Subject:
    """An engine that can be calibrated."""

    file: Path
    """Where its calibration is kept."""
    model: ModelInfo
    candidates: tuple[str, ...]
    """The layouts to try, in the family's order."""
    batch: int
    """Prompt tokens the engine evaluates at once."""
    threads: int
    build: str
    latency_ms: int
    """``inline.latencyBudgetMs``."""
    observed: Rate | None
    """What requests have shown since."""


def calibration_file(data: Path, rate_key: str) -> Path:
    """Where the calibration of the engine with ``rate_key`` (file, threads, GPU layers, build) is kept for this
    machine; ``data`` is the user's data folder, which several machines may share.
    """
    digest = blake2b(json.dumps([rate_key, *machine()]).encode(), digest_size=8).hexdigest()
    return data / "calibration" / f"{digest}.json"


UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What reading JSON may raise that we have not written, or that something was done to."""


def read_calibrated(file: Path) -> Calibrated | None:
    """The result in ``file``; None where there is none, or none that can be used."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return calibrated_from(values["result"]) if values["version"] == VERSION else None
    except UNREADABLE:
        return None


def calibrated_from(values: Mapping[str, Any] | None) -> Calibrated | None:
    """The result back from JSON.

    Raises:
        ValueError, TypeError, KeyError, OverflowError: it was not written by us, or makes no sense.
    """
    if values is None:
        return None
    names = {field.name for field in fields(Calibrated)} - {"layouts", "overhead_tokens"}
    numbers = {name: float(values[name]) for name in names}
    numbers["overhead_tokens"] = float(values.get("overhead_tokens", 0))
    layouts = tuple(values["layouts"])
    may_be_zero = ("batch_ms", "overhead_tokens")
    sensible = all(_LEAST < number < _MOST or (number == 0 and name in may_be_zero) for name, number in numbers.items())
    if not sensible or not all(isinstance(layout, str) for layout in layouts):
        raise ValueError("numbers that cannot be")
    return Calibrated(layouts=layouts, **numbers)


@cache
def machine() -> tuple[str, str, int]:
    """What makes this machine as fast as it is: architecture, processor, and how many cores we may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return platform.machine(), _processor(), cores


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            named = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            return next(named, platform.processor())
    except OSError:
        return platform.processor()
