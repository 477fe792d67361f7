"""The real server, which tells what it holds when asked: ``python -m tests.faults.server``.

``--protocol N`` makes it another version of itself, whose engine and files have other names.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from devstral_ls.engine import runtime_dir
from devstral_ls.server.app import DevstralServer, create_server, serve_stdio


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--protocol", type=int)
    options = parser.parse_args()
    if options.protocol is not None:
        runtime_dir.PROTOCOL = options.protocol
    server = create_server()

    @server.features.feature("test/text")
    def text(ls: DevstralServer, params: Any) -> str | None:
        """The text of the open document ``params``."""
        snapshot = ls.documents.snapshot(params)
        return snapshot.text if snapshot is not None else None

    return serve_stdio(server)


if __name__ == "__main__":
    sys.exit(main())
