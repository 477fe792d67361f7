"""The statistics as values: a row for each language and model, reasons, days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from devstral_ls.statistics import counters as names
from devstral_ls.statistics.acceptance import KEPT_S
from devstral_ls.statistics.counters import CounterKey, kept, looked_at, percentile


@dataclass(slots=True)
class Row:
    """Counts of one language and model, one day, or all."""

    n: Counter[str] = field(default_factory=Counter)

    def share(self, part: str, whole: str) -> float | None:
        """``part`` of ``whole``, from 0 to 1; None when ``whole`` is 0."""
        return min(1.0, self.n[part] / self.n[whole]) if self.n[whole] > 0 else None

    def latency_ms(self, prefix: str, share: float) -> float | None:
        """That percentile of the latencies counted under ``prefix``, in milliseconds."""
        return percentile(self._buckets(prefix), share)

    @property
    def from_memory(self) -> float | None:
        """The share of answers given without the model; None when there are no answers."""
        memory, model = (sum(self._buckets(prefix).values()) for prefix in (names.MEMORY, names.MODEL))
        return memory / (memory + model) if memory + model else None

    @property
    def reasons(self) -> dict[str, int]:
        """Counts of the reasons for empty answers, most frequent first."""
        found = {name: n for name, n in self.n.most_common() if name.startswith(names.REASON)}
        return {name.removeprefix(names.REASON): n for name, n in found.items()}

    def as_json(self) -> dict[str, object]:
        """Counts, shares from 0 to 1 and milliseconds; null for what is not known."""
        n = self.n
        return {
            "shown": n[names.SHOWN],
            "shownCharacters": n[names.SHOWN_CHARS],
            "read": n[names.READ],
            "accepted": n[names.ACCEPTED],
            "acceptedShare": self.share(names.ACCEPTED, names.SHOWN),
            "acceptedCharacters": n[names.ACCEPTED_CHARS],
            "partlyAccepted": n[names.PARTLY],
            "typedThrough": n[names.TYPED],
            "rejected": n[names.REJECTED],
            "kept": {
                str(seconds): {"kept": n[kept(seconds)], "known": n[looked_at(seconds)]} for seconds in KEPT_S
            },
            "latencyMs": {
                kind: {"p50": self.latency_ms(prefix, 0.5), "p90": self.latency_ms(prefix, 0.9)}
                for kind, prefix in (("memory", names.MEMORY), ("model", names.MODEL))
            },
            "answeredFromMemory": self.from_memory,
            "reasons": self.reasons,
        }  # fmt: skip

    def _buckets(self, prefix: str) -> dict[int, int]:
        ends = {name: name.removeprefix(prefix) for name in self.n if name.startswith(prefix)}
        return {int(end): self.n[name] for name, end in ends.items() if end.isdecimal() and len(end) < 4}


@dataclass(frozen=True, slots=True)
class Report:
    """The statistics of some days."""

    rows: dict[tuple[str, str], Row]
    """By language and model, most suggestions first."""
    days: dict[str, Row]
    """By day, oldest first."""
    total: Row

    def as_json(self) -> dict[str, object]:
        """The report for ``stats --json``."""
        return {
            "total": self.total.as_json(),
            "rows": [{"language": language, "model": model} | row.as_json() for (language, model), row in self.rows.items()],
            "days": [{"day": day} | row.as_json() for day, row in self.days.items()],
        }  # fmt: skip


def report(counts: Mapping[tuple[CounterKey, str], int], n_days: int | None = None) -> Report:
    """The report over the last ``n_days`` days that have counts; over all days by default."""
    wanted = sorted({where.day for where, _ in counts})[-n_days if n_days else 0 :]
    rows: dict[tuple[str, str], Row] = {}
    days = {day: Row() for day in wanted}
    total = Row()
    for (where, name), n in counts.items():
        if where.day in days:
            for row in (rows.setdefault((where.language, where.model), Row()), days[where.day], total):
                row.n[name] += n
    most = sorted(rows.items(), key=lambda item: (-item[1].n[names.SHOWN], item[0]))
    return Report(dict(most), days, total)
