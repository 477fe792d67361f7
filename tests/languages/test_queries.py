from __future__ import annotations

from dataclasses import replace
from importlib import resources

import pytest

from devstral_ls.errors import LanguageError
from devstral_ls.languages import grammars
from devstral_ls.languages.grammars import CAPTURES, grammar, load_grammar, loaded_grammar, scopes_query
from devstral_ls.languages.language import Grammar, Language
from devstral_ls.languages.table import LANGUAGES, PLAIN

WITH_GRAMMAR = [pytest.param(row, id=row.id) for row in LANGUAGES.values() if row.grammar is not None]
FOLDER = resources.files("devstral_ls.languages") / "queries"


@pytest.mark.parametrize("row", WITH_GRAMMAR)
def test_a_query_fits_its_grammar_and_uses_published_captures_only(row: Language) -> None:
    query = load_grammar(row).query
    captures = {query.capture_name(number) for number in range(query.capture_count)}
    assert captures <= CAPTURES
    assert "comment" in captures
    assert all(not query.pattern_assertions(number) for number in range(query.pattern_count))
    assert "(#" not in scopes_query(row)


@pytest.mark.parametrize("row", WITH_GRAMMAR)
def test_the_kinds_a_pattern_begins_with_are_node_types_of_the_grammar(row: Language) -> None:
    found = load_grammar(row)
    assert found.kinds >= found.import_kinds
    for kind in found.kinds:
        assert found.language.id_for_node_kind(kind, True) is not None, kind


def test_the_published_list_names_every_capture() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert {name for name in CAPTURES if f"| `@{name}` |" in text} == CAPTURES


def test_every_query_folder_belongs_to_a_row() -> None:
    folders = {entry.name for entry in FOLDER.iterdir() if entry.is_dir()}
    assert folders == {row.queries for row in LANGUAGES.values() if row.queries}


def test_a_row_without_a_grammar_has_none_and_that_is_not_a_problem() -> None:
    assert grammar(PLAIN) is None
    assert grammar(LANGUAGES["kotlin"]) is None
    with pytest.raises(LanguageError):
        load_grammar(PLAIN)


def test_a_missing_wheel_is_told_and_not_raised() -> None:
    row = replace(LANGUAGES["python"], id="absent", grammar=Grammar("tree_sitter_absent"))
    assert grammar(row) is None
    with pytest.raises(LanguageError, match="tree_sitter_absent"):
        load_grammar(row)


@pytest.mark.parametrize("text", ["(no_such_node) @function", "(module", "(module) @function (#nonsense"])
def test_a_query_that_does_not_compile_counts_as_no_grammar(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(grammars, "scopes_query", lambda language: text)
    row = replace(LANGUAGES["python"], id=f"broken-{text}")
    with pytest.raises(LanguageError, match=r"scopes\.scm"):
        load_grammar(row)
    assert loaded_grammar(row) is None


def test_a_missing_query_file_counts_as_no_grammar() -> None:
    row = replace(LANGUAGES["python"], id="unwritten", queries="unwritten")
    assert loaded_grammar(row) is None
