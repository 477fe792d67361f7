"""The process of one download, which never outlives the work it was started for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from devstral_ls.platform.child_environment import child_environment

_STOP_SECONDS = 5.0


class DownloadProcess:
    """A Python process with its output in ``folder/out`` and ``folder/err`` and its temporary files in ``folder/tmp``.

    It runs in ``folder`` and without it on ``sys.path``, so that nothing in the folder of a project is ever imported.
    """

    def __init__(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        temporary = folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-P", *arguments],
                cwd=folder,
                env=child_environment(
                    {**(environment or {}), **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))}
                ),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def status(self) -> int | None:
        """The exit status; ``None`` while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> None:
        """Wait until it ends, for ``seconds`` at most."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def stop(self) -> None:
        """Terminate it if it still runs; kill it after ``_STOP_SECONDS``."""
        if self._process.poll() is None:
            self._process.terminate()
            self.wait(_STOP_SECONDS)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def lines(self) -> list[str]:
        """The complete lines of its output so far."""
        printed = (self.folder / "out").read_text("utf-8", "replace")
        return [line for line in printed.splitlines(keepends=True) if line.endswith("\n")]

    def complaint(self) -> str:
        """Its last error line, as shown to the user."""
        lines = [line.strip() for line in (self.folder / "err").read_text("utf-8", "replace").splitlines()]
        errors = [line for line in lines if line.startswith("ERROR:")] or [line for line in lines if line]
        return errors[-1].removeprefix("ERROR:").strip()[:300] if errors else f"it ended with status {self.status()}"


def largest_file(folder: Path) -> int:
    """Bytes of the largest file under ``folder``, which other processes may be writing to; 0 if there is none.

    Not the sum of all: a download is copied into place at the end, and is there twice for a moment.
    """
    largest = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                largest = max(largest, Path(parent, name).stat().st_size)
    return largest
