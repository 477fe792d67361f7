"""Stands between an editor and a server and notes when answers pass: ``python -m tests.editors.relay LOG COMMAND...``.

Each answer to ``textDocument/inlineCompletion`` adds a line to LOG: the monotonic and the wall clock, in nanoseconds, just
before the editor gets it. On Linux editors read the same clocks, Neovim the one and Emacs the other.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, TextIO

from devstral_ls.server.rpc.framing import Frames


def main() -> int:
    log, *command = sys.argv[1:]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    threading.Thread(target=forward, args=(server,), daemon=True).start()
    with Path(log).open("a", buffering=1, encoding="utf-8") as times:
        back(server.stdout, sys.stdout.buffer, times)
    return server.wait()


def forward(server: subprocess.Popen[bytes]) -> None:
    """What the editor says goes to the server as it comes, its end as well."""
    while data := sys.stdin.buffer.read1():
        server.stdin.write(data)
        server.stdin.flush()
    server.stdin.close()


def back(source: BufferedReader, target: BinaryIO, times: TextIO) -> None:
    frames = Frames()
    while data := source.read1():
        for frame in frames.feed(data):
            if b'"items": [{' in frame or b'"items":[{' in frame:
                times.write(f"{time.monotonic_ns()} {time.time_ns()}\n")
        target.write(data)
        target.flush()


if __name__ == "__main__":
    sys.exit(main())
