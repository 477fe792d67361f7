"""``devstral-ls demo``: real suggestions in bundled examples, with the model at hand."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from importlib.resources import files

from devstral_ls.cli import DONE, NOTHING
from devstral_ls.cli.model import pull_with_progress
from devstral_ls.cli.session import Session, session, user_settings
from devstral_ls.languages.table import language_of
from devstral_ls.models.store import AUTO, installed
from devstral_ls.platform.paths import Directories, directories
from devstral_ls.settings.tree import Settings
from devstral_ls.suggest.trace import InlineQuery, Outcome
from devstral_ls.text import Edit, Snapshot, Span, apply

CURSOR = "▮"
STARTER = "starter"


def run(_options: object) -> int:
    """Fetch a model if there is none, and show each example with what the model writes into it."""
    folders = directories()
    settings = user_settings(folders)
    _fetch_if_none(settings, folders)
    return DONE if asyncio.run(_show_all(settings)) else NOTHING


def _fetch_if_none(settings: Settings, folders: Directories) -> None:
    if settings.engine.kind == "managed" and settings.model.name == AUTO and not installed(folders.models):
        print(f"No model is installed: fetching {STARTER!r} (491 MB, once).")
        pull_with_progress(STARTER, folders)


async def _show_all(settings: Settings) -> bool:
    """Show the examples; did each get a suggestion?"""
    examples = sorted(
        (entry for entry in files("devstral_ls.examples").iterdir() if entry.name.endswith(".txt")), key=str
    )
    start = time.monotonic()
    async with session(settings) as asked:
        model = asked.engine.model
        print(f"\nModel {model.name if model else '?'}, ready after {time.monotonic() - start:.1f} s.")
        shown = [await _show(asked, entry.name.removesuffix(".txt"), entry.read_text("utf-8")) for entry in examples]
    return all(shown)


async def _show(asked: Session, name: str, code: str) -> bool:
    offset = code.index(CURSOR)
    text = code.replace(CURSOR, "")
    snapshot = Snapshot(f"file:///demo/{name}", 0, language_of("", name).id, text)
    start = time.monotonic()
    outcome = await asked.suggester.inline(InlineQuery(snapshot, offset, invoked=True), asked.settings)
    milliseconds = (time.monotonic() - start) * 1000
    print(f"\n── {name} " + "─" * (60 - len(name)))
    print(_with_suggestion(snapshot, offset, outcome).rstrip())
    said = repr(outcome.suggestions[0].text) if outcome.suggestions else f"nothing ({outcome.trace.reason.value})"
    print(f"── {milliseconds:.0f} ms, layout {outcome.trace.layout}: {said}")
    return bool(outcome.suggestions)


def _with_suggestion(snapshot: Snapshot, offset: int, outcome: Outcome) -> str:
    """The code with the cursor and, marked, the suggestion behind it."""
    if not outcome.suggestions:
        return apply(snapshot.text, Edit(Span(offset, offset), CURSOR))
    suggestion = outcome.suggestions[0]
    return apply(snapshot.text, Edit(suggestion.replaces, CURSOR + _marked(suggestion.text)))


def _marked(text: str) -> str:
    """In a terminal's dim green; between brackets of its own where there is no terminal."""
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        return f"\033[2;32m{text}\033[0m"
    return f"⟦{text}⟧"
