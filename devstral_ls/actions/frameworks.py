"""FRAMEWORKS: where the tests of a language's projects live and how they begin, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Framework:
    """One row. In texts ``{name}`` is what is tested, ``{Name}`` the same capitalized, ``{stem}`` and ``{Stem}`` the
    file's name without its ending, ``{module}`` how tests import it, ``{package}`` the package clause, ``{ext}`` the
    ending.
    """

    name: str
    """For the model and for people."""
    languages: tuple[str, ...]
    marks: tuple[tuple[str, str], ...]
    """A file of the project and what it must contain (empty: anything): one of them says that it is used."""
    places: tuple[str, ...]
    """Paths of a test file, relative to the folder of the code (``./``) or to the root; the first that is there is
    added to, else the first one whose folder is there is made, else the last one.
    """
    opening: str
    """How a new file begins; the model goes on from there."""
    more: str
    """How further tests begin in a file that has some."""
    closing: str = ""
    """What ends what the model wrote."""


_JS = ("javascript", "typescript", "typescriptreact")
_JS_PLACES = ("./{stem}.test.{ext}", "./__tests__/{stem}.test.{ext}", "tests/{stem}.test.{ext}", "./{stem}.test.{ext}")
_JS_OPENING = 'import {{ {name} }} from "{module}";\n\ndescribe("{name}", () => {{\n  it("'
_JS_MORE = 'describe("{name}", () => {{\n  it("'

FRAMEWORKS: tuple[Framework, ...] = (
    Framework(
        "pytest",
        ("python",),
        (
            ("pytest.ini", ""),
            ("conftest.py", ""),
            ("tests/conftest.py", ""),
            ("pyproject.toml", "pytest"),
            ("setup.cfg", "pytest"),
            ("tox.ini", "pytest"),
            ("requirements-dev.txt", "pytest"),
            ("requirements.txt", "pytest"),
        ),
        ("tests/test_{stem}.py", "test/test_{stem}.py", "./test_{stem}.py"),
        "import pytest\n\nfrom {module} import {name}\n\n\ndef test_",
        "def test_",
    ),
    Framework(
        "unittest",
        ("python",),
        (),
        ("tests/test_{stem}.py", "test/test_{stem}.py", "./test_{stem}.py"),
        "import unittest\n\nfrom {module} import {name}\n\n\nclass {Name}Test(unittest.TestCase):\n    def test_",
        "class {Name}Test(unittest.TestCase):\n    def test_",
    ),
    Framework(
        "vitest",
        _JS,
        (("vitest.config.ts", ""), ("vitest.config.js", ""), ("vitest.config.mts", ""), ("package.json", '"vitest"')),
        _JS_PLACES,
        'import {{ describe, expect, it }} from "vitest";\n' + _JS_OPENING,
        _JS_MORE,
    ),
    Framework(
        "Jest",
        _JS,
        (("jest.config.js", ""), ("jest.config.ts", ""), ("jest.config.cjs", ""), ("package.json", '"jest"')),
        _JS_PLACES,
        _JS_OPENING,
        _JS_MORE,
    ),
    Framework(
        "Mocha",
        _JS,
        ((".mocharc.json", ""), (".mocharc.js", ""), (".mocharc.yml", ""), ("package.json", '"mocha"')),
        ("test/{stem}.test.{ext}", "./{stem}.test.{ext}"),
        'import assert from "node:assert";\n' + _JS_OPENING,
        _JS_MORE,
    ),
    Framework(
        "node:test",
        _JS,
        (),
        ("test/{stem}.test.{ext}", "./{stem}.test.{ext}"),
        'import assert from "node:assert";\nimport {{ test }} from "node:test";\n'
        'import {{ {name} }} from "{module}";\n\ntest("',
        'test("',
    ),
    Framework(
        "go test",
        ("go",),
        (),
        ("./{stem}_test.go",),
        '{package}\n\nimport "testing"\n\nfunc Test{Name}(t *testing.T) {{\n',
        "func Test{Name}More(t *testing.T) {{\n",
    ),
    Framework(
        "cargo test",
        ("rust",),
        (),
        ("./{stem}.rs",),
        "",
        "#[cfg(test)]\nmod {name}_tests {{\n    use super::*;\n\n    #[test]\n    fn ",
    ),
    Framework(
        "JUnit 5",
        ("java",),
        (),
        ("src/test/java/{Stem}Test.java", "./{Stem}Test.java"),
        "{package}\n\nimport static org.junit.jupiter.api.Assertions.*;\n\nimport org.junit.jupiter.api.Test;\n\n"
        "class {Stem}Test {{\n    @Test\n    void ",
        "",
    ),
)  # fmt: skip
"""In the order in which they are tried; a row without marks takes what is left of its languages."""


def rows_of(language: str) -> Sequence[Framework]:
    """The frameworks of a language, in order."""
    return [row for row in FRAMEWORKS if language in row.languages]
