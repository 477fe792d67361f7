"""One line or a block?"""

from __future__ import annotations

import pytest

from tests.languages.places import by_lines, by_tree

BLOCK = [
    ("python", "def f(x):▮"),
    ("python", "def f(x):\n    ▮"),
    ("python", "def f(x):\n▮"),
    ("python", "def f(\n    x,\n) -> int:\n    ▮"),
    ("python", "def f(x):  # why: because\n    ▮"),
    ("python", 'def f(x):\n    """Doc."""\n    ▮'),
    ("python", 'def f(x):\n    """Doc.\n\n    More.\n    """\n    ▮\n\n\ndef g():\n    pass\n'),
    ("python", "def f(x):\n    # Sort them, then count.\n    ▮\n"),
    ("python", "def f(x):\n    y = 1\n\n    ▮\n\ndef g():\n    pass\n"),
    ("python", "def f(x):\n    for y in x:\n        ▮\n    return 1\n"),
    ("python", "def f(x):\n    for y in x:\n        z(y)\n        ▮\n    return 1\n"),
    ("python", "if x:\n    ▮"),
    ("python", "else:▮"),
    ("python", "class A:\n    ▮"),
    ("python", "class A:\n    x = 1\n\n    ▮\n"),
    ("python", "async def f():▮\n"),
    ("python", "match x:\n    case 1:\n        ▮"),
    ("typescript", "function f() {▮"),
    ("typescript", "function f() {▮}"),
    ("typescript", "function f() {\n  ▮\n}"),
    ("typescript", "function f() {\n  ▮}"),
    ("typescript", "const f = (x) => {▮})"),
    ("typescript", "function f() {\n  x();\n  ▮\n}\n"),
    ("typescript", "function f() {\n  if (x) {\n    ▮\n  }\n  y();\n}\n"),
    ("typescript", "/** Adds. */\n▮\n"),
    ("typescript", "/**\n * Adds.\n */\n▮\n\nfunction g() {}\n"),
    ("typescript", "class A {\n  /** Adds. */\n  ▮\n}\n"),
    ("go", "package m\n\nfunc f() {\n\t▮\n}\n"),
    ("go", "package m\n\n// F adds.\n▮\n"),
    ("go", "package m\n\nfunc f() {\n\tswitch x {\n\tcase 1:\n\t\t▮\n\t}\n}\n"),
    ("rust", "/// Adds.\n▮\n"),
    ("rust", "fn f() {\n    ▮\n}\n"),
    ("rust", "fn f() {\n    match x {▮\n"),
    ("java", "class A {\n  void f() {\n    ▮\n  }\n}\n"),
    ("cpp", "int f()\n{\n  ▮\n}\n"),
    ("c", "struct s {\n  ▮\n};\n"),
    ("ruby", "def f(x)\n  ▮\nend\n"),
    ("ruby", "x.each do |y|\n  ▮\nend\n"),
    ("shellscript", "if x; then\n  ▮\nfi\n"),
    ("css", ".a {\n  ▮\n}\n"),
    ("html", "<ul>\n  ▮\n</ul>\n"),
    ("json", "{\n  ▮\n}\n"),
]
ONE_LINE = [
    ("python", "x = ▮"),
    ("python", "foo(▮"),
    ("python", "foo(▮)"),
    ("python", "def f(▮):\n    pass\n"),
    ("python", "def ▮"),
    ("python", "def f(x):\n    y = 1\n    ▮\n    return y\n"),
    ("python", "def f(x):\n    y = 1▮\n"),
    ("python", "def f(x):\n    y = 1\n▮\n    return y\n"),
    ("python", "def f(x: ▮"),
    ("python", "x = {'a':▮"),
    ("python", "x[1:▮"),
    ("python", "f = lambda x:▮"),
    ("python", "def f(): ▮return 1"),
    ("python", "x = 1\n▮\n"),
    ("python", "▮"),
    ("python", "# if x:▮"),
    ("python", "x = 'if y:▮'"),
    ("python", '"""Doc.\n\nif x:\n    ▮\n"""\n'),
    ("python", "def f(x):\n    return x\n\n\n▮\n"),
    ("typescript", "x = ▮"),
    ("typescript", "foo(▮)"),
    ("typescript", "function f() {\n  x();\n  ▮\n  y();\n}\n"),
    ("typescript", "function f() {\n  x();▮\n}\n"),
    ("typescript", "function f() {}\n▮\nfunction g() {}\n"),
    ("typescript", "if (x) ▮{"),
    ("typescript", "/** Adds. */\n▮\nfunction f() {}\n"),
    ("typescript", "/* {▮ */"),
    ("typescript", "// function f() {\n▮\nx();\n"),
    ("go", "package m\n\nfunc f() {\n\tx := ▮\n}\n"),
    ("rust", "let x = ▮"),
    ("rust", "fn f() {\n    x();\n    ▮\n    y();\n}\n"),
    ("java", "class A {\n  int x = ▮\n}\n"),
    ("cpp", "return ▮;"),
    ("ruby", "x = ▮"),
    ("css", ".a {\n  color: ▮\n}\n"),
    ("html", "<p>▮</p>\n"),
    ("json", '{"a": ▮}'),
]


@pytest.mark.parametrize(("language", "code"), BLOCK)
def test_a_block_is_due(language: str, code: str) -> None:
    assert by_tree(code, language)[1].block_due
    assert by_lines(code, language)[1].block_due


@pytest.mark.parametrize(("language", "code"), ONE_LINE)
def test_one_line_is_due(language: str, code: str) -> None:
    assert not by_tree(code, language)[1].block_due


@pytest.mark.parametrize(("language", "code"), [case for case in ONE_LINE if '"""' not in case[1]])
def test_one_line_is_due_without_a_tree(language: str, code: str) -> None:
    assert not by_lines(code, language)[1].block_due


@pytest.mark.parametrize(
    ("language", "code", "expected"),
    [
        ("kotlin", "fun f(x: Int) {\n    ▮\n}\n", True),
        ("kotlin", "x.map { y ->\n    ▮\n}\n", True),
        ("lua", "function f(x)\n  ▮\nend\n", True),
        ("lua", "local x = ▮", False),
        ("haskell", "main = do\n  ▮\n", True),
        ("yaml", "a:\n  ▮\n", True),
        ("yaml", "a: ▮\n", False),
        ("elixir", "def f(x) do\n  ▮\nend\n", True),
        ("swift", "func f() {\n  ▮\n}\n", True),
        ("markdown", "# Title\n▮\n", False),
        ("plaintext", "if x:\n    ▮\n", False),
        ("makefile", "all: a b\n\t▮\n", True),
        ("sql", "SELECT ▮", False),
    ],
)
def test_rows_without_a_grammar(language: str, code: str, expected: bool) -> None:
    assert by_lines(code, language)[1].block_due is expected
