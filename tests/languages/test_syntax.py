from __future__ import annotations

import textwrap
import tracemalloc

import pytest
import tree_sitter
from hypothesis import given, settings
from hypothesis import strategies as st

from devstral_ls.languages.scopes.tree import scope_at
from devstral_ls.languages.syntax.document_tree import MAX_PARSED_CHARS, RETRY_VERSIONS, DocumentTree, parse_once
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.text import DocumentChange, Edit, Snapshot, Span, apply

PYTHON = '''\
import os
from a import (b, c)


class A(B):
    """Doc é漢😀."""

    @property
    def f(self, x: int = 1) -> str:
        if x > 1:  # e\u0301
            return f"{x} of {self.n!r}"
        return [y for y in range(x)]


def g(a,
      b):
    with open(a) as file:
        for line in file:
            yield line + 'x'
'''
GO = """\
package m

import "fmt"

// F does it.
func (a *A) F(x int) error {
\tif x > 0 {
\t\treturn fmt.Errorf("é漢😀 %d", x)
\t}
\treturn nil
}
"""
PIECES = st.text(st.sampled_from("x1 (){}[]:,.='\"#/*\n\té漢😀\u0301\ud800\0\ufeff"), max_size=6) | st.sampled_from(
    ["\r\n", "\r", "def h():\n    ", "return ", '"""', "class C {", "👩‍👩‍👧‍👦", "    "]
)
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), PIECES), min_size=1, max_size=6)


class Document:
    """An open document that is changed, and its tree."""

    def __init__(self, text: str, language: str = "python") -> None:
        self.tree = DocumentTree()
        self.snapshot = Snapshot("file:///a", 1, language, text)

    def syntax(self) -> Syntax:
        syntax = self.tree.of(self.snapshot)
        assert syntax is not None
        return syntax

    def change(self, *edits: Edit) -> None:
        before = self.snapshot
        for edit in edits:
            self.snapshot = self.snapshot.edited(edit, before.version + 1)
        self.tree.changed(DocumentChange(before, self.snapshot, edits))


def nodes(tree: tree_sitter.Tree) -> list[tuple[str, int, int, tuple[int, int], tuple[int, int]]]:
    """Every node with its place, by a walk that does not recurse."""
    found, walk, more = [], tree.walk(), True
    while more:
        node = walk.node
        assert node is not None
        found.append((node.type, node.start_byte, node.end_byte, tuple(node.start_point), tuple(node.end_point)))
        more = walk.goto_first_child()
        while not more and not (more := walk.goto_next_sibling()):
            if not walk.goto_parent():
                break
    return found


def as_edit(text: str, wanted: tuple[float, int, str]) -> Edit:
    where, n_removed, inserted = wanted
    at = round(where * len(text))
    return Edit(Span(at, min(at + n_removed, len(text))), inserted)


@pytest.mark.parametrize(("language", "text"), [("python", PYTHON), ("python", PYTHON * 12), ("go", GO)])
@settings(max_examples=60, deadline=None)
@given(edits=EDITS, asked=st.lists(st.booleans(), min_size=6, max_size=6))
def test_an_incremental_tree_is_the_tree_of_a_fresh_parse(
    language: str, text: str, edits: list, asked: list[bool]
) -> None:
    document = Document(text, language)
    document.syntax()
    for wanted, is_asked in zip(edits, asked, strict=False):
        first = as_edit(document.snapshot.text, wanted)
        document.change(first, as_edit(document.snapshot.edited(first, 0).text, wanted))
        if not is_asked:  # two changes before it is parsed again
            continue
        syntax, fresh = document.syntax(), parse_once(document.snapshot)
        assert fresh is not None
        assert syntax.data == document.snapshot.text.encode("utf-8", "surrogatepass")
        broken = fresh.tree.root_node.has_error
        assert syntax.tree.root_node.has_error == broken
        if not broken:  # how an error is recovered from may depend on what was reused
            assert nodes(syntax.tree) == nodes(fresh.tree)
            assert syntax.imports == fresh.imports


@settings(max_examples=80, deadline=None)
@given(edits=EDITS, where=st.floats(0, 1))
def test_any_text_and_place_has_an_answer_within_its_bounds(edits: list, where: float) -> None:
    for language, text in [("python", PYTHON), ("go", GO), ("typescript", GO), ("html", GO), ("ruby", PYTHON)]:
        for edit in edits:
            text = apply(text, as_edit(text, edit))
        snapshot = Snapshot("file:///a", 1, language, text)
        offset = round(where * len(text))
        for syntax in (parse_once(snapshot), None):
            found = scope_at(syntax, snapshot, offset)
            for scope in found.scopes:
                assert 0 <= scope.span.start <= scope.header.start <= scope.header.end == scope.body.start
                assert scope.body.start <= scope.body.end <= scope.span.end <= len(text)
            assert list(found.imports) == sorted(found.imports)
            assert not (found.in_comment and found.in_string)


def test_the_same_text_is_parsed_once() -> None:
    document = Document(PYTHON)
    first = document.syntax()
    assert document.syntax() is first
    document.change()  # a new version that changes nothing
    assert document.syntax() is first
    document.change(Edit(Span(0, 0), "\n"))
    assert document.syntax() is not first


def test_parsing_again_and_again_holds_on_to_nothing() -> None:
    document = Document(PYTHON * 100)
    tracemalloc.start()
    try:
        sizes = []
        for _ in range(60):
            document.change(Edit(Span(len(document.snapshot.text), len(document.snapshot.text)), "x"))
            document.syntax()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[-1] - sizes[30] < 30 * 1024


def test_an_older_tree_stays_as_it_is() -> None:
    document = Document(PYTHON)
    older, old = document.snapshot, document.syntax()
    before = nodes(old.tree)
    document.change(Edit(Span(0, 40), "x = 1\n"))
    document.syntax()
    assert nodes(old.tree) == before
    asked_late = document.tree.of(older)
    assert asked_late is not None
    assert nodes(asked_late.tree) == before


def test_an_older_text_that_is_asked_for_late_is_not_taken_for_the_document() -> None:
    document = Document(PYTHON)
    older = document.snapshot
    document.syntax()
    document.change(Edit(Span(0, 0), "x = 1\n"))
    now = document.syntax()
    document.tree.of(older)
    assert document.syntax() is now


def test_a_text_that_no_change_has_led_to_is_parsed_anew() -> None:
    document = Document(PYTHON)
    document.syntax()
    document.snapshot = Snapshot("file:///a", 7, "python", "x = 1\n")
    assert document.syntax().data == b"x = 1\n"
    lost = document.snapshot.edited(Edit(Span(0, 1), "é"), 8)
    document.snapshot = lost.edited(Edit(Span(0, 0), "y"), 9)
    document.tree.changed(DocumentChange(lost, document.snapshot, (Edit(Span(0, 0), "y"),)))
    assert document.syntax().data == "yé = 1\n".encode()


def test_a_document_that_changes_its_language_is_parsed_anew() -> None:
    tree = DocumentTree()
    roots = []
    for language in ("python", "javascript"):
        syntax = tree.of(Snapshot("file:///a", 1, language, "a = 1"))
        assert syntax is not None
        roots.append(syntax.tree.root_node.type)
    assert roots == ["module", "program"]


@pytest.mark.parametrize(
    ("language", "text"), [("kotlin", "x"), ("plaintext", "x"), ("python", "x" * (MAX_PARSED_CHARS + 1))]
)
def test_without_a_grammar_and_above_the_limit_there_is_no_tree(language: str, text: str) -> None:
    assert parse_once(Snapshot("file:///a", 1, language, text)) is None


def test_a_parse_that_takes_too_long_is_given_up_and_tried_again_much_later() -> None:
    tree = DocumentTree(parse_seconds=0)
    slow = PYTHON * 200

    def version(number: int) -> Syntax | None:
        return tree.of(Snapshot("file:///a", number, "python", slow))

    assert version(1) is None
    tree._parse_seconds = 60
    assert version(2) is None
    assert version(1 + RETRY_VERSIONS) is not None


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "(" * 100_000),
        ("python", "(" * 20_000 + ")" * 20_000),
        ("json", "[" * 100_000),
        ("javascript", "f(()=>{" * 5_000 + "})" * 5_000),
        ("javascript", "{" * 100_000),
        ("html", "<a>" * 20_000),
        ("python", textwrap.dedent("".join(" " * depth + "if x:\n" for depth in range(99)))),
    ],
    ids=lambda value: value[:8],
)
def test_a_hundred_thousand_levels_are_no_trouble(language: str, text: str) -> None:
    snapshot = Snapshot("file:///a", 1, language, text)
    syntax = parse_once(snapshot, 5)
    for offset in (0, len(text) // 2, len(text)):
        assert len(scope_at(syntax, snapshot, offset).scopes) <= 64
