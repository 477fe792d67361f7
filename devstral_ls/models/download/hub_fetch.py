"""A script, run in a process of its own: fetch one file from the Hugging Face hub, say what is known about it.

Prints a line of JSON with the file's ``size`` and ``sha256`` (or null) as soon as the hub has answered, and one with its
``path`` at the end. Imports nothing of this package, so that it can be run from any folder.
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
    """Fetch ``file`` of ``repository`` into ``folder``; what an earlier process got of the same content is completed."""
    hub = importlib.import_module("huggingface_hub")
    about = hub.get_hf_file_metadata(hub.hf_hub_url(repository, file, revision=revision))
    sha256 = about.etag if _SHA256.fullmatch(about.etag or "") else None
    _say(size=about.size, sha256=sha256)
    url = hub.hf_hub_url(repository, file, revision=about.commit_hash or revision)
    part = Path(folder, f"{sha256 or _sum(url)}.incomplete")
    _complete(part, url, about.size)
    path = part.with_name(Path(file).name)
    part.replace(path)
    _say(path=str(path))


def _complete(part: Path, url: str, size: int | None) -> None:
    """Append to ``part`` what it lacks.

    ``hf_hub_download`` would begin anew: since 1.x it gives each process a file of its own and removes it on failure.
    The lock of the store keeps others away from ours.
    """
    http_get = importlib.import_module("huggingface_hub.file_download").http_get
    headers = importlib.import_module("huggingface_hub.utils").build_hf_headers()
    if size is not None and part.exists() and part.stat().st_size > size:
        part.unlink()
    with part.open("ab") as written:
        http_get(url, written, resume_size=written.tell(), headers=headers, expected_size=size)


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _say(**facts: str | int | None) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
