"""GGUF headers of several kinds, damaged in ways that break readers which believe counts and lengths."""

from __future__ import annotations

import random
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from devstral_ls.errors import ModelError
from devstral_ls.models.gguf.header import read_header
from devstral_ls.models.inspection import inspection
from devstral_ls.testing import gguf_files
from devstral_ls.testing.fuzz.files.kind import Read

_HOSTILE = (0, 1, 0x7F, 0xFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 32, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
"""Counts and lengths that break readers which believe them."""


def _flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 8)):
        data[_at(data, chance)] = chance.randrange(256)


def _number(data: bytearray, chance: random.Random) -> None:
    at = min(_at(data, chance), len(data) - 8)
    data[at : at + 8] = struct.pack("<Q", chance.choice(_HOSTILE))


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[_at(data, chance) :]


def _insert(data: bytearray, chance: random.Random) -> None:
    at = _at(data, chance)
    data[at:at] = chance.randbytes(chance.randint(1, 64))


def _remove(data: bytearray, chance: random.Random) -> None:
    at = _at(data, chance)
    del data[at : at + chance.randint(1, 64)]


def _repeat(data: bytearray, chance: random.Random) -> None:
    at = _at(data, chance)
    data[at:at] = data[at : at + chance.randint(1, 256)]


_WAYS: tuple[Callable[[bytearray, random.Random], None], ...] = (_flip, _number, _cut, _insert, _remove, _repeat)


def _at(data: bytearray, chance: random.Random) -> int:
    """A place, in the first kilobyte half of the time: counts, lengths and types are there."""
    end = min(len(data), 1024) if chance.random() < 0.5 else len(data)
    return chance.randrange(end)


@cache
def _originals() -> list[bytes]:
    """Headers of several kinds, without the weights: those are never read."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            gguf_files.write_devstral_shaped(Path(folder) / "llama.gguf"),
            gguf_files.write_devstral_shaped(Path(folder) / "mistral3.gguf", "mistral3"),
            gguf_files.write_qwen_fim(Path(folder) / "qwen.gguf"),
            gguf_files.write_spm_llama(Path(folder) / "spm.gguf"),
            gguf_files.with_version(gguf_files.write_spm_llama(Path(folder) / "v2.gguf"), 2),
            gguf_files.write_header(Path(folder) / "per-layer.gguf", {"llama.attention.head_count_kv": [2, 4]}),
        ]
        return [path.read_bytes()[:32_768] + bytes(1 << 21) for path in paths]


def make(chance: random.Random) -> bytes:
    """One of the headers with something done to it."""
    data = bytearray(chance.choice(_originals())[:32_768])
    chance.choice(_WAYS)(data, chance)
    return bytes(data)


def reader(folder: Path) -> Read:
    """Reads it as ``model inspect`` does; the answer is the error's code, or ``read``."""
    path = folder / "fuzzed.gguf"

    def read(data: bytes) -> str:
        path.write_bytes(data)
        with path.open("r+b") as file:
            file.truncate(len(data) + (1 << 21))  # room for the weights, which are never read
        try:
            inspection(read_header(path))
        except ModelError as error:
            return error.code
        return "read"

    return read
