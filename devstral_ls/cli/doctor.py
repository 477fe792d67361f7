"""``devstral-ls doctor``: check this machine, from Python to a real completion; each line says what to do."""

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
from devstral_ls.cli import findings as checks
from devstral_ls.cli.findings import Finding
from devstral_ls.cli.session import session
from devstral_ls.engine.choice import wanted
from devstral_ls.engine.devices import devices
from devstral_ls.engine.endpoint import checked_address, key_of
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

_NEEDED = ("pygls", "lsprotocol", "httpx", "tree-sitter", "cachetools")
_CODE = "def add(a: int, b: int) -> int:\n    return "


def run(options: argparse.Namespace) -> int:
    """Print the findings; the exit code says what is broken."""
    findings: list[Finding] = []
    for finding in _findings(directories()):
        findings.append(finding)
        if not options.json:
            hint = f"\n{'':9}{'':14}→ {finding.hint}" if finding.hint else ""
            print(f"{finding.verdict:8} {finding.check:13} {finding.message}{hint}", flush=True)
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings]))
    broken = {finding.check for finding in findings if finding.verdict == "error"}
    return MODEL if "model" in broken else ENGINE if broken else DONE


def _findings(folders: Directories) -> Iterator[Finding]:
    yield _python()
    yield from _packages()
    yield _grammars()
    settings, problems = read_user_file(folders.config_file)
    for problem in problems:
        yield Finding("settings", "warning", str(problem), "See `devstral-ls settings`.")
    settings = over_environment(settings)
    if not problems:
        yield Finding("settings", "ok", str(folders.config_file) if folders.config_file.exists() else "all defaults")
    yield _memory()
    remote = settings.engine.kind == "remote"
    if not remote:
        yield checks.backends(settings)
    found = devices()
    yield checks.gpus(found)
    yield checks.disk(folders)
    yield checks.runtime_folder(folders)
    model = _remote(settings) if remote else _model(settings, folders)
    yield model
    if not remote:
        yield from checks.fit(settings, folders, found)
    running = engines(folders)
    yield Finding("engine", "ok", ", ".join(f"{s.model}: {s.phase}, pid {s.pid}" for s in running) or "none runs now")
    if model.verdict != "error":
        yield _completion(settings)


def _python() -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} on {platform.platform()}, devstral-ls {__version__}")


def _packages() -> Iterator[Finding]:
    found = []
    for name in _NEEDED:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding("packages", "error", f"{name} is missing", f"{sys.executable} -m pip install devstral-ls")
    yield Finding("packages", "ok", ", ".join(found))


def _grammars() -> Finding:
    wanted = [language for language in LANGUAGES.values() if language.grammar is not None]
    missing = [language.name for language in wanted if grammar(language) is None]
    if missing:
        hint = "Reinstall devstral-ls; indentation is used instead until then."
        return Finding("grammars", "warning", f"missing: {', '.join(missing)}", hint)
    return Finding("grammars", "ok", f"{len(wanted)} languages")


def _memory() -> Finding:
    free = available_memory()
    if free is None:
        return Finding("memory", "warning", "this system does not say how much is free")
    if free < 1 << 30:
        return Finding("memory", "warning", f"{free / 1e9:.1f} GB free", "Close something, or use a smaller model.")
    return Finding("memory", "ok", f"{free / 1e9:.1f} GB free")


def _remote(settings: Settings) -> Finding:
    engine = settings.engine
    try:
        address = checked_address(engine.base_url, allow_remote=engine.allow_remote)
        key_of(engine.api_key_env)
    except SettingsError as error:
        return Finding("model", "error", error.message, error.hint)
    return Finding("model", "ok", f"{engine.remote_model or 'the first one'} at {address}, which runs elsewhere")


def _model(settings: Settings, folders: Directories) -> Finding:
    try:
        header = read_header(Path(wanted(EngineOptions.of(settings), folders).model_path))
    except ModelError as error:
        return Finding("model", "error", error.message, error.hint)
    family = family_of(header)
    return Finding(
        "model", "ok", f"{header.path.name}: {header.architecture}, {header.quantisation}, asked as {family.title}"
    )


def _completion(settings: Settings) -> Finding:
    async def ask() -> tuple[str, float]:
        snapshot = Snapshot("file:///doctor.py", 0, "python", _CODE)
        async with session(settings, quiet=True) as asked:
            outcome = await asked.suggester.inline(InlineQuery(snapshot, len(_CODE), invoked=True), asked.settings)
        text = outcome.suggestions[0].text if outcome.suggestions else ""
        return text, outcome.trace.stages.get("engine", 0.0)

    try:
        text, milliseconds = asyncio.run(ask())
    except DevstralError as error:
        return Finding("completion", "error", error.message, error.hint)
    if not text:
        return Finding("completion", "warning", "the model had nothing to say", "Try another model.")
    return Finding("completion", "ok", f"`return ▮` → {text!r} in {milliseconds:.0f} ms")
