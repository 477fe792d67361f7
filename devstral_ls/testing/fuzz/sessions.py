"""Random sessions of an editor as data, and a reference implementation of edits, independent of the server's."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

LANGUAGES = {"file:///w/a.py": "python", "file:///w/b.ts": "typescript", "file:///w/c.txt": "plaintext"}
URIS = list(LANGUAGES)
ENCODINGS = ("utf-8", "utf-16", "utf-32")
PIECES = (
    "a", "x = 1", "\n", "\r\n", "\r", "    ", "é", "漢字", "😀", "👩‍👩‍👧", "e\u0301", "\u202e", "\u200b", "\0", "\x0c", "\u2028", "\u2029",
    "\x85", "\ufeff", "\udc00", "(", "}", "\"\"\"", "def f():", "<|fim_middle|>", "[INST]", "</s>",
)  # fmt: skip
"""Pieces of texts. Of lone surrogates only the low one: after a high one it would be another character."""

pieces = st.sampled_from(PIECES)
texts = st.lists(pieces, max_size=8).map("".join)
positions = st.tuples(st.integers(0, 8), st.integers(0, 20))
documents = st.integers(0, len(URIS) - 1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
METHODS = (
    "textDocument/inlineCompletion", "textDocument/completion", "textDocument/codeAction", "codeAction/resolve",
    "workspace/executeCommand", "textDocument/hover", "no/such", "$/such", "initialize",
)  # fmt: skip
COMMANDS = (
    "devstral.accepted", "devstral.rejected", "devstral.restartEngine", "devstral.toggleInline", "devstral.why",
    "devstral.runAction", "devstral.clearReview", "no.such",
)  # fmt: skip
NOTIFICATIONS = (
    "$/setTrace", "no/such", "$/such", "window/x", "textDocument/didSave", "workspace/didChangeWatchedFiles",
    "window/workDoneProgress/cancel", "initialized",
)  # fmt: skip
BODIES = (
    "", "{", "[]", "1", "null", '"x"', "\xff", "\xff\xfe", '{"id": 1.5, "method": "x"}', '{"id": null, "method": "x"}',
    '{"id": true, "method": "x"}', '{"id": [], "method": "x"}', '[{"id": 1}]', '{"a": 1' + "0" * 5000 + "}",
)  # fmt: skip
"""Bodies that are no messages; each is answered with an error that has no id. Bytes as Latin-1."""
JUNK = (
    "\r\n", "\r\n\r\n", "garbage\r\n\r\n", "Content-Length: abc\r\n\r\n", "Content-Length: 99999999999999\r\n\r\n",
    "Content-Length: 4000000000\r\n\r\n", "Content-Length: -5\r\n\r\n", "Content-Type: x\r\n\r\n", "\0" * 100, '{"id": 1}\n',
    "x" * 9000, "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
)  # fmt: skip
"""Bytes between two messages that must harm neither."""
methods = st.sampled_from(METHODS)
sections = st.fixed_dictionaries({"inline": json_values | st.just({"maxTokens": 9}), "completion": json_values})

steps = st.one_of(
    st.tuples(st.just("open"), documents, texts),
    st.tuples(st.just("change"), documents, st.lists(st.tuples(positions, positions, texts), min_size=1, max_size=4)),
    st.tuples(st.just("change"), documents, st.lists(st.tuples(positions, positions, texts), min_size=1, max_size=4)),
    st.tuples(st.just("replace"), documents, texts),
    st.tuples(st.just("close"), documents),
    st.tuples(st.just("inline"), documents, positions),
    st.tuples(st.just("completion"), documents, positions),
    st.tuples(st.just("actions"), documents, positions, positions),
    st.tuples(st.just("execute"), st.sampled_from(COMMANDS), st.lists(json_values, max_size=2)),
    st.tuples(st.just("cancel"), st.integers(0, 40)),
    st.tuples(st.just("ask"), methods, json_values),
    st.tuples(st.just("notify"), st.sampled_from(NOTIFICATIONS), json_values),
    st.tuples(st.just("configure"), sections),
    st.tuples(st.just("garbage"), st.binary(max_size=30).map(lambda data: data.decode("latin-1"))),
    st.tuples(st.just("garbage"), st.sampled_from(BODIES)),
    st.tuples(st.just("junk"), st.sampled_from(JUNK)),
    st.tuples(st.just("split"), st.lists(st.integers(1, 40), max_size=4)),
    st.tuples(st.just("deep"), st.integers(1, 3000)),
    st.tuples(st.just("again")),
)
sessions = st.lists(steps, min_size=5, max_size=60)

LINE_END = re.compile(r"\r\n|\n|\r")


def offset(text: str, position: tuple[int, int], encoding: str) -> int:
    """The offset of a position, by cutting the encoded line: the end when it is past it, a character's start when inside."""
    line, units = position
    starts = [0, *(found.end() for found in LINE_END.finditer(text))]
    if line >= len(starts):
        return len(text)
    content = LINE_END.split(text[starts[line] :], maxsplit=1)[0]
    codec, width = _CODECS[encoding]
    data = content.encode(codec, "surrogatepass")
    cut = min(units * width, len(data))
    while cut < len(data) and _is_inside(data, cut, width):
        cut -= width
    return starts[line] + len(data[:cut].decode(codec, "surrogatepass"))


_CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def _is_inside(data: bytes, cut: int, width: int) -> bool:
    """True when that place is inside a character, by the continuation marks of UTF-8 and UTF-16."""
    if width == 1:
        return data[cut] & 0xC0 == 0x80
    return width == 2 and data[cut + 1] & 0xFC == 0xDC and cut > 0 and data[cut - 1] & 0xFC == 0xD8


def changed(text: str, start: tuple[int, int], end: tuple[int, int], new: str, encoding: str) -> str:
    """``text`` after one content change."""
    return text[: offset(text, start, encoding)] + new + text[offset(text, end, encoding) :]


def range_of(start: tuple[int, int], end: tuple[int, int]) -> dict[str, Any]:
    """LSP's range."""
    return {"start": place(start), "end": place(end)}


def place(position: tuple[int, int]) -> dict[str, int]:
    """LSP's position."""
    return {"line": position[0], "character": position[1]}
