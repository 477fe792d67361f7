"""One engine process for all arms of a comparison: servers over stdio with settings of their own, and direct clients.

The engine is started with a calibration written here instead of a measured one, so that layout, window and token caps
are the same in every run and on every machine; the header of each result has them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import platform
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.journal import code_digest
from devstral_ls import __version__
from devstral_ls.calibration.record import Record, save
from devstral_ls.engine import rendezvous
from devstral_ls.engine.spec import EngineOptions
from devstral_ls.engine.switch import ConfiguredEngine
from devstral_ls.engine.tuning.calibration import Calibrated, Subject
from devstral_ls.errors import EngineUnavailable
from devstral_ls.models import store
from devstral_ls.models.families.table import FAMILIES
from devstral_ls.platform.paths import Directories, directories
from devstral_ls.testing.lsp_client import LspClient
from devstral_ls.testing.lsp_client import start as start_client
from devstral_ls.testing.lsp_client import stop as stop_client

T = TypeVar("T")

LONG_S = 600.0
"""The longest a single answer may take: a cold prompt on a busy machine."""

SHIPPED_MS = 600
"""``inline.latencyBudgetMs`` as shipped."""

UNHURRIED_MS = 60_000
"""A latency budget that never cuts an answer short, so that the text is measured and not the machine."""

TOKEN_MS, DECODE_MS, LINE_TOKENS = 2.3, 36.0, 12.0
"""The written calibration: it gives prompt batches of 64 tokens (0.15 s), the whole context for an unhurried server, and the
floor of 192 prompt tokens for one that keeps to ``SHIPPED_MS``."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The options of the engine."""

    model: str = "starter"
    """A name of the model store, or a path."""
    threads: int = 1
    slots: int = 3
    context_tokens: int = 4096

    def options(self) -> EngineOptions:
        """The options as the engine package takes them."""
        path = store.find(directories().models, self.model)
        return EngineOptions(
            str(path), self.context_tokens, threads=self.threads, slots=self.slots, idle_minutes=2.0, gpu_layers="auto"
        )


@dataclass(frozen=True, slots=True)
class Arm:
    """One server under test."""

    name: str = "ours"
    latency_ms: int = UNHURRIED_MS
    layout: str | None = None
    """The layout to use; None for the family's first."""
    off: tuple[str, ...] = ()
    """Parts of the server that are switched off, by their names in ``benchmarks.variants``."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Further settings, by section."""


class Rig:
    """A running engine; made by ``rig``."""

    def __init__(self, folder: Path, bench: Bench, engine: ConfiguredEngine) -> None:
        self._folder = folder
        self._bench = bench
        self.engine = engine
        """For direct clients."""
        self.places = places_in(folder)
        subject = engine.subject
        assert subject is not None
        self.subject: Subject = subject
        self.family = FAMILIES[subject.model.family]

    def header(self, **more: object) -> dict[str, Any]:
        """The header of a result: machine, code, model, engine and options that its figures belong to."""
        path = Path(self._bench.options().model)
        return {
            "machine": platform.platform(),
            "devstral-ls": __version__,
            "code": code_digest(),
            "model": path.name,
            "sha256": _sha256(path),
            "engine": f"xllamacpp {version('xllamacpp')}",
            "context": self._bench.context_tokens,
            "batch": self.subject.batch,
            "threads": self._bench.threads,
            "slots": self._bench.slots,
            "temperature": 0,
            **more,
        }

    @asynccontextmanager
    async def server(
        self, arm: Arm, workspace: Path | None = None, capabilities: Mapping[str, Any] | None = None
    ) -> AsyncIterator[LspClient]:
        """A ready server process of ``arm`` with this engine and the folder ``workspace``."""
        folder = self._folder / arm.name
        folder.mkdir(parents=True, exist_ok=True)
        write_calibration(replace(self.subject, file=folder / "data" / "calibration" / self.subject.file.name), arm)
        config = folder / "settings.toml"
        config.write_text(_toml(self._settings(arm)), encoding="utf-8")
        arguments = [f"--off={name}" for name in arm.off]
        client = await start_client(
            folder, *arguments, module="benchmarks.variant_server" if arm.off else "devstral_ls",
            DEVSTRAL_LS_CONFIG=str(config), DEVSTRAL_LS_RUNTIME_DIR=str(self._folder / "run"),
        )  # fmt: skip
        client.timeout_s = LONG_S
        try:
            await client.initialize(dict(capabilities or {}), folder=workspace)
            await asyncio.wait_for(_ready(client, folder), LONG_S)
            yield client
        finally:
            await stop_client(client)

    def _settings(self, arm: Arm) -> dict[str, dict[str, Any]]:
        bench = self._bench
        path = bench.options().model
        settings: dict[str, dict[str, Any]] = {
            "model": {"name": path, "calibrate": "never", "contextTokens": bench.context_tokens},
            "engine": {"threads": bench.threads, "slots": bench.slots, "idleMinutes": 2},
            "inline": {"debounceMs": 0, "latencyBudgetMs": arm.latency_ms},
        }
        for section, values in arm.settings.items():
            settings.setdefault(section, {}).update(values)
        return settings


@asynccontextmanager
async def rig(folder: Path, bench: Bench) -> AsyncIterator[Rig]:
    """The engine of ``bench``, with all its files below ``folder``; it is stopped at the end.

    Raises:
        DevstralError: there is no such model, or no engine.
    """
    places = places_in(folder)
    options = bench.options()
    try:
        # The first start gives the path of the calibration; the second runs with it.
        async with _engine(options, places) as engine:
            if engine.subject is None:
                raise EngineUnavailable("the engine cannot be calibrated")
            write_calibration(engine.subject, Arm())
        await asyncio.to_thread(rendezvous.stop, places)
        async with _engine(options, places) as engine:
            yield Rig(folder, bench, engine)
    finally:
        await asyncio.to_thread(rendezvous.stop, places)


def places_in(folder: Path) -> Directories:
    """The directories of a rig in ``folder``."""
    return Directories(folder / "data", folder / "run", folder / "settings.toml")


@asynccontextmanager
async def _engine(options: EngineOptions, places: Directories) -> AsyncIterator[ConfiguredEngine]:
    engine = ConfiguredEngine(options, places, lambda status: None)
    engine.start()
    try:
        await engine.ready()
        if engine.error is not None:
            raise engine.error
        yield engine
    finally:
        await engine.aclose()


def write_calibration(subject: Subject, arm: Arm) -> None:
    """Write the calibration of ``arm`` into ``subject``'s file."""
    order = subject.candidates
    if arm.layout is not None:
        order = (arm.layout, *(layout for layout in order if layout != arm.layout))
    found = Calibrated(order, 0.0, TOKEN_MS, DECODE_MS, LINE_TOKENS)
    save(subject.file, Record(subject.model.name, subject.threads, subject.build, result=found, finished=True))


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer of a server."""

    items: list[dict[str, Any]]
    ms: float
    """Milliseconds from the request to the answer."""
    why: dict[str, Any]
    """Result of ``devstral.why``: reason, layout, usage, stages."""


async def ask(client: LspClient, uri: str, line: int, character: int, *, invoked: bool) -> Asked:
    """Request ghost text as an editor does; the answer and its trace."""
    begun = time.perf_counter()
    result = await asyncio.wait_for(client.ask_inline(uri, line, character, kind=1 if invoked else 2), LONG_S)
    ms = (time.perf_counter() - begun) * 1000
    return Asked(result["items"] if result else [], ms, await why(client, uri))


async def why(client: LspClient, uri: str) -> dict[str, Any]:
    """The trace of the document's last request."""
    told = client.ask("workspace/executeCommand", {"command": "devstral.why", "arguments": [uri]})
    return await asyncio.wait_for(told, LONG_S) or {}


async def _ready(client: LspClient, folder: Path) -> None:
    while True:
        status = await client_status(client)
        if status["state"] in ("ready", "slow"):
            return
        if status["state"] in ("failed", "absent", "lost"):
            raise EngineUnavailable(f"the server has no engine: {status.get('message')}", hint=f"See {folder}/stderr.")


async def client_status(client: LspClient) -> dict[str, Any]:
    """The server's next status."""
    while True:
        found = client.all("devstral/status")
        seen = getattr(client, "n_statuses_seen", 0)
        if len(found) > seen:
            client.n_statuses_seen = seen + 1  # type: ignore[attr-defined]
            return dict(found[seen])
        if client.process is not None and client.process.returncode is not None:
            raise EngineUnavailable("the server ended")
        await asyncio.sleep(0.02)


def _toml(settings: Mapping[str, Mapping[str, Any]]) -> str:
    """Settings as TOML; JSON's values are TOML's."""
    sections = (
        f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        for name, values in settings.items()
    )
    return "\n".join(sections)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
