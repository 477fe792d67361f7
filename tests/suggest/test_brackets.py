"""What a piece of code leaves open, and that no text makes it slow to tell."""

from __future__ import annotations

import pytest

from devstral_ls.languages.table import LANGUAGES
from devstral_ls.suggest.brackets import Scan, scan

LONG = [(row.id, quote) for row in LANGUAGES.values() for quote in row.long_quotes]


@pytest.mark.parametrize(("language", "quote"), LONG)
@pytest.mark.parametrize("piece", ["\\a", "\\", "\\\n", "\\\\'"])
def test_a_string_without_an_end_is_read_once_however_many_backslashes_it_has(
    language: str, quote: str, piece: str
) -> None:
    assert scan(f"f({quote}{piece * 5_000}", LANGUAGES[language]) == Scan(due=")", in_string=True)


@pytest.mark.parametrize(
    ("code", "due"),
    [
        ('x = """a\\"""" + [', "]"),
        ('x = """a\\\n(""" + [', "]"),
        ("f('''\\\\''', (", "))"),
    ],
)
def test_a_backslash_takes_the_next_character_along(code: str, due: str) -> None:
    assert scan(code, LANGUAGES["python"]).due == due
