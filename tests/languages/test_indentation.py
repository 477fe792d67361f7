from __future__ import annotations

import time

import pytest

from devstral_ls.languages.scopes import indentation
from devstral_ls.languages.table import LANGUAGES, PLAIN, language_of
from devstral_ls.text import Snapshot
from tests.languages.places import by_lines, path, place


@pytest.mark.parametrize(
    ("language", "code", "expected"),
    [
        ("kotlin", "class A {\n    override fun f(x: Int): Int {\n        ▮", "class A > function f"),
        (
            "swift",
            "extension A {\n    @discardableResult\n    func f() -> Int {\n        ▮\n    }\n}",
            "class A > function f",
        ),
        ("lua", "local function f(x)\n  if x then\n    ▮\n  end\nend", "function f"),
        ("scala", "object A {\n  def f(x: Int): Int = {\n    ▮", "class A > function f"),
        ("dart", "class A {\n  Future<void> f(int x) async {\n    ▮", "class A > function f"),
        ("zig", "pub fn f(x: u8) u8 {\n    ▮", "function f"),
        ("elixir", "defmodule A.B do\n  def f(x) do\n    ▮", "class A.B > function f"),
        ("r", "f <- function(x) {\n  ▮\n}", "function f"),
        ("perl", "sub f {\n  my ($x) = @_;\n  ▮\n}", "function f"),
        ("powershell", "function Get-A {\n  ▮\n}", "function Get"),
        ("julia", "module M\nfunction f(x)\n    ▮\nend\nend", "function f"),
        ("yaml", "class A:\n  ▮", "class A"),
        ("markdown", "class A {\n  ▮", ""),
        ("plaintext", "def f():\n    ▮", ""),
    ],
)
def test_definitions_in_languages_without_a_grammar(language: str, code: str, expected: str) -> None:
    assert path(by_lines(code, language)[1]) == expected


@pytest.mark.parametrize(
    ("language", "code", "expected"),
    [
        (
            "python",
            "import a\nfrom b import (\n    c,\n)\n\ndef f():\n    import d\n▮",
            ["import a", "from b import (\n    c,\n)"],
        ),
        ("kotlin", "package a\n\nimport b.c\n▮", ["package a", "import b.c"]),
        ("swift", "import Foundation\n@testable import A\n▮", ["import Foundation", "@testable import A"]),
        ("lua", "local a = require('a')\nlocal b = 1\n▮", ["local a = require('a')"]),
        ("c", '#include <a.h>\r\n#  include "b.h"\r\n▮', ["#include <a.h>", '#  include "b.h"']),
        ("rust", "use a::{\n    b,\n};\nlet c = 1;\n▮", ["use a::{\n    b,\n};"]),
        ("python", "import (\n" + "a\n" * 200 + "▮", ["import ("]),
        ("markdown", "import a\n▮", []),
    ],
)
def test_imports_by_how_a_line_begins(language: str, code: str, expected: list[str]) -> None:
    snapshot, found = by_lines(code, language)
    assert [snapshot.of(span) for span in found.imports] == expected


@pytest.mark.parametrize(
    ("language", "code", "expected"),
    [
        ("python", "x = 1  # a▮", "comment"),
        ("python", "x = '# ▮'", "string"),
        ("python", "x = '#'▮", "code"),
        ("python", "x = 'it\\'s ▮'", "string"),
        ("javascript", "x = 'http://▮'", "string"),
        ("javascript", "x // a▮", "comment"),
        ("javascript", "/*\n * a▮\n */", "comment"),
        ("javascript", "/* a */ x▮", "code"),
        ("javascript", "x = ['a/**/*.js'];\ny▮", "code"),
        ("rust", "fn f<'a>(x: ▮", "code"),
        ("lua", "-- a▮", "comment"),
        ("shellscript", "echo $#▮", "code"),
        ("plaintext", "it's ▮", "code"),
        ("markdown", "it's ▮", "code"),
    ],
)
def test_comments_and_strings_by_the_line(language: str, code: str, expected: str) -> None:
    assert place(by_lines(code, language)[1]) == expected


def test_a_scope_ends_where_the_indentation_does() -> None:
    code = "class A {\n  @dec\n  fun f() {\n    x▮\n  }\n\n  fun g() {\n  }\n}\n\nval y = 1\n"
    snapshot, found = by_lines(code, "kotlin")
    outer, inner = found.scopes
    assert snapshot.of(inner.span) == "@dec\n  fun f() {\n    x\n  }"
    assert snapshot.of(inner.body).strip() == "x"
    assert snapshot.of(outer.span) == code.replace("▮", "").split("\n\nval")[0]


def test_line_ends_of_every_kind() -> None:
    for end in ("\n", "\r\n", "\r"):
        code = end.join(["import a", "class A:", "    def f(self):", "        ▮", "", "x = 1"])
        snapshot, found = by_lines(code, "python")
        assert path(found) == "class A > function f"
        assert [snapshot.of(span) for span in found.imports] == ["import a"]
        assert found.block_due


@pytest.mark.parametrize("language", ["javascript", "python", "html", "ruby", "plaintext"])
@pytest.mark.parametrize("piece", ["x", "(", "[{\"'", "<a", "//", "\\", "  ", "function f(x) {"])
def test_ten_megabytes_on_one_line_are_no_trouble(language: str, piece: str) -> None:
    text = piece * (10_000_000 // len(piece))
    snapshot = Snapshot("file:///case", 1, language, text)
    began = time.perf_counter()
    for offset in (0, len(text) // 2, len(text)):
        indentation.scope_by_indentation(snapshot, offset, language_of(language))
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize("language", [*LANGUAGES.values(), PLAIN], ids=lambda row: row.id)
@pytest.mark.parametrize("text", ["", " ", "\n", "\r", "\t\n\t", "{", "}", ")", "'", "#", "\ud800\n{", "\0"])
def test_every_row_answers_anywhere(language: object, text: str) -> None:
    snapshot = Snapshot("file:///case", 1, "", text)
    for offset in range(len(text) + 1):
        indentation.scope_by_indentation(snapshot, offset, language)  # type: ignore[arg-type]


def test_only_two_thousand_lines_are_looked_at() -> None:
    near, far = "    x()\n" * 1_500, "    x()\n" * 3_000
    assert path(by_lines("def f():\n" + near + "    y▮", "python")[1]) == "function f"
    assert path(by_lines("def f():\n" + far + "    y▮", "python")[1]) == ""
