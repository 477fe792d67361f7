"""Definitions, imports and places in files that parse."""

from __future__ import annotations

import pytest

from tests.languages.places import by_tree, path, place

PYTHON = '''\
import os, sys
from a.b import (
    c,
)
if TYPE_CHECKING:
    from d import e

@decorated(1)
class A(B):
    """Doc."""

    @property
    @cached
    async def f(
        self,  # a: comment
        x: int = 1,
    ) -> str:  # and: another
        x = 1▮

    def g(self): return 2

def h():
    def inner(): pass
'''
GO = """\
package m

import (
\t"fmt"
)

// F does it.
func (a *A) F(x int) error {
\tgo func() {
\t\tx▮
\t}()
}

type T struct {
\tx int
}
"""


def test_a_scope_tells_its_header_body_and_decorators() -> None:
    snapshot, found = by_tree(PYTHON, "python")
    outer, inner = found.scopes
    assert (outer.kind, outer.name, inner.kind, inner.name) == ("class", "A", "function", "f")
    assert snapshot.of(outer.header) == "class A(B):"
    assert snapshot.of(outer.span).startswith("@decorated(1)\nclass A(B):")
    assert snapshot.of(outer.span).endswith("return 2")
    assert snapshot.of(inner.header).startswith("async def f(\n")
    assert snapshot.of(inner.header).endswith(") -> str:")
    assert snapshot.of(inner.span).startswith("@property\n    @cached\n")
    assert snapshot.of(inner.body) == "  # and: another\n        x = 1"


def test_a_header_ends_with_its_brace_and_the_body_before_the_closing_one() -> None:
    snapshot, found = by_tree(GO, "go")
    outer, inner = found.scopes
    assert snapshot.of(outer.header) == "func (a *A) F(x int) error {"
    assert snapshot.of(outer.body).strip() == "go func() {\n\t\tx\n\t}()"
    assert snapshot.of(outer.span).endswith("\n}")
    assert snapshot.of(inner.header) == "go func() {"
    assert snapshot.of(inner.body).strip() == "x"


@pytest.mark.parametrize(
    ("language", "code", "expected"),
    [
        ("python", PYTHON, ["import os, sys", "from a.b import (\n    c,\n)", "from d import e"]),
        ("python", "try:\n    import a\nexcept ImportError:\n    a = None\n▮", ["import a"]),
        ("python", "def f():\n    import a\n▮", []),
        ("go", GO, ["package m", 'import (\n\t"fmt"\n)']),
        ("javascript", "import a from 'a'\nconst b = require('b');\nconst c = f(d);\nexport * from 'e'\n▮",
         ["import a from 'a'", "const b = require('b');", "export * from 'e'"]),
        ("typescript", "import type { A } from 'a';\nimport * as b from 'b';\n▮",
         ["import type { A } from 'a';", "import * as b from 'b';"]),
        ("typescriptreact", "import React from 'react';\n▮", ["import React from 'react';"]),
        ("rust", "use a::{b, c};\npub use d;\nextern crate e;\nmod f;\nmod g { }\n▮",
         ["use a::{b, c};", "pub use d;", "extern crate e;", "mod f;"]),
        ("java", "package a;\nimport b.c;\nimport static d.*;\n▮", ["package a;", "import b.c;", "import static d.*;"]),
        ("c", "#ifndef A\n#define A\n#include <a.h>\n#include \"b.h\"\n▮\n#endif\n", ["#include <a.h>", '#include "b.h"']),
        ("cpp", "#include <a>\nusing namespace std;\n▮", ["#include <a>", "using namespace std;"]),
        ("csharp", "using A;\nusing B = C.D;\nnamespace N { using E; }\n▮", ["using A;", "using B = C.D;", "using E;"]),
        ("ruby", "require 'a'\nrequire_relative \"b\"\nputs 'c'\n▮", ["require 'a'", 'require_relative "b"']),
        ("php", "<?php\nnamespace A;\nuse B\\C;\nrequire_once 'd.php';\n▮",
         ["namespace A;", "use B\\C;", "require_once 'd.php';"]),
        ("shellscript", "source a.sh\n. b.sh\necho c\n▮", ["source a.sh", ". b.sh"]),
        ("css", "@import 'a';\n▮", ["@import 'a';"]),
        ("json", '{"import": 1▮}', []),
    ],
)  # fmt: skip
def test_imports_are_told_whole_and_in_order(language: str, code: str, expected: list[str]) -> None:
    snapshot, found = by_tree(code, language)
    assert [snapshot.of(span) for span in found.imports] == expected


@pytest.mark.parametrize(
    ("language", "code", "expected"),
    [
        ("python", "def f():\n    x▮\n", "function f"),
        ("python", "def f():\n    x\n▮\n", ""),
        ("python", "def f():\n    x\n▮\n    y\n", "function f"),
        ("python", "def f():\n    x\n    ▮\n\ny = 1\n", "function f"),
        ("python", "class A:\n    def f(self):\n        x\n    ▮\n", "class A"),
        ("python", "class A:\n    def f(self):\n        x\n        ▮\n", "class A > function f"),
        ("python", "class A:\n    def f(self):\n        x\n\n▮\n    def g(self): pass", "class A"),
        ("python", "def f():\n    x  # note\n    # more\n\n    # and more\n    ▮\n", "function f"),
        ("python", "def f():\r\n    x\r\n    ▮\r\ny = 1\r\n", "function f"),
        ("python", "def f():\n\tx\n\t▮", "function f"),
        ("python", "def f(): return 1 ▮", "function f"),
        ("python", "é = '漢😀'\ndef é(漢):\n    '😀'\n    x = ▮1", "function é"),
        ("python", "def f():\n▮", "function f"),
        ("python", "▮def f():\n    pass", ""),
        ("javascript", "function* f() { ▮ }", "function f"),
        ("javascript", "const f = async (x) => {\n  ▮\n};", "function f"),
        ("javascript", "const f = useCallback((x) => {\n  ▮\n}, []);", "function f"),
        ("javascript", "module.exports.f = function (x) {\n  ▮\n};", "function module.exports.f"),
        ("javascript", "const a = { f: () => {\n  ▮\n} };", "function f"),
        ("javascript", "const a = { f() {\n  ▮\n} };", "function f"),
        ("javascript", "class A { #f = () => {\n  ▮\n}; }", "class A > function #f"),
        ("javascript", "describe('a', () => {\n  it('b', function () {\n    ▮\n  });\n});", "function - > function -"),
        ("javascript", "const A = () => <div onClick={() => {\n  ▮\n}} />;", "function -"),
        ("javascript", "function f() {}▮", ""),
        ("typescript", "export abstract class A<T> {\n  private f(): void {\n    ▮\n  }\n}", "class A > function f"),
        ("typescript", "interface A {\n  ▮\n}", "class A"),
        ("typescript", "export type A = {\n  ▮\n};", "class A"),
        ("typescript", "namespace N {\n  enum E {\n    ▮\n  }\n}", "class N > class E"),
        ("typescriptreact", "export function A(): JSX.Element {\n  return <p>{▮}</p>;\n}", "function A"),
        ("go", GO.replace("▮", "").replace("x int\n}\n", "x ▮int\n}\n"), "class T"),
        ("go", "package m\ntype I interface {\n\tF(▮)\n}\n", "class I"),
        ("rust", "impl<T> A for B<T> {\n    fn f(&self) -> u8 {\n        let g = |x| {\n            ▮\n        };\n    }\n}",
         "class B<T> > function f > function -"),
        ("rust", "mod m {\n    enum E {\n        ▮\n    }\n}", "class m > class E"),
        ("rust", "trait T {\n    fn f();\n    fn g() {\n        ▮\n    }\n}", "class T > function g"),
        ("java", "class A {\n  A(int x) {\n    run(() -> {\n      ▮\n    });\n  }\n}", "class A > function A > function -"),
        ("java", "record R(int x) {\n  enum E { A, ▮ }\n}", "class R > class E"),
        ("c", "static int *f(int x)\n{\n  ▮\n}", "function f"),
        ("c", "struct s {\n  int x;▮\n};", "class s"),
        ("cpp", "namespace n {\ntemplate <class T>\nclass A {\n  T& f() const {\n    ▮\n  }\n};\n}",
         "class n > class A > function f"),
        ("cpp", "int A::f() {\n  auto g = [&](int x) {\n    ▮\n  };\n}", "function A::f > function -"),
        ("csharp", "namespace N {\n class A {\n  public int P {\n   get {\n    ▮\n   }\n  }\n }\n}",
         "class N > class A > function P > function get"),
        ("ruby", "module M\n  class A < B\n    def self.f(x)\n      y.each do |z|\n        ▮\n      end\n    end\n  end\nend",
         "class M > class A > function f > function -"),
        ("ruby", "def f\n  ▮\nend", "function f"),
        ("php", "<?php\nclass A {\n  function f() {\n    $g = function () {\n      ▮\n    };\n  }\n}",
         "class A > function f > function -"),
        ("shellscript", "f() {\n  if true; then\n    ▮\n  fi\n}", "function f"),
        ("shellscript", "function f {\n  ▮\n}", "function f"),
        ("css", "@media print {\n  .a > b {\n    ▮\n  }\n}", "class - > class .a > b"),
        ("html", "<html><body>▮</body></html>", ""),
        ("json", '{"a": [▮]}', ""),
    ],
)  # fmt: skip
def test_the_definitions_around_a_cursor(language: str, code: str, expected: str) -> None:
    assert path(by_tree(code, language)[1]) == expected


@pytest.mark.parametrize(
    ("language", "code", "expected"),
    [
        ("python", "x = 1  # no▮te", "comment"),
        ("python", "x = 1  # note  ▮", "comment"),
        ("python", "x = 1  # note\n▮", "code"),
        ("python", "x = '▮'", "string"),
        ("python", "x = 'a'▮", "code"),
        ("python", "x = ▮'a'", "code"),
        ("python", "x = 'a▮", "string"),
        ("python", "x = f'a{b▮}c'", "code"),
        ("python", "x = f'a{b}c▮'", "string"),
        ("python", "x = f'a{d[\"▮\"]}c'", "string"),
        ("python", '"""Doc\n  ▮\n"""', "string"),
        ("python", 'x = """a\n▮', "string"),
        ("python", "x = 'a'  # 'b▮", "comment"),
        ("javascript", "x = `a ▮`", "string"),
        ("javascript", "x = `a ${▮b}`", "code"),
        ("javascript", "x = 'a▮\ny = 2", "string"),
        ("javascript", "/* a ▮ */", "comment"),
        ("javascript", "/* a */▮", "code"),
        ("javascript", "/* a ▮", "comment"),
        ("javascript", "x = 1; // a▮\ny", "comment"),
        ("typescript", "/**\n * a▮\n */\nfunction f() {}", "comment"),
        ("go", "x := `a\n▮`", "string"),
        ("rust", "/// a▮\nfn f() {}", "comment"),
        ("rust", "/// a\n▮fn f() {}", "code"),
        ("rust", "fn f<'a▮>() {}", "code"),
        ("rust", "fn f() { println!(\"▮\"); }", "string"),
        ("java", 'class A { String a = "▮"; }', "string"),
        ("c", '#include "▮"', "string"),
        ("csharp", 'class A { string a = $"b{c▮}"; }', "code"),
        ("ruby", 'x = "a#{b▮}"', "code"),
        ("ruby", "# a▮", "comment"),
        ("php", "<?php\n// a▮\n", "comment"),
        ("php", "<?php\n$x = 'a▮';\n", "string"),
        ("shellscript", 'echo "a ▮"', "string"),
        ("shellscript", 'echo "a $(b ▮)"', "code"),
        ("html", "<!-- a▮ -->", "comment"),
        ("html", '<a href="▮">', "string"),
        ("css", "/* a▮ */", "comment"),
        ("json", '{"a▮": 1}', "string"),
    ],
)  # fmt: skip
def test_comments_and_strings(language: str, code: str, expected: str) -> None:
    assert place(by_tree(code, language)[1]) == expected
