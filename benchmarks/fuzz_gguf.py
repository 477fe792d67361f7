"""Damage GGUF headers in many ways and read them: nothing but a clear error or a header may come of it.

``python -m benchmarks.fuzz_gguf --count 10000`` prints what happened, the longest read and the peak memory; the exit
status is 1 where something else came, a read took over ``_MAX_SECONDS``, or the memory rose over ``_MAX_BYTES``.
"""

from __future__ import annotations

import argparse
import random
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from benchmarks.processes import peak
from devstral_ls.errors import ModelError
from devstral_ls.models.gguf.header import read_header
from devstral_ls.models.inspection import inspection
from tests import gguf_files

_MAX_SECONDS = 2.0
_MAX_BYTES = 200_000_000
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


def originals(folder: Path) -> list[bytes]:
    """Headers of several kinds, without the weights: those are never read."""
    paths = [
        gguf_files.write_devstral_shaped(folder / "llama.gguf"),
        gguf_files.write_devstral_shaped(folder / "mistral3.gguf", "mistral3"),
        gguf_files.write_qwen_fim(folder / "qwen.gguf"),
        gguf_files.write_spm_llama(folder / "spm.gguf"),
        gguf_files.with_version(gguf_files.write_spm_llama(folder / "v2.gguf"), 2),
        gguf_files.write_header(folder / "per-layer.gguf", {"llama.attention.head_count_kv": [2, 4]}),
    ]
    return [path.read_bytes()[:32_768] + bytes(1 << 21) for path in paths]


def read(path: Path) -> str:
    """What comes of the file: the code of the error, or that it could be read."""
    try:
        inspection(read_header(path))
    except ModelError as error:
        return error.code
    return "read"


def damaged(whole: list[bytes], chance: random.Random) -> bytes:
    """One of the headers with something done to it."""
    data = bytearray(chance.choice(whole)[:32_768])
    chance.choice(_WAYS)(data, chance)
    return bytes(data)


def write(path: Path, data: bytes) -> None:
    """A file that begins so, and has room for the weights."""
    path.write_bytes(data)
    with path.open("r+b") as file:
        file.truncate(len(data) + (1 << 21))


def run(count: int, seed: int) -> int:
    chance = random.Random(seed)
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        whole = originals(Path(folder))
        before = peak()
        path = Path(folder, "fuzzed.gguf")
        for number in range(count):
            write(path, damaged(whole, chance))
            begin = time.perf_counter()
            try:
                outcomes[read(path)] += 1
            except Exception as error:  # noqa: BLE001  that is what we look for
                outcomes[f"BUG {type(error).__name__}"] += 1
                print(f"mutation {number} of seed {seed}: {error!r}", file=sys.stderr)
            slowest = max(slowest, time.perf_counter() - begin)
    most = peak()
    print(f"{count} mutations, seed {seed}: {dict(outcomes.most_common())}")
    print(f"slowest read {slowest * 1000:.0f} ms, peak memory {most / 1e6:.0f} MB ({before / 1e6:.0f} MB before)")
    broken = any(name.startswith("BUG") for name in outcomes)
    return int(broken or slowest > _MAX_SECONDS or most > _MAX_BYTES)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args()
    return run(options.count, options.seed)


if __name__ == "__main__":
    sys.exit(main())
