"""The document after a suggestion is accepted: code with a cursor, what the model says, and what stands there then."""

from __future__ import annotations

import pytest

from devstral_ls.settings.tree import InlineSettings, Settings
from devstral_ls.testing.scripted_engine import ScriptedEngine
from devstral_ls.text import Edit, apply
from tests.suggest.test_inline import Desk


async def accepted(code: str, says: str, language: str, *, lines: bool | None = None) -> str:
    multiline = {None: "auto", True: "always", False: "never"}[lines]
    desk = Desk(ScriptedEngine(says), Settings(inline=InlineSettings(multiline=multiline)), language)  # type: ignore[arg-type]
    query = desk.query(code, invoked=True)
    outcome = await desk.suggester.inline(query, desk.settings)
    if not outcome.suggestions:
        return query.snapshot.text
    suggestion = outcome.suggestions[0]
    return apply(query.snapshot.text, Edit(suggestion.replaces, suggestion.text))


ONE_LINE = [
    # What stands behind the auto-closed bracket stays.
    ("python", "if foo(▮):\n", "x) and bar(y)", "if foo(x) and bar(y):\n"),
    ("javascript", "foo(▮);\n", "a).then(b)", "foo(a).then(b);\n"),
    ("rust", "let v = vec![▮];\n", "1, 2].len()", "let v = vec![1, 2].len();\n"),
    ("typescript", "  a[▮],\n", "0].x", "  a[0].x,\n"),
    ("javascript", "foo(▮);\n", "a, b);", "foo(a, b);\n"),
    ("javascript", "foo(▮)\n", "a, b);", "foo(a, b);\n"),
    # A quote behind the cursor is one of them.
    ("python", 'x = "▮"\n', 'a" + b', 'x = "a" + b\n'),
    ("python", 'x = "▮"\n', 'hello".format(1)', 'x = "hello".format(1)\n'),
    ("python", 'x = "▮"\n', "hello", 'x = "hello"\n'),
    ("python", 'x = "▮"\n', 'hello"', 'x = "hello"\n'),
    ("java", 'class A { void f() { System.out.println("▮"); } }\n', 'a" + b', 'class A { void f() { System.out.println("a" + b); } }\n'),
    ("rust", 'fn f() { println!("▮"); }\n', '{}", x', 'fn f() { println!("{}", x); }\n'),
    ("python", 're.compile(r"▮")\n', '\\((\\d+)")', 're.compile(r"\\((\\d+)")\n'),
    ("python", "x = f'▮'\n", "{a(b)}'", "x = f'{a(b)}'\n"),
    # Punctuation behind it, too, where the answer ends with the same.
    ("rust", 'fn f() { println!("▮"); }\n', 'Hello, {}", name);', 'fn f() { println!("Hello, {}", name); }\n'),
    ("rust", 'println!("▮");\n', 'Hello, {}", name);', 'println!("Hello, {}", name);\n'),
    ("java", 'System.out.println("▮");\n', 'Hello, " + name);', 'System.out.println("Hello, " + name);\n'),
    ("python", "def f(▮):\n", "self) -> None:", "def f(self) -> None:\n"),
    ("python", "def f(x: list[▮]):\n", "int]) -> int:", "def f(x: list[int]) -> int:\n"),
    ("rust", "let x = foo(▮);\n", "a)?;", "let x = foo(a)?;\n"),
    ("python", "x = foo(▮),\n", "a).b,", "x = foo(a).b,\n"),
    # A space before a closer that stays.
    ("javascript", "items.map(▮);\n", "item => item.up() );", "items.map(item => item.up());\n"),
    # Code inside a string.
    ("python", 'print(f"loaded {▮}")\n', 'item}"', 'print(f"loaded {item}")\n'),
    ("python", 'print(f"loaded {▮}")\n', "item", 'print(f"loaded {item}")\n'),
    ("python", 'print(f"{▮}")\n', 'item} -> {names[item]}"', 'print(f"{item} -> {names[item]}")\n'),
    ("python", 'raise ValueError(f"unknown {▮}")\n', 'name}"', 'raise ValueError(f"unknown {name}")\n'),
    ("javascript", "console.log(`hello ${▮}`);\n", "user.name}`);", "console.log(`hello ${user.name}`);\n"),
    ("typescript", "console.log(`area is ${▮}`);\n", "w * h}`);", "console.log(`area is ${w * h}`);\n"),
    ("javascript", "console.log(`hello ${▮}`);\n", "user.name", "console.log(`hello ${user.name}`);\n"),
    ("kotlin", 'println("a ${▮}")\n', 'b}")', 'println("a ${b}")\n'),
    # Closers that the answer opened itself are its own.
    ("json", '{"a": [▮]}\n', '1, 2], "b": []}', '{"a": [1, 2], "b": []}\n'),
    ("python", "y = f(g(▮))\n", "x), h())", "y = f(g(x), h())\n"),
    ("python", "y = f(▮)\n", "[1, (2)]", "y = f([1, (2)])\n"),
    ("python", "y = [▮]\n", "[1], [2]", "y = [[1], [2]]\n"),
    ("python", "y = f(g(▮))\n", "x", "y = f(g(x))\n"),
    ("python", "y = f(▮)\n", "x) + g(y)", "y = f(x) + g(y)\n"),
    ("python", "y = f( ▮ )\n", "x )", "y = f( x )\n"),
    # Code behind the cursor that the answer ends with is not written twice.
    ("python", "x = ▮ + y\n", "a + y", "x = a + y\n"),
    ("python", "f(x, ▮ + y)\n", "a + y)", "f(x, a + y)\n"),
    # Also where it opened a bracket by itself, or a surplus one at its end is left out.
    ("python", "x = f(▮ + g(y))\n", "h(a) + g(y)", "x = f(h(a) + g(y))\n"),
    ("python", "raise Mal▮ace)\n", 'formed("x", place)', 'raise Malformed("x", place)\n'),
    ("python", "x = [a for a in b if len(a) >= min▮imum]\n", "imum)]", "x = [a for a in b if len(a) >= minimum]\n"),
    # Apostrophes that are no strings, brackets in comments, long calls.
    ("rust", "fn longest<'a>(x: &'a str, y: &'a str▮\n", ") -> &'a str {", "fn longest<'a>(x: &'a str, y: &'a str) -> &'a str {\n"),
    ("rust", "let c = '(';\nlet d = f(▮\n", "1)", "let c = '(';\nlet d = f(1)\n"),
    ("python", "x = foo(  # see (a) and b)\n    1, 2▮\n", ")", "x = foo(  # see (a) and b)\n    1, 2)\n"),
    ("python", "f(\n" + "    a,\n" * 40 + "    b▮\n", ")", "f(\n" + "    a,\n" * 40 + "    b)\n"),
    ("python", "# 1▮\n", ") the first step", "# 1) the first step\n"),
    ("shellscript", "case $x in\n  a▮\nesac\n", ") echo;;", "case $x in\n  a) echo;;\nesac\n"),
    ("shellscript", "if [▮\n", ' -f "$x" ]', 'if [ -f "$x" ]\n'),
    ("html", "<p>▮\n", "a)</p>", "<p>a)</p>\n"),
    ("markdown", "- [▮\n", " ] todo", "- [ ] todo\n"),
    ("cpp", "int f() {▮};\n", " return x; }", "int f() { return x; };\n"),
    ("python", "x = [▮]\n", "0, 0, 0, 0, 0, 0, 0, 0", "x = [0, 0, 0, 0, 0, 0, 0, 0]\n"),
    ("python", "x = ▮\n", "a a a a a a a a", "x = \n"),
    ("python", "x = 1▮\n", ")", "x = 1\n"),
    ("go", "x := `a▮\n", "b(`", "x := `ab(`\n"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "code", "says", "expected"), ONE_LINE)
async def test_one_line(language: str, code: str, says: str, expected: str) -> None:
    assert await accepted(code, says, language, lines=False) == expected


FILLED = [
    # Several lines that end in the middle of one: up to where the model ends them.
    ("python", "def f():\n    x = g(▮z)\n    return x\n", "y)\n    x += g(", "def f():\n    x = g(y)\n    x += g(z)\n    return x\n"),
    ("python", "x = fo▮(a)\n", "o(b)\ny = bar(a)", "x = foo(b)\ny = bar(a)\n"),
    ("python", "def f():\n    if a:\n        return na▮ b:\n        return c\n", "me\n    if", "def f():\n    if a:\n        return name\n    if b:\n        return c\n"),
    # Where they go on and on, or come to what stands there already: the first of them.
    ("python", "x = fo▮(a)\ny = 2\n", "o\nx = 1\ny = 2\nz = 3", "x = foo(a)\ny = 2\n"),
    ("python", "def f():\n    x = fo▮(a)\n", "o\n    return x\n\ndef g():\n", "def f():\n    x = foo(a)\n"),
    ("python", "x = fo▮(a)\n", "o\n" + "y = 1\n" * 30, "x = foo(a)\n"),
    # Not at the end of a statement.
    ("python", "def f():\n    a =▮\n    return b\n", " 1\n    b = 2", "def f():\n    a = 1\n    return b\n"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "code", "says", "expected"), FILLED)
async def test_who_asks_by_key_is_given_all_that_is_missing(language: str, code: str, says: str, expected: str) -> None:
    assert await accepted(code, says, language) == expected


LINES = [
    # The line end before a closer that stays.
    ("javascript", "function f() {▮}\n", "\n  return 1;\n}\n", "function f() {\n  return 1;\n}\n"),
    # The next clause of a statement is not begun.
    ("javascript", "if (a) {▮\n", "\n  b();\n} else {\n  c();\n}\n", "if (a) {\n  b();\n}\n"),
    ("java", "try {▮\n", "\n  b();\n} catch (E e) {\n  c();\n}\n", "try {\n  b();\n}\n"),
    # A closer is needed for each block that no line below closes.
    ("javascript", "function f() {\n  if (x) {\n    ▮\n}\n", "y();\n  }\n}\n", "function f() {\n  if (x) {\n    y();\n  }\n}\n"),
    ("go", "func f() {\n\tif err != nil {▮\n}\n", "\n\t\treturn\n\t}\n}\n", "func f() {\n\tif err != nil {\n\t\treturn\n\t}\n}\n"),
    ("javascript", "function f() {\n  ▮\n}\n", "y();\n}\n\nfunction g() {\n}\n", "function f() {\n  y();\n}\n"),
    ("javascript", "on('x', () => {▮\n", "\n  y();\n});\nz();\n", "on('x', () => {\n  y();\n});\n"),
    ("javascript", "on('x', () => {▮\n});\n", "\n  y();\n});\nz();\n", "on('x', () => {\n  y();\n});\n"),
    ("javascript", "const a = {▮\n", "\n  b: 1,\n};\n\nfoo();\n", "const a = {\n  b: 1,\n};\n"),
    # Lines further left that do not end the block.
    ("c", "int f(void) {▮\n}\n", "\n#ifdef A\n  g();\n#endif\n  return 1;\n}\n", "int f(void) {\n#ifdef A\n  g();\n#endif\n  return 1;\n}\n"),
    ("cpp", "class A {▮\n};\n", "\n  int a;\npublic:\n  int b;\n};\n", "class A {\n  int a;\npublic:\n  int b;\n};\n"),
    ("python", "def f():▮\n", '\n    x = """\nleft\n"""\n    return x\n\ny = 1\n', 'def f():\n    x = """\nleft\n"""\n    return x\n'),
    ("javascript", "function f() {\n  ▮\n}\n", "return `\n<b>\n`;\n}\n", "function f() {\n  return `\n<b>\n`;\n}\n"),
    # Brackets over several lines.
    ("python", "x = foo(\n    ▮\n", "a,\n    b,\n)\ny = 1\n", "x = foo(\n    a,\n    b,\n)\n"),
    ("python", "x = foo(\n    ▮\n)\n", "a,\n    b,\n)\ny = 1\n", "x = foo(\n    a,\n    b,\n)\n"),
    ("python", "x = {▮\n", "\n    'a': 1,\n}\ny = 1\n", "x = {\n    'a': 1,\n}\n"),
    # Words that close a block.
    ("ruby", "def f(a)\n  ▮\n", "a + 1\nend\n\ndef g\n", "def f(a)\n  a + 1\nend\n"),
    ("ruby", "def f(a)\n  ▮\nend\n", "a + 1\nend\n\ndef g\n", "def f(a)\n  a + 1\nend\n"),
    ("shellscript", "for x in *; do\n  ▮\n", 'echo "$x"\ndone\necho\n', 'for x in *; do\n  echo "$x"\ndone\n'),
    # Python ends by indentation.
    ("python", "if a:\n    ▮\n", "b()\nelse:\n    c()\n", "if a:\n    b()\n"),
    ("python", "class A:\n    def f(self):\n        ▮\n\n    def g(self):\n        pass\n",
     "return 1\n\n    def g(self):\n        pass\n", "class A:\n    def f(self):\n        return 1\n\n    def g(self):\n        pass\n"),
    ("python", "def f():\n\t▮\n", "a()\n\tb()\nc()\n", "def f():\n\ta()\n\tb()\n"),
    # Line ends of the document.
    ("python", "def f():\r    ▮\r", "a()\n    b()\n", "def f():\r    a()\r    b()\r"),
    ("python", "def f():\r\n    ▮\r\n", "a()\n    b()\n", "def f():\r\n    a()\r\n    b()\r\n"),
    # A loop, and something endless.
    ("python", "def f():\n    ▮\n", "print(1)\n    " * 30, "def f():\n    print(1)\n"),
    ("python", "def f():\n    ▮\n", "".join(f"a{n}()\n    " for n in range(40)), "def f():\n    " + "\n    ".join(f"a{n}()" for n in range(20)) + "\n"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "code", "says", "expected"), LINES)
async def test_several_lines(language: str, code: str, says: str, expected: str) -> None:
    assert await accepted(code, says, language, lines=True) == expected
