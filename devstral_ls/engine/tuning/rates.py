"""The prefill and decode rates seen on this machine, per model and engine, remembered between runs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from devstral_ls.engine.state import write_private
from devstral_ls.generation import Usage

MIN_TOKENS = 32
"""A request with fewer new prompt tokens says nothing about the rate."""

_MIN_DECODED = 8
_HALF_TRUST = 256
"""Tokens after which a new measurement counts for half: a busy minute must not change much for long."""

_MAX_KNOWN = 64
"""Engines remembered; the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens a second."""

    prefill: float
    decode: float | None = None


class Rates:
    """The rates of all engines, in one small JSON file that several servers may write."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: dict[str, Rate] = {}
        self._unsaved = False

    @property
    def unsaved(self) -> bool:
        """True when there is something new to ``save``."""
        return self._unsaved

    def get(self, key: str) -> Rate | None:
        """What is known of ``key``, from this process or the file."""
        return self._seen.get(key) or _read(self._file).get(key)

    def put(self, key: str, rate: Rate) -> None:
        """Forget what was seen before: ``rate`` was measured on purpose."""
        self._seen[key] = rate
        self._unsaved = True

    def of_file(self, file_key: str) -> Rate | None:
        """The last known of the model file ``file_key`` on the processor alone, with whatever threads and engine."""
        keys = {**_read(self._file), **self._seen}
        found = [rate for key, rate in keys.items() if _is_of_file(key, file_key)]
        return found[-1] if found else None

    def observe(self, key: str, usage: Usage) -> None:
        """Take ``usage`` into account, if it says anything."""
        n_new = usage.prompt_tokens - usage.cached_tokens
        if n_new < MIN_TOKENS or usage.prefill_ms <= 0:
            return
        known = self.get(key)
        prefill = _blend(known.prefill if known else None, n_new / usage.prefill_ms * 1000, n_new)
        decode = known.decode if known else None
        if usage.generated_tokens >= _MIN_DECODED and usage.decode_ms > 0:
            decode = _blend(decode, usage.generated_tokens / usage.decode_ms * 1000, usage.generated_tokens)
        self._seen[key] = Rate(prefill, decode)
        self._unsaved = True

    def save(self) -> None:
        """Write what was seen to the file. A file that cannot be written is not an error: it is only remembered less."""
        if not self._unsaved:
            return
        self._unsaved = False
        others = {key: rate for key, rate in _read(self._file).items() if key not in self._seen}
        known = list({**others, **self._seen}.items())[-_MAX_KNOWN:]
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_private(self._file, json.dumps({key: asdict(rate) for key, rate in known}, indent=1) + "\n")
        except OSError:
            return


def _is_of_file(key: str, file_key: str) -> bool:
    """Rate keys are FILE:THREADS:GPU_LAYERS:ENGINE."""
    parts = key.split(":")
    return len(parts) >= 3 and parts[0] == file_key and parts[2] == "0"


def _blend(old: float | None, new: float, n_tokens: int) -> float:
    if old is None:
        return new
    weight = min(0.5, 0.5 * n_tokens / _HALF_TRUST)
    return old + weight * (new - old)


def _read(file: Path) -> dict[str, Rate]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return {str(key): Rate(float(rate["prefill"]), _number(rate.get("decode"))) for key, rate in values.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
