"""A script for a process of its own: fetches one file from the Hugging Face hub.

Prints a line of JSON with the file's ``size`` and ``sha256`` (or null) as soon as the hub has answered, and a line with
its ``path`` at the end. Imports nothing of this package, so that it can be run from any folder.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import re
import sys
from pathlib import Path

_SHA256 = re.compile(r"[0-9a-f]{64}")


def main(repository: str, file: str, revision: str, folder: str) -> None:
    """Fetch ``file`` of ``repository`` into ``folder``, resuming an earlier download of the same content."""
    hub = importlib.import_module("huggingface_hub")
    metadata = hub.get_hf_file_metadata(hub.hf_hub_url(repository, file, revision=revision))
    sha256 = metadata.etag if _SHA256.fullmatch(metadata.etag or "") else None
    _report(size=metadata.size, sha256=sha256)
    url = hub.hf_hub_url(repository, file, revision=metadata.commit_hash or revision)
    part = Path(folder, f"{sha256 or _digest(url)}.incomplete")
    _complete(part, url, metadata.size)
    path = part.with_name(Path(file).name)
    part.replace(path)
    _report(path=str(path))


def _complete(part: Path, url: str, size: int | None) -> None:
    """Append the missing bytes to ``part``.

    ``hf_hub_download`` would start over: since 1.x it gives each process a file of its own and removes it on failure.
    The store's lock keeps other processes away from ours.
    """
    http_get = importlib.import_module("huggingface_hub.file_download").http_get
    headers = importlib.import_module("huggingface_hub.utils").build_hf_headers()
    if size is not None and part.exists() and part.stat().st_size > size:
        part.unlink()
    with part.open("ab") as written:
        http_get(url, written, resume_size=written.tell(), headers=headers, expected_size=size)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _report(**facts: str | int | None) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
