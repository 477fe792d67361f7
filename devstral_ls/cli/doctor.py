"""``devstral-ls doctor``: check this machine, from Python to a real completion, with a hint for each problem."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from devstral_ls import __version__
from devstral_ls.cli import DONE, ENGINE, MODEL
from devstral_ls.cli import doctor_checks as checks
from devstral_ls.cli.command_session import open_session
from devstral_ls.cli.doctor_checks import CheckResult
from devstral_ls.engine.daemon.backends.remote.guards import checked_address, key_of
from devstral_ls.engine.devices import devices
from devstral_ls.engine.model_selection import wanted
from devstral_ls.engine.rendezvous import engines
from devstral_ls.engine.spec import EngineOptions
from devstral_ls.errors import DevstralError, ModelError, SettingsError
from devstral_ls.languages.grammars import grammar
from devstral_ls.languages.table import LANGUAGES
from devstral_ls.models.families.table import family_of
from devstral_ls.models.gguf.header import read_header
from devstral_ls.models.memory import available_memory
from devstral_ls.platform.paths import Directories, directories
from devstral_ls.settings.sources import over_environment, read_user_file
from devstral_ls.settings.tree import Settings
from devstral_ls.suggest.trace import InlineQuery
from devstral_ls.text import Snapshot

_PACKAGES = ("pygls", "lsprotocol", "aiohttp", "tree-sitter", "cachetools")
_CODE = "def add(a: int, b: int) -> int:\n    return "


def run(options: argparse.Namespace) -> int:
    """Print the result of each check; the exit code tells whether the model or something else is broken."""
    results: list[CheckResult] = []
    for result in _all_checks(directories()):
        results.append(result)
        if not options.json:
            hint = f"\n{'':9}{'':14}→ {result.hint}" if result.hint else ""
            print(f"{result.verdict:8} {result.check:13} {result.message}{hint}", flush=True)
    if options.json:
        print(json.dumps([asdict(result) for result in results]))
    broken = {result.check for result in results if result.verdict == "error"}
    return MODEL if "model" in broken else ENGINE if broken else DONE


def _all_checks(folders: Directories) -> Iterator[CheckResult]:
    yield _python()
    yield from _packages()
    yield _grammars()
    settings, problems = read_user_file(folders.config_file)
    for problem in problems:
        yield CheckResult("settings", "warning", str(problem), "See `devstral-ls settings`.")
    settings = over_environment(settings)
    if not problems:
        yield CheckResult(
            "settings", "ok", str(folders.config_file) if folders.config_file.exists() else "all defaults"
        )
    yield _memory()
    remote = settings.engine.kind == "remote"
    if not remote:
        yield checks.backends(settings)
    seen = devices()
    yield checks.gpus(seen)
    yield checks.disk(folders)
    yield checks.runtime_folder(folders)
    model = _remote(settings) if remote else _model(settings, folders)
    yield model
    if not remote:
        yield from checks.fit(settings, folders, seen)
    running = engines(folders)
    yield CheckResult(
        "engine", "ok", ", ".join(f"{s.model}: {s.phase}, pid {s.pid}" for s in running) or "none is running"
    )
    if model.verdict != "error":
        yield _completion(settings)


def _python() -> CheckResult:
    return CheckResult(
        "python", "ok", f"{platform.python_version()} on {platform.platform()}, devstral-ls {__version__}"
    )


def _packages() -> Iterator[CheckResult]:
    versions = []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield CheckResult("packages", "error", f"{name} is missing", f"{sys.executable} -m pip install {name}")
    yield CheckResult("packages", "ok", ", ".join(versions))


def _grammars() -> CheckResult:
    languages = [language for language in LANGUAGES.values() if language.grammar is not None]
    missing = [language.name for language in languages if grammar(language) is None]
    if missing:
        hint = "Reinstall devstral-ls; indentation is used instead until then."
        return CheckResult("grammars", "warning", f"missing: {', '.join(missing)}", hint)
    return CheckResult("grammars", "ok", f"{len(languages)} languages")


def _memory() -> CheckResult:
    free = available_memory()
    if free is None:
        return CheckResult("memory", "warning", "the free memory of this system is unknown")
    if free < 1 << 30:
        return CheckResult(
            "memory", "warning", f"{free / 1e9:.1f} GB free", "Close other programs, or use a smaller model."
        )
    return CheckResult("memory", "ok", f"{free / 1e9:.1f} GB free")


def _remote(settings: Settings) -> CheckResult:
    engine = settings.engine
    try:
        address = checked_address(engine.base_url, allow_remote=engine.allow_remote)
        key_of(engine.api_key_env)
    except SettingsError as error:
        return CheckResult("model", "error", error.message, error.hint)
    return CheckResult("model", "ok", f"{engine.remote_model or 'its first model'} at the remote engine {address}")


def _model(settings: Settings, folders: Directories) -> CheckResult:
    try:
        header = read_header(Path(wanted(EngineOptions.of(settings), folders).model_path))
    except ModelError as error:
        return CheckResult("model", "error", error.message, error.hint)
    family = family_of(header)
    return CheckResult(
        "model", "ok", f"{header.path.name}: {header.architecture}, {header.quantisation}, prompted as {family.title}"
    )


def _completion(settings: Settings) -> CheckResult:
    async def suggest() -> tuple[str, float]:
        snapshot = Snapshot("file:///doctor.py", 0, "python", _CODE)
        async with open_session(settings, quiet=True) as session:
            outcome = await session.suggester.inline(InlineQuery(snapshot, len(_CODE), invoked=True), session.settings)
        text = outcome.suggestions[0].text if outcome.suggestions else ""
        return text, outcome.trace.stages.get("engine", 0.0)

    try:
        text, milliseconds = asyncio.run(suggest())
    except DevstralError as error:
        return CheckResult("completion", "error", error.message, error.hint)
    if not text:
        return CheckResult("completion", "warning", "the model suggested nothing", "Try another model.")
    return CheckResult("completion", "ok", f"`return ▮` → {text!r} in {milliseconds:.0f} ms")
