"""What a name means in a file, found in another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstral_ls.retrieval.index.lookup import counterpart
from tests.retrieval.tree import found, library, write

AREA = "def area(w: float, h: float) -> float:\n    return w * h\n"
PY = "shapes.py:def area(w: float, h: float) -> float: ..."
JS = "export function area(w: number, h: number): number { return w * h }\n"
TS = "shapes.ts:export function area(w: number, h: number): number { ... }"


@pytest.mark.parametrize(
    ("files", "importer", "name", "expected"),
    [
        ({"shapes.py": AREA, "a.py": "from shapes import area\n"}, "a.py", "area", PY),
        ({"shapes.py": AREA, "a.py": "from shapes import area as size\n"}, "a.py", "size", PY),
        ({"shapes.py": AREA, "a.py": "from shapes import (\n    other,  # no\n    area,\n)\n"}, "a.py", "area", PY),
        ({"shapes.py": AREA, "a.py": "import shapes\n"}, "a.py", "shapes.area", PY),
        ({"shapes.py": AREA, "a.py": "import shapes as s\n"}, "a.py", "s.area", PY),
        ({"p/shapes.py": AREA, "p/a.py": "from .shapes import area\n"}, "p/a.py", "area", "p/" + PY),
        ({"p/shapes.py": AREA, "p/q/a.py": "from ..shapes import area\n"}, "p/q/a.py", "area", "p/" + PY),
        ({"p/shapes.py": AREA, "a.py": "from p import shapes\n"}, "a.py", "shapes.area", "p/" + PY),
        ({"src/p/shapes.py": AREA, "tests/a.py": "from p.shapes import area\n"}, "tests/a.py", "area", "src/p/" + PY),
        # a package that only passes the name on
        (
            {"p/shapes.py": AREA, "p/__init__.py": "from .shapes import area\n", "a.py": "from p import area\n"},
            "a.py",
            "area",
            "p/" + PY,
        ),
        ({"shapes.py": AREA, "a.py": "from shapes import other\n"}, "a.py", "area", ""),
        ({"shapes.py": "class A:\n    def go(self, n: int): pass\n", "a.py": "from shapes import A\n"}, "a.py", "A.go",
         "shapes.py:def go(self, n: int): ..."),
        ({"shapes.ts": JS, "a.ts": "import { area } from './shapes'\n"}, "a.ts", "area", TS),
        ({"shapes.ts": JS, "a.ts": "import { area as size } from './shapes.js'\n"}, "a.ts", "size", TS),
        ({"shapes.ts": JS, "a.tsx": "import * as s from './shapes'\n"}, "a.tsx", "s.area", TS),
        ({"shapes.ts": JS, "a.js": "const { area } = require('./shapes')\n"}, "a.js", "area", TS),
        ({"shapes.ts": JS, "a.js": "const s = require('./shapes')\n"}, "a.js", "s.area", TS),
        ({"src/lib/shapes.ts": JS, "src/x/a.ts": "import { area } from '@/lib/shapes'\n"}, "src/x/a.ts", "area",
         "src/lib/" + TS),
        ({"lib/shapes.ts": JS, "lib/index.ts": "export * from './shapes'\n", "a.ts": "import { area } from './lib'\n"},
         "a.ts", "area", "lib/" + TS),
        ({"go.mod": "module ex.org/m\n", "geo/g.go": "package geo\n\nfunc Area(w, h float64) float64 { return w * h }\n",
          "a.go": 'package main\n\nimport "ex.org/m/geo"\n'}, "a.go", "geo.Area",
         "geo/g.go:func Area(w, h float64) float64 { ... }"),
        ({"g.go": "package main\n\nfunc area(w, h int) int { return w * h }\n", "a.go": "package main\n"}, "a.go", "area",
         "g.go:func area(w, h int) int { ... }"),
        ({"src/lib.rs": "mod geo;\nuse crate::geo::area;\n", "src/geo.rs": "pub fn area(w: f64, h: f64) -> f64 { w * h }\n"},
         "src/lib.rs", "area", "src/geo.rs:pub fn area(w: f64, h: f64) -> f64 { ... }"),
        ({"src/x/mod.rs": "use super::geo::{area, Other};\n", "src/geo.rs": "pub fn area(w: f64) -> f64 { w }\n"},
         "src/x/mod.rs", "area", "src/geo.rs:pub fn area(w: f64) -> f64 { ... }"),
        ({"src/lib.rs": "mod geo;\n", "src/geo/mod.rs": "pub fn area(w: f64) -> f64 { w }\n"},
         "src/lib.rs", "geo::area".replace("::", "."), "src/geo/mod.rs:pub fn area(w: f64) -> f64 { ... }"),
        ({"src/main/java/a/G.java": "package a;\npublic record G(int w) {}\n",
          "src/main/java/b/A.java": "package b;\nimport a.G;\nclass A {}\n"}, "src/main/java/b/A.java", "G",
         "src/main/java/a/G.java:public record G(int w) {}"),
        ({"a/G.java": "package a;\nrecord G(int w) {}\n", "a/A.java": "package a;\nclass A {}\n"}, "a/A.java", "G",
         "a/G.java:record G(int w) {}"),
        ({"g.h": "static int area(int w) { return w; }\n", "a.c": '#include "g.h"\n'}, "a.c", "area",
         "g.h:static int area(int w) { ... }"),
    ],
)  # fmt: skip
def test_an_imported_name_is_found_where_it_is_defined(
    files: dict[str, str], importer: str, name: str, expected: str, tmp_path: Path
) -> None:
    assert found(write(tmp_path, files), importer, name) == expected


def test_a_name_that_nothing_imports_is_found_by_the_table_nearest_first(tmp_path: Path) -> None:
    write(tmp_path, {"x/far.py": "def area(far): pass\n", "p/near.py": "def area(near): pass\n", "p/a.py": ""})
    assert found(tmp_path, "p/a.py", "area", by_name=True) == "p/near.py:def area(near): ..."


def test_a_name_that_everybody_defines_says_nothing(tmp_path: Path) -> None:
    write(tmp_path, {f"f{number}.py": "def main(): pass\n" for number in range(20)} | {"a.py": ""})
    assert found(tmp_path, "a.py", "main", by_name=True) == ""


def test_two_files_that_pass_a_name_on_to_each_other_end(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "from b import x\n", "b.py": "from c import x\n", "c.py": "from b import x\n"})
    assert found(tmp_path, "a.py", "x") == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tests/test_shapes.py", "src/shapes.py"),
        ("shapes_test.go", "shapes.go"),
        ("src/shapes.test.ts", "src/shapes.ts"),
        ("src/shapes.spec.ts", "src/shapes.ts"),
        ("src/test/ShapesTest.java", "src/main/Shapes.java"),
        ("spec/shapes_spec.rb", "lib/shapes.rb"),
    ],
)
def test_a_test_and_its_subject_know_each_other(one: str, other: str, tmp_path: Path) -> None:
    text = {
        ".py": "def f(): pass\n",
        ".go": "package a\nfunc f() {}\n",
        ".ts": "function f() {}\n",
        ".java": "class F {}\n",
        ".rb": "def f\n  1\nend\n",
    }[Path(one).suffix]
    write(tmp_path, {one: text, other: text, "unrelated" + Path(one).suffix: text})
    made, names = library(tmp_path)
    for there, back in ((one, other), (other, one)):
        paths = {definition.path for definition in counterpart(made, names, str(tmp_path / there))}
        assert paths == {str(tmp_path / back)}
