"""What was measured so far: a value, and the file it is kept in after each step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from devstral_ls.engine.calibrated import UNREADABLE, VERSION, Calibrated, calibrated_from
from devstral_ls.engine.state import write_private


@dataclass(frozen=True, slots=True)
class Sample:
    """What one cold prompt cost, in milliseconds."""

    n_tokens: int
    batch: int
    """Prompt tokens the engine evaluated at once."""
    prefill_ms: float
    n_decoded: int
    decode_ms: float


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one hole in one layout."""

    exact: bool
    similarity: float
    """Of the first line, 0 to 1."""
    n_tokens: int
    """Generated until the first line was there; 0 where nobody counted."""
    n_prompt: int = 0
    """Tokens of the prompt; 0 where nobody counted."""
    n_window: int = 0
    """Tokens that the code in it was taken for."""


@dataclass(frozen=True, slots=True)
class Record:
    """A calibration, finished or not."""

    model: str
    threads: int
    build: str
    samples: tuple[Sample, ...] = ()
    answers: Mapping[str, Mapping[str, Answered]] = field(default_factory=dict)
    """By layout and hole."""
    result: Calibrated | None = None
    """As soon as all is measured; from the last time while the rates are measured again."""
    finished: bool = False
    spent_s: float = 0.0
    """Seconds of work that all of this took."""

    def with_answer(self, layout: str, hole: str, answered: Answered) -> Record:
        """The record with one answer more."""
        answers = {**self.answers, layout: {**self.answers.get(layout, {}), hole: answered}}
        return replace(self, answers=answers)

    def with_sample(self, sample: Sample) -> Record:
        """The record with one sample more."""
        return replace(self, samples=(*self.samples, sample))

    def without_rates(self) -> Record:
        """The record with everything that a faster or slower machine changes to be measured again."""
        return replace(self, samples=(), finished=False, spent_s=0.0)


def load(file: Path) -> Record | None:
    """The record in ``file``; None where there is none, or none that can be used."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return _record(values) if values["version"] == VERSION else None
    except UNREADABLE:
        return None


def save(file: Path, record: Record) -> bool:
    """Put ``record`` in the place of the file, in one step; was it written? If not, all that is lost is a measurement."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, json.dumps({"version": VERSION, **asdict(record)}, indent=1) + "\n")
    except OSError:
        return False
    return True


def _record(values: Mapping[str, Any]) -> Record:
    return Record(
        model=str(values["model"]),
        threads=int(values["threads"]),
        build=str(values["build"]),
        samples=tuple(Sample(**sample) for sample in values["samples"]),
        answers={
            layout: {hole: Answered(**answered) for hole, answered in answers.items()}
            for layout, answers in values["answers"].items()
        },
        result=calibrated_from(values["result"]),
        finished=bool(values["finished"]),
        spent_s=float(values.get("spent_s", 0.0)),
    )
