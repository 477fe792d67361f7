"""The results folder: one JSON file for each benchmark, read by ``benchmarks.report``."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import journal


def write(name: str, result: Mapping[str, Any], folder: Path | None = None) -> Path:
    """Write ``result`` to ``NAME.json``."""
    folder = folder or journal.RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    told = {"when": time.strftime("%Y-%m-%d %H:%M"), **result}
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return path


def read_all(folder: Path) -> dict[str, dict[str, Any]]:
    """All results in ``folder``, by name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def number(value: float | None, digits: int = 0) -> str:
    """A figure as text; a dash for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def header_lines(header: Mapping[str, Any]) -> list[str]:
    """The header of a result as two lines of text."""
    sha = str(header.get("sha256", ""))[:12]
    return [
        f"{header['model']} (sha256 {sha}…), {header['engine']}, {header['threads']} threads, batch {header['batch']}, "
        f"context {header['context']}, temperature {header['temperature']}",
        f"devstral-ls {header['devstral-ls']} (code {header['code']}), {header['machine']}",
    ]
