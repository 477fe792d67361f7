"""A script, run in a process of its own: fetch one file from the Hugging Face hub, say what is known about it.

Prints a line of JSON with the file's ``size`` and ``sha256`` (or null) as soon as the hub has answered, and one with its
``path`` at the end. Imports nothing of this package, so that it can be run from any folder.
"""

from __future__ import annotations

import importlib
import json
import re
import sys

_SHA256 = re.compile(r"[0-9a-f]{64}")


def main(repository: str, file: str, revision: str, folder: str) -> None:
    """Fetch ``file`` of ``repository`` into ``folder``; a file that is there in part is completed."""
    hub = importlib.import_module("huggingface_hub")
    about = hub.get_hf_file_metadata(hub.hf_hub_url(repository, file, revision=revision))
    sha256 = about.etag if _SHA256.fullmatch(about.etag or "") else None
    _say(size=about.size, sha256=sha256)
    path = hub.hf_hub_download(repository, file, revision=about.commit_hash or revision, local_dir=folder)
    _say(path=str(path))


def _say(**facts: str | int | None) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
