"""Counts what a Python process executes between SIGUSR1 and SIGUSR2: put on ``PYTHONPATH`` by ``benchmarks.structure``.

Writes ``PID.started`` with the command line at once and ``PID.json`` at SIGUSR2, to the folder ``DEVSTRAL_LS_TRACE``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

_FOLDER = Path(os.environ["DEVSTRAL_LS_TRACE"])
_CALLS = frozenset({"create_task", "single_edit"})
_C_CALLS = frozenset({"flock", "lockf", "LockFileEx"})

_modules: set[str] = set()
_calls: Counter[str] = Counter()


def _profile(frame: FrameType, event: str, arg: Any) -> None:
    if event == "call":
        code = frame.f_code
        # What a module does when it is imported is not on the way of a request.
        if "devstral_ls" in code.co_filename and code.co_name != "<module>":
            _modules.add(code.co_filename)
        if code.co_name in _CALLS and not code.co_filename.endswith("tasks.py"):  # asyncio's own calls the loop's
            _calls[code.co_name] += 1
    elif event == "c_call" and getattr(arg, "__name__", "") in _C_CALLS:
        _calls["file locks"] += 1


def _begin(_signal: int, _frame: FrameType | None) -> None:
    sys.setprofile(_profile)
    threading.setprofile(_profile)


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.setprofile(None)
    threading.setprofile(None)
    draft = _FOLDER / f"{os.getpid()}.tmp"
    draft.write_text(json.dumps({"modules": sorted(_modules), "calls": _calls}), encoding="utf-8")
    draft.rename(draft.with_suffix(".json"))


def _announce() -> None:
    (_FOLDER / f"{os.getpid()}.started").write_text(" ".join(sys.orig_argv), encoding="utf-8")


signal.signal(signal.SIGUSR1, _begin)
signal.signal(signal.SIGUSR2, _end)
os.register_at_fork(after_in_child=_announce)  # the engine leaves its starter's process behind
_announce()
