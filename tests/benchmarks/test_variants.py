"""Every part that `compare` switches off is found, and is off then. Each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.variants import ARMS, OFF, SOURCE_ARMS
from devstral_ls.code_context import SOURCES
from devstral_ls.settings.tree import read
from devstral_ls.testing.lsp_client import ROOT

SETUP = """
from dataclasses import replace
from benchmarks.variants import switch_off
from devstral_ls.languages.scopes.tree import scope_at
from devstral_ls.languages.syntax.document_tree import parse_once
from devstral_ls.languages.table import LANGUAGES
from devstral_ls.settings.tree import Settings
from devstral_ls.suggest import generator, policy, stops
from devstral_ls.suggest.answer_stream import request_for
from devstral_ls.suggest.postprocess import steps
from devstral_ls.suggest.postprocess.draft import Draft, cursor_context_at
from devstral_ls.suggest.trace import InlineQuery
from devstral_ls.prompt.window import Window
from devstral_ls.text import Snapshot
from devstral_ls.testing.scripted_engine import QWEN

snapshot = Snapshot("file:///a.py", 1, "python", "x = 1\\n" * 400 + "def f():\\n    ret\\n")
offset = len(snapshot.text) - 1
scope = scope_at(parse_once(snapshot), snapshot, offset)
place = cursor_context_at(snapshot, offset, scope, LANGUAGES["python"], multiline=True)
"""

SHOWS = {
    "window": "len(generator.cut_window(snapshot, offset, scope, budget=5000, suffix_share=0.3).prefix)",
    "healing": "request_for(Window('    ret', ''), 'file:///a.py', QWEN, 9, 9).begins_with",
    "syntax-cut": "stops.cut('urn 1\\n\\n\\ndef g():\\n    pass\\n', place)",
    "postprocessing": "steps.postprocess(Draft('x   ', place)).text",
    "gate": "policy.declined(InlineQuery(snapshot, offset - 2), Settings())",
}


def shown(expression: str, off: str = "") -> str:
    program = f"{SETUP}\nswitch_off({[off] if off else []})\nprint(repr({expression}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", OFF)
def test_a_part_is_there_and_can_be_switched_off(name: str) -> None:
    assert shown(SHOWS[name]) != shown(SHOWS[name], name)


def test_every_source_of_excerpts_can_be_switched_off_by_itself() -> None:
    for source in SOURCES:
        settings, problems = read(ARMS[f"without {source}"].settings)
        assert not problems
        assert set(SOURCES) - set(settings.inline.context) == {source}
    assert set(SOURCE_ARMS) == {"without excerpts", *(f"without {source}" for source in SOURCES)}
