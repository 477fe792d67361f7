"""Feed hostile files of every kind to the code that reads them: ``python -m benchmarks.fuzz_files --files 100000 --seed 7``.

Each kind (``devstral_ls/testing/fuzz/files/kinds.py``) has a worker process with a limited address space; a watchdog ends
one that takes over 2 s of CPU time for a file. A reader must return a word: an exception, a signal, too much time or
memory is a defect, and the file is written to ``tests/fuzz/found/``, from where the test suite reads it again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devstral_ls.testing.fuzz.files.kind import MOST_SECONDS, Kind
from devstral_ls.testing.fuzz.files.kinds import KINDS
from devstral_ls.testing.lsp_client import ROOT
from devstral_ls.testing.process_usage import cpu_s, peak

FOUND = ROOT / "tests" / "fuzz" / "found"

MOST_WALL_SECONDS = 120.0
"""For one file, whatever else runs on the machine: a file that takes longer waits for something that does not come."""

MOST_BYTES = 400 * 1024 * 1024
"""Memory of a worker: 70 MB of code, and a file of 10 MB as text, as bytes and as a tree."""

_ADDRESSES = 4 << 30
"""Bytes of address space of a worker; an allocation beyond is a ``MemoryError``."""

_LOOK_S = 0.1
_MOST_KEPT_BYTES = 100_000
_MOST_BROKEN = 20
"""Defects recorded of one kind; more add nothing."""


@dataclass
class Result:
    """The result of one kind."""

    files: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_number: int = -1
    bytes: int = 0
    """Peak memory."""
    broken: list[str] = field(default_factory=list)

    def says(self) -> str:
        """The result as one line."""
        return (
            f"{self.files:6} files, slowest {self.slowest * 1000:5.0f} ms (number {self.slowest_number}), "
            f"memory at most {self.bytes / 1e6:.0f} MB, {len(self.broken)} broken; {dict(self.outcomes.most_common(6))}"
        )


def made(kind: Kind, seed: int, number: int) -> bytes:
    """The file of that number; always the same."""
    return kind.make(random.Random(f"{seed}/{kind.name}/{number}"))


def run(kind: Kind, count: int, seed: int, folder: Path = FOUND, most_seconds: float = MOST_SECONDS) -> Result:
    """Read so many files of a kind; defective ones are written to ``folder``."""
    result = Result()
    begin = 0
    while begin < count and len(result.broken) < _MOST_BROKEN:
        begin = _work(kind, begin, count, seed, result, (folder, most_seconds))
    return result


def _work(kind: Kind, begin: int, end: int, seed: int, result: Result, how: tuple[Path, float]) -> int:
    """Run one worker until it is done or a file ends it; the number at which the next worker begins."""
    folder, most_seconds = how
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    at, spent = context.Value("q", begin), context.Value("d", 0.0)
    worker = context.Process(target=_worker, args=(kind, begin, end, seed, at, spent, theirs), daemon=True)
    worker.start()
    theirs.close()
    why, last, since = "", begin - 1, time.monotonic()
    while not why:
        try:
            while ours.poll(_LOOK_S):
                begin = _heard(ours.recv(), kind, seed, result, folder) + 1
        except EOFError:
            worker.join()
            why = "done" if worker.exitcode == 0 else f"exit code {worker.exitcode}"
            break
        if at.value != last:
            last, since = at.value, time.monotonic()
        seconds = cpu_s(worker.pid or 0) - spent.value if spent.value else 0.0
        if at.value == last and seconds > most_seconds:
            why = f"more than {most_seconds:g} s"
        elif time.monotonic() - since > MOST_WALL_SECONDS:
            why = f"nothing for {MOST_WALL_SECONDS:g} s"
    number = at.value
    if worker.is_alive():
        worker.kill()
    worker.join()
    ours.close()
    if why == "done":
        return end
    _broke(kind, seed, number, why, result, folder)
    return max(number, begin) + 1


def _worker(kind: Kind, begin: int, end: int, seed: int, at: Any, spent: Any, told: Any) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        read = kind.reader(Path(folder))
        for number in range(begin, end):
            data = made(kind, seed, number)
            # The time is written before the number: the watchdog reads the number.
            spent.value, at.value = time.process_time(), number
            began = time.process_time()
            said, error = _read(read, data)
            told.send((number, said, error, time.process_time() - began, peak()))
        told.close()


def _read(read: Any, data: bytes) -> tuple[str, str]:
    try:
        said = read(data)
        return said, said if said.startswith("BUG") else ""
    except Exception as error:  # noqa: BLE001  any exception is a defect
        where = traceback.extract_tb(error.__traceback__)[-3:]
        places = " < ".join(f"{Path(one.filename).name}:{one.lineno}" for one in reversed(where))
        return f"BUG {type(error).__name__}", f"{type(error).__name__}: {error!s:.200} at {places}"


def _heard(told: tuple[int, str, str, float, int], kind: Kind, seed: int, result: Result, folder: Path) -> int:
    number, said, error, seconds, most = told
    result.files += 1
    result.outcomes[said] += 1
    if seconds > result.slowest:
        result.slowest, result.slowest_number = seconds, number
    if most > MOST_BYTES >= result.bytes:
        error = error or f"{most / 1e6:.0f} MB of memory"
    result.bytes = max(result.bytes, most)
    if seconds > MOST_SECONDS:
        error = error or f"{seconds:.1f} s"
    if error:
        _broke(kind, seed, number, error, result, folder)
    return number


def _broke(kind: Kind, seed: int, number: int, why: str, result: Result, folder: Path) -> None:
    data = made(kind, seed, number)
    line = f"{kind.name} {number} of seed {seed}, {len(data):,} bytes: {why}"
    print(line, file=sys.stderr, flush=True)
    result.broken.append(line)
    # One file for each defect is enough, and a large one can be made again from seed and number.
    if len(data) <= _MOST_KEPT_BYTES and sum(why in one for one in result.broken) == 1:
        (folder / kind.name).mkdir(parents=True, exist_ok=True)
        (folder / kind.name / f"{seed}-{number}").write_bytes(data)


def shares(files: int, names: Sequence[str]) -> dict[str, int]:
    """The number of files of each kind: at least one, and at least ``files`` together."""
    total = sum(KINDS[name].share for name in names)
    return {name: max(1, -(-files * KINDS[name].share // total)) for name in names}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--jobs", type=int, default=1, help="kinds at a time; a file's time is the processor's")
    options = parser.parse_args()
    total, broken, began = 0, 0, time.monotonic()
    with ThreadPoolExecutor(options.jobs) as pool:
        counts = shares(options.files, options.kinds)
        running = {pool.submit(run, KINDS[name], count, options.seed): name for name, count in counts.items()}
        for done in as_completed(running):
            result = done.result()
            total, broken = total + result.files, broken + len(result.broken)
            print(f"{time.monotonic() - began:5.0f} s  {running[done]:13} {result.says()}", flush=True)
    print(f"seed {options.seed}: {total:,} files of {len(options.kinds)} kinds, {broken} broken")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
