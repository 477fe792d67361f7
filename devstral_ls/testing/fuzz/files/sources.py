"""Source files: damaged real ones, huge lines, deep nesting, for everything that reads code."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from devstral_ls.languages.symbols import file_outline
from devstral_ls.languages.table import LANGUAGES
from devstral_ls.retrieval.index.library import MAX_FILE, PARSE_SECONDS, read_source
from devstral_ls.retrieval.redact import redacted, redacted_around
from devstral_ls.settings.tree import Settings
from devstral_ls.suggest.pipeline import Suggester
from devstral_ls.suggest.trace import InlineQuery
from devstral_ls.testing.fuzz.files.kind import TOKENS, Read, damaged
from devstral_ls.testing.lsp_client import ROOT
from devstral_ls.testing.scripted_engine import QWEN, ScriptedEngine
from devstral_ls.text import Edit, Snapshot, Span

_ENDINGS = frozenset(ending for language in LANGUAGES.values() for ending in language.extensions)
_LARGEST = 40_000

FAMILIES = (
    ("qwen-fim", ("fim-spm-in-psm", "chat-prefill")),
    ("mistral-tekken", ("chat-prefill", "left-to-right")),
    ("codestral", ("fim-spm",)),
    ("starcoder-fim", ("fim-psm",)),
    ("deepseek-coder", ("fim-psm",)),
    ("chat-endpoint", ("chat-overlap",)),
    ("plain", ("left-to-right",)),
)
"""Model families, each with its layouts."""

_OPENERS = (
    "(",
    "[",
    "{",
    "if (a) {",
    "((((",
    "<div>",
    "f(",
    "[{",
    "a.b(",
    "def f():\n",
    "/*",
    "${",
    "'",
    "#if x\n",
    "begin\n",
    "x = [",
)
_BIG_LINE, _DEEP = 10_000_000, 100_000
_HUGE = 0.003
"""Share of huge files; each takes a second."""


def _originals() -> list[bytes]:
    """Real code in every language of this repository."""
    places = ("benchmarks/cases", "devstral_ls/languages", "devstral_ls/examples", "editors", "tests/server")
    found = []
    for place in places:
        for path in sorted((ROOT / place).rglob("*")):
            is_code = path.suffix in _ENDINGS or path.name.endswith(".txt")
            if is_code and "node_modules" not in path.parts and path.is_file() and path.stat().st_size < _LARGEST:
                found.append(path.read_bytes())
    return found


_KEPT: list[bytes] = []


def make(chance: random.Random) -> bytes:
    """The first byte selects the language, the second the kind of request; the rest is the file."""
    head = bytes([chance.randrange(256), chance.randrange(256)])
    if not _KEPT:
        _KEPT.extend(_originals())
    kind = chance.random()
    if kind < _HUGE:
        return head + b"".join(_huge(chance))
    if kind < 0.08:
        return head + chance.choice(_OPENERS).encode() * chance.randint(10, 3_000)
    if kind < 0.12:
        return head + b"".join(chance.choices(TOKENS, k=chance.randint(1, 300)))
    if kind < 0.15:
        return head + chance.choice(_KEPT)[:4_000].decode("utf-8", "replace").encode("utf-16")
    whole = chance.choice(_KEPT)
    begin = chance.randrange(max(1, len(whole) - 2_000))
    return head + damaged(whole[begin : begin + chance.randint(10, 6_000)], chance, 8)


def _huge(chance: random.Random) -> Iterator[bytes]:
    opener = chance.choice(_OPENERS).encode()
    match chance.randrange(4):
        case 0:
            piece = chance.choice((b"x", b"f(a, b); ", b'"x', "é😀 ".encode(), b"a.b.c ", b"token = 'aB3$"))
            yield piece * (_BIG_LINE // len(piece))
        case 1:
            yield opener * _DEEP
        case 2:
            yield from ((opener + b"\n") * _DEEP, b"x")
        case _:
            yield from (b" " * (n % 200) + b"def f(a):\n" for n in range(_DEEP))


def reader(folder: Path) -> Read:
    """Reads it as a file of the workspace, and as a document with a cursor in it."""
    languages = list(LANGUAGES.values())
    settings = Settings()
    path = folder / "source"

    def read(data: bytes) -> str:
        language = languages[data[0] % len(languages)]
        path.write_bytes(data[2:])
        source = read_source(str(path))
        if source:
            file_outline(language, source, f"/w/a{language.extensions[0]}", PARSE_SECONDS)
        if len(source) <= MAX_FILE:
            redacted(source.decode("utf-8", "replace"))
        text = data[2:].decode("utf-8", ("replace", "surrogateescape")[data[1] % 2])
        return asyncio.run(_suggested(text, language.id, data, settings))

    return read


async def _suggested(text: str, language: str, data: bytes, settings: Settings) -> str:
    chance = random.Random(zlib.crc32(data))
    family, layouts = FAMILIES[data[1] % len(FAMILIES)]
    says = chance.choice((text[:400], text[-300:], "x\n", "", "}" * 50, "\n" * 300))
    engine = ScriptedEngine(says, model=replace(QWEN, family=family, layouts=layouts))
    suggester = Suggester(engine, sleep=_at_once)
    offset = chance.choice((0, len(text), chance.randint(0, len(text)), len(text) // 2))
    if len(text) <= MAX_FILE:
        redacted_around(text[:offset], text[offset:])
    uri = f"file:///w/a.{language}"
    snapshot = Snapshot(uri, 1, language, text)
    try:
        first = await suggester.inline(InlineQuery(snapshot, offset, invoked=True), settings)
        changed = snapshot.edited(Edit(Span(offset, offset), "x("), 2)
        await suggester.inline(InlineQuery(changed, offset + 2), settings)
    finally:
        suggester.close()
    for suggestion in first.suggestions:
        assert 0 <= suggestion.replaces.start <= offset <= suggestion.replaces.end <= len(text), suggestion.replaces
    return first.trace.reason.value


async def _at_once(_seconds: float) -> None:
    await asyncio.sleep(0)
