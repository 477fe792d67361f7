"""What a piece of code leaves open, and that no text makes it slow to tell."""

from __future__ import annotations

import pytest

from devstral_ls.languages.lexing import BracketScan, scan_brackets
from devstral_ls.languages.table import LANGUAGES
from tests.fuzz.timing import processor_seconds

LONG = [(row.id, quote) for row in LANGUAGES.values() for quote in row.long_quotes]


@pytest.mark.parametrize(("language", "quote"), LONG)
@pytest.mark.parametrize("piece", ["\\a", "\\", "\\\n", "\\\\'"])
def test_a_string_without_an_end_is_read_once_however_many_backslashes_it_has(
    language: str, quote: str, piece: str
) -> None:
    assert scan_brackets(f"f({quote}{piece * 5_000}", LANGUAGES[language]) == BracketScan(due=")", in_string=True)


@pytest.mark.parametrize(
    ("code", "due"),
    [
        ('x = """a\\"""" + [', "]"),
        ('x = """a\\\n(""" + [', "]"),
        ("f('''\\\\''', (", "))"),
    ],
)
def test_a_backslash_takes_the_next_character_along(code: str, due: str) -> None:
    assert scan_brackets(code, LANGUAGES["python"]).due == due


@pytest.mark.parametrize(
    ("language", "code", "due"),
    [
        ("javascript", "if (/[^\\t\\x20(]/.test(a)) {", "}"),
        ("javascript", "const P = [\n  /\\}/,\n  /[/}]/g,", "]"),
        ("javascript", "x.map(a => /\\)/.exec(a)", ")"),
        ("javascript", "return /[{]/.test(", ")"),
        ("typescript", "f(a / (b + c) / d", ")"),
        ("typescript", "f(  // not a pattern (\n", ")"),
        ("typescript", "f(/* not a pattern ( */ [", "])"),
        ("typescriptreact", "<b>{a}</b> && (", ")"),
        ("ruby", "if line =~ /\\{/ && [", "]"),
        ("go", "x := a / (b", ")"),
    ],
)
def test_brackets_in_a_pattern_are_none(language: str, code: str, due: str) -> None:
    assert scan_brackets(code, LANGUAGES[language]).due == due


@pytest.mark.parametrize("piece", ["(/", "(/[", "(/\\", "( ", "=/a", "return "])
def test_what_may_begin_a_pattern_a_hundred_thousand_times_is_read_in_bounded_time(piece: str) -> None:
    with processor_seconds() as spent:
        scan_brackets(piece * 100_000, LANGUAGES["javascript"])
    assert spent() < 2
