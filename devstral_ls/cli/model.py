"""``devstral-ls model list|pull|import|inspect|remove``: models on this machine. ``calibrate`` has a file of its own."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from devstral_ls.cli import DONE
from devstral_ls.models import store
from devstral_ls.models.catalog import MODELS
from devstral_ls.models.download.progress import Progress
from devstral_ls.models.download.pull import pull
from devstral_ls.models.gguf.header import read_header
from devstral_ls.models.inspection import inspection
from devstral_ls.platform.paths import Directories, directories

_BETWEEN_REPORTS = 0.2
"""Seconds in a terminal; a log gets a line for each tenth."""


def run(options: argparse.Namespace) -> int:
    """Do the action asked for."""
    _ACTIONS[options.action](options, directories())
    return DONE


def _list(options: argparse.Namespace, folders: Directories) -> None:
    models = store.installed(folders.models)
    if options.json:
        rows = [{"name": m.name, "path": str(m.path), "size": m.size, "source": m.source} for m in models]
        print(json.dumps({"installed": rows, "catalog": list(MODELS)}))
        return
    print(f"Installed in {folders.models}:" if models else "No model is installed.")
    for model in models:
        print(f"  {model.name:22} {_size(model.size):>8}  {model.source}")
    print("Can be pulled with `devstral-ls model pull NAME`:")
    here = {model.name for model in models}
    for row in MODELS.values():
        if row.name not in here:
            print(f"  {row.name:22} {_size(row.size):>8}  {row.title}: {row.description} ({row.licence})")


def _pull(options: argparse.Namespace, folders: Directories) -> None:
    pull_with_progress(options.name, folders)


def _import(options: argparse.Namespace, folders: Directories) -> None:
    model = store.import_file(folders.models, Path(options.path), options.name)
    print(f"{model.name}: {model.path}")


def _remove(options: argparse.Namespace, folders: Directories) -> None:
    store.remove(folders.models, options.name)
    print(f"{options.name} is removed.")


def _inspect(options: argparse.Namespace, folders: Directories) -> None:
    header = read_header(store.find(folders.models, options.model))
    facts = inspection(header)
    if options.json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    for key, value in facts.items():
        print(f"{key:18} {_written(value)}")


_ACTIONS = {"list": _list, "pull": _pull, "import": _import, "inspect": _inspect, "remove": _remove}


def pull_with_progress(name: str, folders: Directories) -> None:
    """Pull ``name`` unless it is there, and say how it goes.

    Raises:
        ModelError: it cannot be had; the message says why.
    """
    report = _Report()
    model = pull(folders.models, name, report)
    report.finish()
    print(f"{model.name}: {model.path} ({_size(model.size)}, from {model.source})", file=sys.stderr)


class _Report:
    """Progress as one line that is written over in a terminal, and as a few lines in a log."""

    def __init__(self) -> None:
        self._last = 0.0
        self._said = ""

    def __call__(self, progress: Progress) -> None:
        share = progress.done / progress.total if progress.total else 0.0
        if progress.note:
            self._line(progress.note)
        if sys.stderr.isatty():
            if time.monotonic() - self._last >= _BETWEEN_REPORTS:
                self._last = time.monotonic()
                print(f"\r\033[K{self._words(progress, share)}", end="", file=sys.stderr, flush=True)
        else:
            tenth = f"{progress.phase.value} {int(share * 10) * 10} %"
            if tenth != self._said:
                self._said = tenth
                print(self._words(progress, share), file=sys.stderr, flush=True)

    def finish(self) -> None:
        """End the line."""
        if self._last:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def _line(self, note: str) -> None:
        print(f"\r\033[K{note}" if sys.stderr.isatty() else note, file=sys.stderr, flush=True)

    def _words(self, progress: Progress, share: float) -> str:
        source = f" from {progress.source}" if progress.source else ""
        done, total = _size(progress.done), _size(progress.total)
        return f"{progress.model}: {progress.phase.value}{source} {done} of {total} ({share:.0%})"


def _written(value: object) -> str:
    if isinstance(value, dict):
        items = [f"{text} = {_told(fact)}" for text, fact in value.items()]
        return ", ".join(items[:24]) + (f", and {len(items) - 24} more" if len(items) > 24 else "")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "-" if value is None else str(value)


def _told(fact: object) -> str:
    """An entry of ``engines`` or ``fimTokens`` in a few words."""
    if not isinstance(fact, dict):
        return str(fact)
    if "can" in fact:
        return "can" if fact["can"] else f"cannot ({fact['reason']})"
    return f"{fact['token']} ({fact['id']})"


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
