"""How close answers are to the expected code, and which layout is the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from statistics import median

from devstral_ls.calibration.record import HoleAnswer

TIE = 0.05
"""Scores that differ by less are equal: of thirty holes, one and a half."""


@dataclass(frozen=True, slots=True)
class Score:
    """One layout over all holes."""

    layout: str
    n_holes: int
    n_exact: int
    similarity: float
    """Mean, 0 to 1."""

    @property
    def total(self) -> float:
        """The rank of a layout: the mean of the exact share and the similarity."""
        return (self.n_exact / self.n_holes + self.similarity) / 2 if self.n_holes else 0.0


def compare(expected: str, answer: str, n_tokens: int = 0) -> HoleAnswer:
    """Compare the first lines of ``answer`` and ``expected``."""
    wanted, found = first_line(expected), first_line(answer)
    similarity = SequenceMatcher(None, wanted, found, autojunk=False).ratio()
    return HoleAnswer(wanted == found, similarity, n_tokens)


def first_line(text: str) -> str:
    """The first line that is not blank, with its indentation, without trailing white space."""
    return next((line.rstrip() for line in text.split("\n") if line.strip()), "")


def scores(answers: Mapping[str, Mapping[str, HoleAnswer]], candidates: Sequence[str]) -> list[Score]:
    """The scores of ``candidates``, in their order."""
    return [_score(layout, list(answers.get(layout, {}).values())) for layout in candidates]


def ranked(found: Sequence[Score]) -> list[str]:
    """The layouts of ``found``, best first; equal ones in their order."""
    left = list(found)
    order: list[str] = []
    while left:
        best = max(score.total for score in left)
        chosen = next(score for score in left if score.total > best - TIE)
        left.remove(chosen)
        order.append(chosen.layout)
    return order


def usual_tokens(answers: Mapping[str, HoleAnswer]) -> float | None:
    """Tokens of a usual first line: the median over the answered holes; None when the engine counted none."""
    counts = [answered.n_tokens for answered in answers.values() if answered.n_tokens > 0]
    return float(median(counts)) if counts else None


def overhead_tokens(answers: Mapping[str, HoleAnswer]) -> float:
    """Prompt tokens beyond the estimate for the code, sentinels and instructions included: the median over the holes."""
    surplus = [answered.n_prompt - answered.n_window for answered in answers.values() if answered.n_prompt > 0]
    return max(0.0, float(median(surplus))) if surplus else 0.0


def _score(layout: str, answers: Sequence[HoleAnswer]) -> Score:
    similarity = sum(answered.similarity for answered in answers) / len(answers) if answers else 0.0
    return Score(layout, len(answers), sum(answered.exact for answered in answers), similarity)
