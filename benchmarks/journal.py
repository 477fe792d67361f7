"""Stored answers of expensive runs: one JSON line each, keyed by everything they depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"


def digest(*parts: object) -> str:
    """Twelve hex digits that change with any of ``parts``."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]


def code_digest(folder: Path = ROOT / "devstral_ls") -> str:
    """A digest of the code under test: of every source file of the package."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".py", ".scm"})
    return digest(*[(str(path.relative_to(folder)), path.read_text(encoding="utf-8")) for path in files])


class Journal:
    """The rows of one arm in order; an interrupted run appends to them."""

    def __init__(self, name: str, depends_on: Mapping[str, object], folder: Path | None = None) -> None:
        self.path = (folder or RESULTS) / "rows" / f"{name}-{digest(depends_on)}.jsonl"
        self._rows: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                self._take(line)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def get(self, key: str) -> dict[str, Any] | None:
        """The row of ``key``; None when there is none."""
        return self._rows.get(key)

    def add(self, key: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Append ``row``, and flush it to disk."""
        kept = {"key": key, **row}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(kept, ensure_ascii=False) + "\n")
        self._rows[key] = kept
        return kept

    def _take(self, line: str) -> None:
        try:
            row = json.loads(line)
        except ValueError:  # the last line of a run that was killed while writing
            return
        self._rows[str(row["key"])] = row
