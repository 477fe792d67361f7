"""``devstral-ls demo``: real suggestions in bundled examples, from an installed model or the starter model."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from importlib.resources import files

from devstral_ls.cli import DONE, NOTHING
from devstral_ls.cli.command_session import CommandSession, open_session, user_settings
from devstral_ls.cli.model import pull_with_progress
from devstral_ls.languages.table import language_of
from devstral_ls.models.store import AUTO, installed
from devstral_ls.platform.paths import Directories, directories
from devstral_ls.settings.tree import Settings
from devstral_ls.suggest.trace import InlineQuery, Outcome
from devstral_ls.text import Edit, Snapshot, Span, apply

CURSOR = "▮"
STARTER = "starter"


def run(_options: object) -> int:
    """Download the starter model if none is installed, and show each example with its suggestion."""
    folders = directories()
    settings = user_settings(folders)
    _install_starter_if_none(settings, folders)
    return DONE if asyncio.run(_show_all(settings)) else NOTHING


def _install_starter_if_none(settings: Settings, folders: Directories) -> None:
    if settings.engine.kind == "managed" and settings.model.name == AUTO and not installed(folders.models):
        print(f"No model is installed: downloading {STARTER!r} (491 MB, once).")
        pull_with_progress(STARTER, folders)


async def _show_all(settings: Settings) -> bool:
    """Show the examples; True when each got a suggestion."""
    examples = sorted(
        (entry for entry in files("devstral_ls.examples").iterdir() if entry.name.endswith(".txt")), key=str
    )
    start = time.monotonic()
    async with open_session(settings) as session:
        model = session.engine.model
        print(f"\nModel {model.name if model else '?'}, ready after {time.monotonic() - start:.1f} s.")
        shown = [await _show(session, entry.name.removesuffix(".txt"), entry.read_text("utf-8")) for entry in examples]
    return all(shown)


async def _show(session: CommandSession, name: str, code: str) -> bool:
    offset = code.index(CURSOR)
    text = code.replace(CURSOR, "")
    snapshot = Snapshot(f"file:///demo/{name}", 0, language_of("", name).id, text)
    start = time.monotonic()
    outcome = await session.suggester.inline(InlineQuery(snapshot, offset, invoked=True), session.settings)
    milliseconds = (time.monotonic() - start) * 1000
    print(f"\n── {name} " + "─" * (60 - len(name)))
    print(_with_suggestion(snapshot, offset, outcome).rstrip())
    shown = repr(outcome.suggestions[0].text) if outcome.suggestions else f"nothing ({outcome.trace.reason.value})"
    print(f"── {milliseconds:.0f} ms, layout {outcome.trace.layout}: {shown}")
    return bool(outcome.suggestions)


def _with_suggestion(snapshot: Snapshot, offset: int, outcome: Outcome) -> str:
    """The code with the cursor and the highlighted suggestion."""
    if not outcome.suggestions:
        return apply(snapshot.text, Edit(Span(offset, offset), CURSOR))
    suggestion = outcome.suggestions[0]
    return apply(snapshot.text, Edit(suggestion.replaces, CURSOR + _highlighted(suggestion.text)))


def _highlighted(text: str) -> str:
    """In dim green in a terminal, between brackets elsewhere."""
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        return f"\033[2;32m{text}\033[0m"
    return f"⟦{text}⟧"
