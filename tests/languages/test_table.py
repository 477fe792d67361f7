from __future__ import annotations

import re
from collections import Counter

import pytest

from devstral_ls.languages.grammars import load_grammar
from devstral_ls.languages.language import Language
from devstral_ls.languages.table import LANGUAGES, PLAIN, language_of

ROWS = [pytest.param(row, id=row.id) for row in LANGUAGES.values()]


@pytest.mark.parametrize("column", ["extensions", "filenames"])
def test_a_file_name_means_one_language(column: str) -> None:
    said = Counter(value for row in LANGUAGES.values() for value in getattr(row, column))
    assert [value for value, times in said.items() if times > 1] == []


def test_a_language_id_means_one_language() -> None:
    said = Counter(name for row in (*LANGUAGES.values(), PLAIN) for name in (row.id, *row.aliases))
    assert [value for value, times in said.items() if times > 1] == []


@pytest.mark.parametrize("row", ROWS)
def test_every_row_can_be_used(row: Language) -> None:
    assert LANGUAGES[row.id] is row
    assert all(value == value.lower() for value in (*row.extensions, *row.filenames))
    assert all(ending.startswith(".") for ending in row.extensions)
    for pattern in (row.opens, row.imports):
        assert not re.compile(pattern).search("") or not pattern
    assert (row.grammar is None) == (row.queries == "")
    assert row.closers
    if row.grammar is not None:
        assert load_grammar(row).language.abi_version >= 13


@pytest.mark.parametrize(
    ("language_id", "path", "expected"),
    [
        ("python", "", "python"),
        ("python", "a.rs", "python"),
        ("Python", "", "python"),
        ("javascriptreact", "a.jsx", "javascript"),
        ("typescriptreact", "", "typescriptreact"),
        ("", "file:///a/B.TSX", "typescriptreact"),
        ("plaintext", "/a/b.py", "python"),
        ("unknown", "C:\\a\\Makefile", "makefile"),
        ("unknown", "/a/Dockerfile", "dockerfile"),
        ("sh", "", "shellscript"),
        ("unknown", "/a/.bashrc", "shellscript"),
        ("unknown", "/a/b.py?query#part", "python"),
        ("unknown", "/a/b", "plaintext"),
        ("unknown", "", "plaintext"),
        ("", "/", "plaintext"),
        ("", "?", "plaintext"),
        ("\ud800", "\ud800.\ud800", "plaintext"),
    ],
)
def test_the_id_decides_then_the_name_then_the_extension(language_id: str, path: str, expected: str) -> None:
    assert language_of(language_id, path).id == expected
