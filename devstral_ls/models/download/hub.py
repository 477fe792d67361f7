"""Fetches a model from the Hugging Face hub, by ``huggingface_hub`` in a process that can be ended."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

from devstral_ls.errors import ModelCorrupt
from devstral_ls.models.catalog import CatalogModel, HubSource
from devstral_ls.models.download.child_process import DownloadProcess, largest_file
from devstral_ls.models.download.pull_progress import OnProgress, Phase, PullProgress
from devstral_ls.models.download.source_failed import SourceFailed

ANSWER_SECONDS = 10.0
"""The longest a hub may take to return the metadata of the file; after that the next source is tried."""

POLL_SECONDS = 0.1
_BLOCK = 16 << 20
_SCRIPT = Path(__file__).with_name("hub_fetch.py")
_ENVIRONMENT = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def hub_space_needed(model: CatalogModel, folder: Path) -> int:
    """Bytes of disk space for the file, less what is downloaded already."""
    return max(model.size - largest_file(folder / "hub"), 0)


def fetch_hub(model: CatalogModel, source: HubSource, folder: Path, progress: OnProgress) -> Path:
    """Fetch ``model`` into ``folder`` and return the file, its checksum verified. An unfinished download is resumed.

    Raises:
        SourceFailed: ``huggingface_hub`` is not installed, or the hub does not deliver the file.
        ModelCorrupt: the checksum is wrong; the file is deleted then.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise SourceFailed(f"huggingface_hub is not installed (`{sys.executable} -m pip install huggingface_hub`)")
    target = folder / "hub"
    work = folder / "hub.work"
    target.mkdir(exist_ok=True)
    child = DownloadProcess(
        [str(_SCRIPT), source.repository, source.file, source.revision, str(target)], work, _ENVIRONMENT
    )
    try:
        answers = _answers(child, model, source, target, progress)
    finally:
        child.stop()
    expected = model.sha256 if source.is_pinned and model.sha256 else answers["sha256"]
    return _checked(Path(answers["path"]), expected, model, source, progress)


def _answers(
    child: DownloadProcess, model: CatalogModel, source: HubSource, target: Path, progress: OnProgress
) -> dict[str, Any]:
    """Everything the script has printed, when it has ended."""
    started, done = time.monotonic(), 0
    while (status := child.status()) is None:
        answers = _read(child)
        if not answers and time.monotonic() - started > ANSWER_SECONDS:
            raise SourceFailed(f"the hub did not answer within {ANSWER_SECONDS:.0f} seconds")
        total = int(answers.get("size") or model.size)
        done = max(done, min(largest_file(target), total))
        progress(PullProgress(model.name, Phase.DOWNLOADING, done, total, source.title))
        child.wait(POLL_SECONDS)
    if status:
        raise SourceFailed(f"the hub does not give it: {child.complaint()}")
    return _read(child)


def _read(child: DownloadProcess) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for line in child.lines():
        if line.startswith("{"):
            answers.update(json.loads(line))
    return answers


def _checked(path: Path, expected: str | None, model: CatalogModel, source: HubSource, progress: OnProgress) -> Path:
    digest, total = hashlib.sha256(), path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            progress(PullProgress(model.name, Phase.CHECKING, file.tell(), total, source.title))
    if expected is not None and digest.hexdigest() != expected:
        path.unlink()
        raise ModelCorrupt(
            f"what {source.title} gave for {model.name!r} does not have the sum it should have",
            hint="Try again; if it stays so, the file there was changed.",
        )
    return path
