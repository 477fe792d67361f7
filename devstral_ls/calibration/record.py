"""The record of a calibration: a value, and the file it is stored in after each step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from cattrs import Converter

from devstral_ls.engine.state import write_private
from devstral_ls.engine.tuning.calibration import UNREADABLE, VERSION, Calibrated, calibrated_from


@dataclass(frozen=True, slots=True)
class Sample:
    """The cost of one cold prompt, in milliseconds."""

    n_tokens: int
    batch: int
    """Prompt tokens the engine evaluated at once."""
    prefill_ms: float
    n_decoded: int
    decode_ms: float


@dataclass(frozen=True, slots=True)
class HoleAnswer:
    """The answer to one hole in one layout."""

    exact: bool
    similarity: float
    """Of the first line, 0 to 1."""
    n_tokens: int
    """Generated until the first line was complete; 0 when the engine did not count."""
    n_prompt: int = 0
    """Tokens of the prompt; 0 when the engine did not count."""
    n_window: int = 0
    """Estimated tokens of the code in the prompt."""


@dataclass(frozen=True, slots=True)
class Record:
    """A calibration, finished or not."""

    model: str
    threads: int
    build: str
    samples: tuple[Sample, ...] = ()
    answers: Mapping[str, Mapping[str, HoleAnswer]] = field(default_factory=dict)
    """By layout and hole."""
    result: Calibrated | None = None
    """Set when the calibration is finished; the earlier one while the rates are measured again."""
    finished: bool = False
    spent_s: float = 0.0
    """Seconds of work that the measurements took."""

    def without_rates(self) -> Record:
        """The record with everything that depends on the machine's speed to be measured again."""
        return replace(self, samples=(), finished=False, spent_s=0.0)


_converter = Converter(detailed_validation=False)
_converter.register_structure_hook(Calibrated, lambda values, _: calibrated_from(values))


def load(file: Path) -> Record | None:
    """The record in ``file``; None when there is none, or none that can be used."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return _converter.structure(values, Record) if values["version"] == VERSION else None
    except UNREADABLE:
        return None


def save(file: Path, record: Record) -> bool:
    """Replace the file by ``record`` atomically; False when it cannot be written, which loses measurements only."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, json.dumps({"version": VERSION, **asdict(record)}, indent=1) + "\n")
    except OSError:
        return False
    return True
