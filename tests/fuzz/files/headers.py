"""GGUF headers: those of ``benchmarks.fuzz_gguf``, damaged as it does."""

from __future__ import annotations

import random
import tempfile
from functools import cache
from pathlib import Path

from benchmarks import fuzz_gguf
from tests.fuzz.files.kind import Read


@cache
def _originals() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return fuzz_gguf.originals(Path(folder))


def make(chance: random.Random) -> bytes:
    """A header with a few things done to it."""
    return fuzz_gguf.damaged(_originals(), chance)


def reader(folder: Path) -> Read:
    """Reads it as ``model inspect`` does."""
    path = folder / "fuzzed.gguf"

    def read(data: bytes) -> str:
        fuzz_gguf.write(path, data)
        return fuzz_gguf.read(path)

    return read
