"""Run a program that was partly written by a model: in a process of its own, with limits of time, memory and output."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

SECONDS = 5
MEGABYTES = 512

_LIMITED = """
import resource, sys
seconds, memory = int(sys.argv[1]), int(sys.argv[2]) << 20
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
if sys.platform != "darwin":  # which does not know this limit
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
import os, runpy
if os.path.exists("program-imports"):
    sys.path.insert(0, os.getcwd())
runpy.run_path("program.py", run_name="__main__")
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """The end of a program."""

    passed: bool
    said: str
    """The last line of its errors, or the limit it reached; empty when it passed."""


def run(
    program: str,
    test: str,
    *,
    files: Mapping[str, str] = MappingProxyType({}),
    seconds: int = SECONDS,
    megabytes: int = MEGABYTES,
) -> Ran:
    """Run ``program`` and then ``test``, which raises when the program is wrong; both may import ``files``, text by path.

    The limits are CPU time, twice that by the clock, and address space.
    """
    with tempfile.TemporaryDirectory() as folder:
        for path, text in {**files, **({"program-imports": ""} if files else {})}.items():
            Path(folder, path).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, path).write_text(text, encoding="utf-8")
        # A program that exits early, with any code, has not reached the last line.
        whole = f"{program}\n\n\n{test}\n\nprint('all-' + 'green')\n"
        Path(folder, "program.py").write_text(whole, encoding="utf-8")
        command = [sys.executable, "-I", "-c", _LIMITED, str(seconds), str(megabytes)]
        try:
            done = subprocess.run(
                command, cwd=folder, env={"PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "0"}, stdin=subprocess.DEVNULL,
                capture_output=True, timeout=2 * seconds, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Ran(passed=False, said=f"no end within {2 * seconds} s")
    errors = done.stderr.decode("utf-8", "replace").strip()
    passed = done.returncode == 0 and b"all-green" in done.stdout
    return Ran(passed, "" if passed else errors.rsplit("\n", 1)[-1][:200] or f"ended with {done.returncode}")
