"""Random sessions of an editor, as data, and what the documents must be after them, found in another way than ours."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

URIS = [f"file:///w/{name}" for name in ("a.py", "b.ts", "c.txt")]
ENCODINGS = ("utf-8", "utf-16", "utf-32")

pieces = st.sampled_from(
    ["a", "x = 1", "\n", "\r\n", "\r", "    ", "é", "漢字", "😀", "👩‍👩‍👧", "e\u0301", "\u202e", "\u200b", "\0", "\x0c", "\u2028", "(", "\"\"\"", "def f():"]
)  # fmt: skip
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
methods = st.sampled_from(METHODS)
sections = st.fixed_dictionaries({"inline": json_values | st.just({"maxTokens": 9}), "completion": json_values})

steps = st.one_of(
    st.tuples(st.just("open"), documents, texts),
    st.tuples(st.just("change"), documents, st.lists(st.tuples(positions, positions, texts), min_size=1, max_size=4)),
    st.tuples(st.just("change"), documents, st.lists(st.tuples(positions, positions, texts), min_size=1, max_size=4)),
    st.tuples(st.just("replace"), documents, texts),
    st.tuples(st.just("close"), documents),
    st.tuples(st.just("inline"), documents, positions),
    st.tuples(st.just("actions"), documents, positions, positions),
    st.tuples(st.just("cancel"), st.integers(0, 40)),
    st.tuples(st.just("ask"), methods, json_values),
    st.tuples(st.just("notify"), st.sampled_from(["$/setTrace", "no/such", "$/such", "window/x"]), json_values),
    st.tuples(st.just("configure"), sections),
    st.tuples(st.just("garbage"), st.binary(max_size=30)),
)
sessions = st.lists(steps, min_size=5, max_size=60)

LINE_END = re.compile(r"\r\n|\n|\r")


def offset(text: str, position: tuple[int, int], encoding: str) -> int:
    """Where a position is, by encoding the line and cutting its bytes: past the end is the end, in a character its start."""
    line, units = position
    starts = [0, *(found.end() for found in LINE_END.finditer(text))]
    if line >= len(starts):
        return len(text)
    content = LINE_END.split(text[starts[line] :], maxsplit=1)[0]
    width = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    codec = encoding if encoding == "utf-8" else f"{encoding}-le"
    return starts[line] + len(content.encode(codec)[: units * width].decode(codec, "ignore"))


def changed(text: str, start: tuple[int, int], end: tuple[int, int], new: str, encoding: str) -> str:
    """``text`` after one content change."""
    return text[: offset(text, start, encoding)] + new + text[offset(text, end, encoding) :]


def range_of(start: tuple[int, int], end: tuple[int, int]) -> dict[str, Any]:
    """LSP's range."""
    return {"start": place(start), "end": place(end)}


def place(position: tuple[int, int]) -> dict[str, int]:
    """LSP's position."""
    return {"line": position[0], "character": position[1]}
