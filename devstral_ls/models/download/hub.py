"""Take a model from the Hugging Face hub: ``huggingface_hub`` does the work, in a process that can be ended."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import time
from pathlib import Path
from typing import Any

from devstral_ls.errors import ModelCorrupt
from devstral_ls.models.catalog import CatalogModel, HubSource
from devstral_ls.models.download.child_process import Child, largest_file
from devstral_ls.models.download.progress import Phase, Progress, Report
from devstral_ls.models.download.source_failed import SourceFailed

ANSWER_SECONDS = 10.0
"""So long a hub may take to say what it knows of the file; after that the next source is tried."""

POLL_SECONDS = 0.1
_BLOCK = 16 << 20
_SCRIPT = Path(__file__).with_name("hub_fetch.py")
_ENVIRONMENT = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def needed_bytes(model: CatalogModel, folder: Path) -> int:
    """Space for the file, less what is there already."""
    return max(model.size - largest_file(folder / "hub"), 0)


def fetch_hub(model: CatalogModel, source: HubSource, folder: Path, progress: Report) -> Path:
    """Fetch ``model`` into ``folder`` and return the file, its sum checked. An unfinished download is gone on with.

    Raises:
        SourceFailed: there is no ``huggingface_hub`` here, or the hub does not give the file.
        ModelCorrupt: the file does not have the sum it should have; it is thrown away then.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise SourceFailed("huggingface_hub is not installed (`pip install 'devstral-ls[hub]'`)")
    got = folder / "hub"
    work = folder / "hub.work"
    got.mkdir(exist_ok=True)
    child = Child([str(_SCRIPT), source.repository, source.file, source.revision, str(got)], work, _ENVIRONMENT)
    try:
        answers = _answers(child, model, source, got, progress)
    finally:
        child.stop()
    expected = model.sha256 if source.is_pinned and model.sha256 else answers["sha256"]
    return _checked(Path(answers["path"]), expected, model, source, progress)


def _answers(child: Child, model: CatalogModel, source: HubSource, got: Path, progress: Report) -> dict[str, Any]:
    """Everything the script has printed, once it is through."""
    started, done = time.monotonic(), 0
    while (status := child.status()) is None:
        answers = _read(child)
        if not answers and time.monotonic() - started > ANSWER_SECONDS:
            raise SourceFailed(f"the hub did not answer within {ANSWER_SECONDS:.0f} seconds")
        total = int(answers.get("size") or model.size)
        done = max(done, min(largest_file(got), total))
        progress(Progress(model.name, Phase.DOWNLOADING, done, total, source.title))
        child.wait(POLL_SECONDS)
    if status:
        raise SourceFailed(f"the hub does not give it: {child.complaint()}")
    return _read(child)


def _read(child: Child) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for line in child.lines():
        if line.startswith("{"):
            answers.update(json.loads(line))
    return answers


def _checked(path: Path, expected: str | None, model: CatalogModel, source: HubSource, progress: Report) -> Path:
    digest, total = hashlib.sha256(), path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            progress(Progress(model.name, Phase.CHECKING, file.tell(), total, source.title))
    if expected is not None and digest.hexdigest() != expected:
        path.unlink()
        raise ModelCorrupt(
            f"what {source.title} gave for {model.name!r} does not have the sum it should have",
            hint="Try again; if it stays so, the file there was changed.",
        )
    return path
