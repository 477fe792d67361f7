"""``devstral-ls model list|pull|import|inspect|remove``: models on this machine. ``calibrate`` has its own file."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from devstral_ls.cli import DONE
from devstral_ls.cli.terminal import clear_status, show_status
from devstral_ls.engine.devices import Memory, whole_memory
from devstral_ls.engine.fit import fits, recommended
from devstral_ls.errors import displayable
from devstral_ls.models import store
from devstral_ls.models.catalog import MODELS, CatalogModel
from devstral_ls.models.download.pull import pull
from devstral_ls.models.download.pull_progress import PullProgress
from devstral_ls.models.gguf.header import read_header
from devstral_ls.models.inspection import inspection
from devstral_ls.platform.paths import Directories, directories

_BETWEEN_REPORTS = 0.2
"""Seconds, in a terminal; elsewhere each tenth of the download gets a line."""


def run(options: argparse.Namespace) -> int:
    """Run the sub-command."""
    _ACTIONS[options.action](options, directories())
    return DONE


def _list_models(options: argparse.Namespace, folders: Directories) -> None:
    models = store.installed(folders.models)
    if options.json:
        rows = [{"name": m.name, "path": str(m.path), "size": m.size, "source": m.source} for m in models]
        memory = whole_memory()
        print(json.dumps({"installed": rows, "catalog": [_as_json(row, memory) for row in MODELS.values()]}))
        return
    print(f"Installed in {folders.models}:" if models else "No model is installed.")
    for model in models:
        print(f"  {model.name:22} {_size(model.size):>8}  {model.source}")
    print("Can be pulled with `devstral-ls model pull NAME`:")
    names = {model.name for model in models}
    for row in MODELS.values():
        if row.name not in names and not row.for_tests:
            print("\n".join(_described(row)))


def _as_json(model: CatalogModel, memory: Memory) -> dict[str, Any]:
    return {
        "name": model.name,
        "title": model.title,
        "size": model.size,
        "description": model.description,
        "licence": model.licence,
        "source": model.source,
        "sha256": model.sha256,
        "fits": fits(model, memory),
        "recommended": model.name == recommended(memory),
        "hidden": model.for_tests,
    }


def _described(model: CatalogModel) -> Iterator[str]:
    """What can be pulled, in lines: the model, its sources, its checksum, and what has to be said about these."""
    indent = " " * 34
    yield f"  {model.name:22} {_size(model.size):>8}  {model.title}: {model.description} ({model.licence})"
    yield f"{indent}from {model.source}"
    if model.sha256:
        yield f"{indent}SHA-256 {model.sha256}"
    if model.note:
        yield f"{indent}{model.note}"


def _pull(options: argparse.Namespace, folders: Directories) -> None:
    pull_with_progress(options.name, folders)


def _import(options: argparse.Namespace, folders: Directories) -> None:
    model = store.import_file(folders.models, Path(options.path), options.name)
    print(f"{model.name}: {model.path}")


def _remove(options: argparse.Namespace, folders: Directories) -> None:
    store.remove(folders.models, options.name)
    print(f"Removed {options.name}.")


def _inspect(options: argparse.Namespace, folders: Directories) -> None:
    header = read_header(store.find(folders.models, options.model))
    facts = inspection(header)
    if options.json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    for key, value in facts.items():
        print(f"{key:18} {displayable(_fact_text(value))}")  # the file is not trusted yet


_ACTIONS = {"list": _list_models, "pull": _pull, "import": _import, "inspect": _inspect, "remove": _remove}


def pull_with_progress(name: str, folders: Directories) -> None:
    """Download ``name`` unless it is installed, with progress on stderr.

    Raises:
        ModelError: it cannot be downloaded; the message says why.
    """
    progress = _ProgressLine()
    model = pull(folders.models, name, progress)
    progress.finish()
    print(f"{model.name}: {model.path} ({_size(model.size)}, from {model.source})", file=sys.stderr)


class _ProgressLine:
    """Progress as a status line in a terminal, and as a few lines elsewhere."""

    def __init__(self) -> None:
        self._last = 0.0
        self._last_tenth = ""

    def __call__(self, progress: PullProgress) -> None:
        share = progress.done / progress.total if progress.total else 0.0
        if progress.note:
            clear_status()
            print(progress.note, file=sys.stderr, flush=True)
        if sys.stderr.isatty():
            if time.monotonic() - self._last >= _BETWEEN_REPORTS:
                self._last = time.monotonic()
                show_status(_progress_text(progress, share))
        else:
            tenth = f"{progress.phase.value} {int(share * 10) * 10} %"
            if tenth != self._last_tenth:
                self._last_tenth = tenth
                print(_progress_text(progress, share), file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Remove the status line."""
        if self._last:
            clear_status()


def _progress_text(progress: PullProgress, share: float) -> str:
    source = f" from {progress.source}" if progress.source else ""
    done, total = _size(progress.done), _size(progress.total)
    return f"{progress.model}: {progress.phase.value}{source} {done} of {total} ({share:.0%})"


def _fact_text(value: object) -> str:
    if isinstance(value, dict):
        items = [f"{text} = {_entry_text(fact)}" for text, fact in value.items()]
        return ", ".join(items[:24]) + (f", and {len(items) - 24} more" if len(items) > 24 else "")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "-" if value is None else str(value)


def _entry_text(fact: object) -> str:
    """An entry of ``engines`` or ``fimTokens`` in a few words."""
    if not isinstance(fact, dict):
        return str(fact)
    if "can" in fact:
        return "can" if fact["can"] else f"cannot ({fact['reason']})"
    return f"{fact['token']} ({fact['id']})"


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
