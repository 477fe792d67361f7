from __future__ import annotations

import textwrap
import tracemalloc

import pytest
import tree_sitter
from hypothesis import given, settings
from hypothesis import strategies as st

from devstral_ls.languages.scopes.tree import scope_at
from devstral_ls.languages.syntax.tree import MAX_PARSED_CHARS, RETRY_VERSIONS, Syntax, SyntaxTrees
from devstral_ls.text import Snapshot

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


def tree_of(trees: SyntaxTrees, text: str, version: int, language: str = "python") -> Syntax:
    syntax = trees.tree(Snapshot("file:///a", version, language, text))
    assert syntax is not None
    return syntax


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


def edited(text: str, edit: tuple[float, int, str]) -> str:
    where, n_removed, inserted = edit
    at = round(where * len(text))
    return text[:at] + inserted + text[at + n_removed :]


@pytest.mark.parametrize(("language", "text"), [("python", PYTHON), ("python", PYTHON * 12), ("go", GO)])
@settings(max_examples=60, deadline=None)
@given(edits=EDITS)
def test_an_incremental_tree_is_the_tree_of_a_fresh_parse(language: str, text: str, edits: list) -> None:
    trees = SyntaxTrees()
    tree_of(trees, text, 0, language)
    for version, edit in enumerate(edits, 1):
        text = edited(text, edit)
        syntax, fresh = tree_of(trees, text, version, language), tree_of(SyntaxTrees(), text, version, language)
        assert syntax.data == text.encode("utf-8", "surrogatepass")
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
            text = edited(text, edit)
        snapshot = Snapshot("file:///a", 1, language, text)
        offset = round(where * len(text))
        for syntax in (SyntaxTrees().tree(snapshot), None):
            found = scope_at(syntax, snapshot, offset)
            for scope in found.scopes:
                assert 0 <= scope.span.start <= scope.header.start <= scope.header.end == scope.body.start
                assert scope.body.start <= scope.body.end <= scope.span.end <= len(text)
            assert list(found.imports) == sorted(found.imports)
            assert not (found.in_comment and found.in_string)


def test_the_same_version_is_parsed_once() -> None:
    trees = SyntaxTrees()
    assert tree_of(trees, PYTHON, 1) is tree_of(trees, PYTHON, 1)
    assert tree_of(trees, PYTHON + "\n", 1) is not tree_of(trees, PYTHON, 1)


def test_parsing_again_and_again_holds_on_to_nothing() -> None:
    trees = SyntaxTrees()
    tracemalloc.start()
    try:
        sizes = []
        for version in range(60):
            tree_of(trees, PYTHON * 100 + "x" * version, version)
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[-1] - sizes[30] < 30 * 1024


def test_an_older_tree_stays_as_it_is() -> None:
    trees = SyntaxTrees()
    old = tree_of(trees, PYTHON, 1)
    before = nodes(old.tree)
    tree_of(trees, "x = 1\n" + PYTHON[40:], 2)
    assert nodes(old.tree) == before
    assert nodes(tree_of(trees, PYTHON, 3).tree) == before


def test_a_document_that_changes_its_language_is_parsed_anew() -> None:
    trees = SyntaxTrees()
    assert tree_of(trees, "a = 1", 1, "python").tree.root_node.type == "module"
    assert tree_of(trees, "a = 1", 1, "javascript").tree.root_node.type == "program"


def test_the_document_not_asked_for_longest_goes_first() -> None:
    trees = SyntaxTrees(max_documents=2)
    a, b, c = (Snapshot(f"file:///{name}", 1, "python", "x") for name in "abc")
    first, second = trees.tree(a), trees.tree(b)
    assert trees.tree(a) is first
    trees.tree(c)
    assert trees.tree(a) is first
    assert trees.tree(b) is not second


def test_a_closed_document_is_forgotten() -> None:
    trees = SyntaxTrees()
    first = tree_of(trees, "x", 1)
    trees.forget("file:///a")
    trees.forget("file:///never-seen")
    assert tree_of(trees, "x", 1) is not first


@pytest.mark.parametrize(
    ("language", "text"), [("kotlin", "x"), ("plaintext", "x"), ("python", "x" * (MAX_PARSED_CHARS + 1))]
)
def test_without_a_grammar_and_above_the_limit_there_is_no_tree(language: str, text: str) -> None:
    assert SyntaxTrees().tree(Snapshot("file:///a", 1, language, text)) is None


def test_a_parse_that_takes_too_long_is_given_up_and_tried_again_much_later() -> None:
    trees = SyntaxTrees(parse_seconds=0)
    slow = PYTHON * 200

    def version(number: int) -> Syntax | None:
        return trees.tree(Snapshot("file:///a", number, "python", slow))

    assert version(1) is None
    trees._parse_seconds = 60
    assert version(2) is None
    assert version(1 + RETRY_VERSIONS) is not None
    trees.forget("file:///a")
    assert version(2) is not None


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
    syntax = SyntaxTrees(parse_seconds=5).tree(snapshot)
    for offset in (0, len(text) // 2, len(text)):
        assert len(scope_at(syntax, snapshot, offset).scopes) <= 64
