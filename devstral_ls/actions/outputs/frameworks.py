"""FRAMEWORKS: one row for each test framework, with the paths of its test files and how they begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Framework:
    """One row.

    Placeholders of its texts: ``{name}`` is the definition under test, ``{Name}`` the same capitalized, ``{stem}`` and
    ``{Stem}`` its file's name without the extension ``{ext}``, ``{module}`` the module that tests import, ``{package}``
    the package clause.
    """

    name: str
    """For the model and for people."""
    languages: tuple[str, ...]
    marks: tuple[tuple[str, str], ...]
    """Files of a project that uses the framework, and the text each must contain (empty: any); one suffices."""
    paths: tuple[str, ...]
    """Paths of a test file, relative to the folder of the code (``./``) or to the root.

    The first existing file is added to; else the first one whose folder exists is created, else the last one.
    """
    opening: str
    """The beginning of a new file, which the model continues."""
    more: str
    """The beginning of further tests in an existing file; empty: such a file cannot be added to."""


_JS = ("javascript", "typescript", "typescriptreact")
_JS_PATHS = ("./{stem}.test.{ext}", "./__tests__/{stem}.test.{ext}", "tests/{stem}.test.{ext}", "./{stem}.test.{ext}")
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
        _JS_PATHS,
        'import {{ describe, expect, it }} from "vitest";\n' + _JS_OPENING,
        _JS_MORE,
    ),
    Framework(
        "Jest",
        _JS,
        (("jest.config.js", ""), ("jest.config.ts", ""), ("jest.config.cjs", ""), ("package.json", '"jest"')),
        _JS_PATHS,
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
"""In the order in which they are tried; a row without marks is used where no other row of its languages is."""


def frameworks_of(language: str) -> Sequence[Framework]:
    """The frameworks of a language, in order."""
    return [row for row in FRAMEWORKS if language in row.languages]
