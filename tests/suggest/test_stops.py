"""Where the stream is left: the end of the block as the tree of the whole file knows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstral_ls.languages.scopes.cursor import Scope
from devstral_ls.languages.scopes.tree import scope_at
from devstral_ls.languages.symbols import document_symbols
from devstral_ls.languages.syntax.document_tree import parse_once
from devstral_ls.languages.table import language_of
from devstral_ls.suggest import stops
from devstral_ls.suggest.postprocess.draft import cursor_context_at
from devstral_ls.text import Snapshot

FILES = sorted((Path(__file__).parents[2] / "benchmarks" / "cases" / "replay").glob("*/*.txt"))
URI = "file:///case"


def functions(snapshot: Snapshot) -> Iterator[Scope]:
    """Those with a body of several lines, which begins on a line of its own."""
    tree = parse_once(snapshot)
    assert tree is not None
    for one in document_symbols(tree):
        scopes = scope_at(tree, snapshot, (one.span.start + one.span.end) // 2).scopes
        inner = scopes[-1] if scopes else None
        if inner is not None and inner.kind == "function" and inner.span.start == one.span.start:
            body = snapshot.text[inner.header.end : inner.span.end]
            if not body.partition("\n")[0].strip(" {") and 2 <= body.count("\n") < stops.MAX_LINES - 1:
                yield inner


def written(snapshot: Snapshot, scope: Scope) -> tuple[str, str]:
    """What is taken of a model that writes the rest of the file at the beginning of the body, and all of the body with
    what closes behind it: ``});``.
    """
    begin = snapshot.text.index("\n", scope.header.end) + 1
    offset = begin + len(snapshot.text[begin:]) - len(snapshot.text[begin:].lstrip(" \t"))
    rest, body = snapshot.text[offset:] + "\n", snapshot.text[offset : scope.span.end].rstrip()
    if body.endswith("}"):
        body += snapshot.text[scope.span.end :].partition("\n")[0]
    so_far = Snapshot(URI, 1, snapshot.language, snapshot.text[:offset])
    tree = parse_once(so_far)
    around = scope_at(tree, so_far, offset)
    language = language_of(snapshot.language, URI)
    place = cursor_context_at(so_far, offset, around, language, multiline=True, syntax=tree)
    ends = [at + 1 for at, c in enumerate(rest) if c == "\n"]
    found = next((text for end in ends if (text := stops.cut(rest[:end], place)) is not None), rest)
    return found.rstrip(), body


@pytest.mark.parametrize("quote", ["`", "'", "(", "{"])
def test_a_comment_that_begins_above_the_lines_looked_at_opens_nothing(quote: str) -> None:
    above = "/**\n" + " * more\n" * 250 + f" * it{quote}s\n */\n"
    snapshot = Snapshot(URI, 1, "typescript", f"{above}function f() {{\n  g();\n  h();\n}}\nk();\n")
    (function,) = functions(snapshot)
    assert written(snapshot, function) == ("g();\n  h();\n}", "g();\n  h();\n}")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_function_is_left_where_its_block_closes(path: Path) -> None:
    language = language_of("", path.stem)
    snapshot = Snapshot(URI, 1, language.id, path.read_text(encoding="utf-8"))
    found = [written(snapshot, one) for one in functions(snapshot)]
    assert found
    assert [got for got, _ in found] == [body for _, body in found]
