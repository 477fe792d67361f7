"""Definitions around a cursor in half-typed code: what an editor asks about most of the time."""

from __future__ import annotations

import pytest

from tests.languages.places import by_lines, by_tree, path

CASES = [
    ("python", "def f(x):\n    ▮", "function f"),
    ("python", "class A:\n    def g(self):\n        ret▮", "class A > function g"),
    ("python", "class A:\n    def g(self):\n        return foo(▮\n\n    def h(self):\n        pass\n",
     "class A > function g"),
    ("python", "class A:\n    def g(self):\n        x = [1,\n             ▮\n\n    def h(self):\n        pass\n",
     "class A > function g"),
    ("python", "class A:\n    def g(self):\n        if x ▮\n        return 1\n", "class A > function g"),
    ("python", "class A:\n    def g(self):\n        try:\n            x = 1\n        ▮\n", "class A > function g"),
    ("python", "def f(a,\n      b):\n    for x in ▮", "function f"),
    ("python", "def f(\n    a,\n) -> int:\n    return {'a': ▮", "function f"),
    ("python", "def f():\n    x = 'unclosed ▮\n    return x\n\ndef g():\n    pass\n", "function f"),
    ("python", "@dec\nasync def f():\n    with open(a) as ▮\n", "function f"),
    ("python", "def broken(:\n    pass\n\nclass A:\n    def g(self):\n        self.▮\n", "class A > function g"),
    ("python", "class A:\n    def g(self):\n        x.\n\n    def h(self):\n        y.▮\n", "class A > function h"),
    ("typescript", "function f(x) {\n  ▮", "function f"),
    ("typescript", "function f(x) {\n  if (x) {▮", "function f"),
    ("typescript", "class A {\n  g(): void {\n    ret▮", "class A > function g"),
    ("typescript", "export class A<T> extends B {\n  private async g(x: T): Promise<void> {\n    await ▮\n\n  h() {}\n}\n",
     "class A > function g"),
    ("typescript", "export const f = async (x: number) => {\n  return x.▮", "function f"),
    ("typescript", "class A {\n  g() {\n    if (x) {\n      ▮\n  }\n\n  h() {\n  }\n}\n", "class A > function g"),
    ("typescript", "class A {\n  g() {\n    const x = {\n      a: ▮\n  }\n\n  h() {\n  }\n}\n", "class A > function g"),
    ("typescript", "function f() {\n  if (x) {\n}\n\nconst a = ▮\n", ""),
    ("typescript", "function f() {\n  if (x) {\n}\n\nfunction g() {\n  return ▮\n}\n", "function g"),
    ("typescript", "describe('x', () => {\n  it('y', async () => {\n    expect(▮\n  })\n", "function - > function -"),
    ("typescript", "interface A {\n  x: ▮\n", "class A"),
    ("javascript", "module.exports = {\n  f: function (x) {\n    ret▮", "function f"),
    ("javascript", "return new Promise((resolve, reject) => {\n  if (▮", "function -"),
    ("go", "package m\n\nfunc f(x int) {\n\tif x {\n\t\t▮", "function f"),
    ("go", "package m\n\nfunc (a *A) G() error {\n\tret▮", "function G"),
    ("go", "package m\n\nfunc f() {\n\tx := ▮\n}\n\nfunc g() {}\n", "function f"),
    ("go", "package m\n\nfunc f() {\n\tfor i := range ▮\n\nfunc g() {}\n", "function f"),
    ("go", "package m\n\nfunc f(\n\ta int,\n) error {\n\tswitch a {\n\tcase ▮\n", "function f"),
    ("go", "package m\n\nfunc f() {\n\tgo func() {\n\t\tx.▮\n", "function f > function -"),
    ("go", "package m\n\ntype A struct {\n\tx ▮\n", "class A"),
    ("go", "package m\n\nfunc f() {\n\tif x {\n}\n\nfunc g() {\n\treturn ▮\n}\n", "function g"),
    ("rust", "impl A {\n    fn f(&self) {\n        let x = ▮", "class A > function f"),
    ("rust", "impl B for A {\n    fn f(&self) {\n        let x = ▮\n    }\n", "class A > function f"),
    ("rust", "pub fn f(x: i32) -> i32 {\n    ret▮", "function f"),
    ("rust", "fn f<T>(x: T) -> i32\nwhere\n    T: X,\n{\n    x.▮", "function f"),
    ("rust", "fn f() {\n    match x {\n        Some(y) => ▮\n", "function f"),
    ("rust", "pub struct A {\n    pub x: ▮", "class A"),
    ("rust", "#[test]\nfn f() {\n    assert_eq!(▮\n}\n\nfn g() {}\n", "function f"),
    ("rust", "impl A {\n    pub async fn f(\n        &self,\n    ) -> u8 {\n        if let ▮\n", "class A > function f"),
    ("rust", "mod tests {\n    use super::*;\n    fn f() {\n        let v = vec![▮\n", "class tests > function f"),
    ("java", "class A {\n  void f() {\n    ret▮", "class A > function f"),
    ("java", "public class A {\n  @Override\n  public int f() throws X {\n    return ▮\n  }\n\n  void g() {}\n}\n",
     "class A > function f"),
    ("java", "class A {\n  void f() {\n    if (x) {\n      ▮\n", "class A > function f"),
    ("java", "class A {\n  A(int x) {\n    this.▮", "class A > function A"),
    ("java", "public interface I {\n  default int f() {\n    ▮", "class I > function f"),
    ("java", "class A {\n  void f() {\n    for (int i = 0; ▮\n  }\n}\n", "class A > function f"),
    ("java", "class A\n{\n  void f()\n  {\n    x.▮", "class A > function f"),
    ("java", "enum E {\n  A, B;\n  int f() {\n    switch (this) {\n      case ▮\n", "class E > function f"),
    ("java", "class A {\n  void f() {\n    run(() -> {\n      x(▮\n    });\n  }\n", "class A > function f > function -"),
    ("cpp", "class A {\npublic:\n  void f() {\n    ret▮", "class A > function f"),
    ("cpp", "int A::f(int x) {\n  if (x) {\n    ▮\n", "function A::f"),
    ("cpp", "int f()\n{\n  x = ▮\n}\nint g(){}", "function f"),
    ("cpp", "namespace n {\n\nint f(int x) {\n  return ▮\n\nint g() {\n}\n}\n", "class n > function f"),
    ("cpp", "template <typename T>\nT f(T x,\n    T y)\n{\n  std::▮\n}\n", "function f"),
    ("cpp", "struct A {\n  int x;\n  ~A() {\n    delete ▮\n", "class A > function ~A"),
    ("cpp", "void f() {\n  auto g = [&](int x) {\n    x.▮\n", "function f > function g"),
    ("cpp", "void f() {\n#ifdef X\n  g(▮\n#endif\n}\n", "function f"),
    ("cpp", "int f() {\n  if (x) {\n}\n\nint g() {\n  return ▮\n}\n", "function g"),
    ("cpp", "static int f(int a,\n             int b) {\n  if (x ▮", "function f"),
    ("typescript", "export function f(a: number,\n                  b: string): void {\n  const x = a ? ▮", "function f"),
    ("c", "static int f(struct s *x)\n{\n\tfor (;;) {\n\t\tx->▮\n", "function f"),
    ("c", "struct s {\n\tint ▮\n", "class s"),
    ("csharp", "namespace N\n{\n  class A\n  {\n    public int F(int x)\n    {\n      return ▮\n",
     "class N > class A > function F"),
    ("ruby", "class A\n  def f(x)\n    ▮\n", "class A > function f"),
    ("ruby", "module M\n  def self.f(x)\n    if x\n      y.▮\n", "class M > function self.f"),
    ("php", "<?php\nclass A {\n  public function f($x) {\n    return $▮\n", "class A > function f"),
    ("shellscript", "f() {\n  if x; then\n    ▮\n", "function f"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "code", "expected"), CASES)
def test_half_typed_code_keeps_its_definitions(language: str, code: str, expected: str) -> None:
    assert path(by_tree(code, language)[1]) == expected


@pytest.mark.parametrize(("language", "code", "expected"), CASES)
def test_indentation_alone_finds_them_too(language: str, code: str, expected: str) -> None:
    assert path(by_lines(code, language)[1]) == expected


@pytest.mark.parametrize(
    ("language", "code", "header"),
    [
        ("typescript", "class A {\n  @dec()\n  private g(x: T): void {\n    ret▮", "private g(x: T): void {"),
        ("python", "def f(a,\n      b):\n    for x in ▮", "def f(a,\n      b):"),
        ("cpp", "int f()\n{\n  x = ▮\n", "int f()\n{"),
        ("rust", "fn f<T>(x: T)\nwhere\n    T: X,\n{\n    x.▮", "fn f<T>(x: T)\nwhere\n    T: X,\n{"),
    ],
)
def test_a_header_is_whole_in_half_typed_code(language: str, code: str, header: str) -> None:
    for snapshot, found in (by_tree(code, language), by_lines(code, language)):
        assert snapshot.of(found.scopes[-1].header) == header


def test_imports_are_found_over_half_typed_code() -> None:
    code = "import { a } from 'a';\nimport b from 'b';\n\nclass A {\n  g(): void {\n    ret▮"
    snapshot, found = by_tree(code, "typescript")
    assert [snapshot.of(span) for span in found.imports] == ["import { a } from 'a';", "import b from 'b';"]
