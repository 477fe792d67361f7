"""Doc comments, types, tests, reviews and explanations."""

from __future__ import annotations

import pytest

from devstral_ls.actions.query import FileEdit
from devstral_ls.errors import PromptTooLong
from devstral_ls.testing.scripted_engine import ScriptedEngine, plain
from tests.actions.bench import act, n_errors

# --- document ---

DOCUMENTED = [
    (
        "python",
        "def f(a):▮\n    return a\n",
        "Give it back.\n\n    Args:\n        a: a value.\n    ",
        'def f(a):\n    """Give it back.\n\n    Args:\n        a: a value.\n    """\n    return a\n',
    ),
    ("python", "class A:\n  x = 1▮\n", "A thing.", 'class A:\n  """A thing."""\n  x = 1\n'),
    ("python", "def f(a):▮\n    return a\n", "Give \\n back.", 'def f(a):\n    r"""Give \\n back."""\n    return a\n'),
    (
        "typescript",
        "export function f(a: number) {▮\n  return a;\n}\n",
        " Gives it back.\n * @param a a value\n ",
        "/**\n * Gives it back.\n * @param a a value\n */\nexport function f(a: number) {\n  return a;\n}\n",
    ),
    (
        "java",
        "class A {\n    @Override\n    int f() {▮\n        return 1;\n    }\n}\n",
        " Gives one.\n     * @return one\n     ",
        "class A {\n    /**\n     * Gives one.\n     * @return one\n     */\n    @Override\n    int f() {\n        return 1;\n    }\n}\n",
    ),
    (
        "go",
        "package p\n\nfunc Add(a int) int {▮\n\treturn a\n}\n",
        " gives it back.\n// It never fails.\nfunc Add(a int) int {\n",
        "package p\n\n// Add gives it back.\n// It never fails.\nfunc Add(a int) int {\n\treturn a\n}\n",
    ),
    (
        "rust",
        "fn f() -> i32 {▮\n    1\n}\n",
        " Gives one.\nfn f() -> i32 {",
        "/// Gives one.\nfn f() -> i32 {\n    1\n}\n",
    ),
]


@pytest.mark.parametrize(("language", "code", "says", "becomes"), DOCUMENTED)
async def test_a_doc_comment_goes_where_the_language_has_it(language: str, code: str, says: str, becomes: str) -> None:
    done = await act("document", code, says, language)
    assert done.text == becomes
    assert n_errors(done.text, language) == 0


async def test_a_model_that_goes_on_with_code_changes_none() -> None:
    done = await act("document", "def f(a):▮\n    return a\n", 'Give it back."""\n    return a + 1\n')
    assert done.text == 'def f(a):\n    """Give it back."""\n    return a\n'


@pytest.mark.parametrize(
    ("code", "language", "why"),
    [
        ('def f():▮\n    """There."""\n', "python", "it has a doc comment already"),
        ("def f(): return 1▮\n", "python", "its body is on the header's line"),
        ("// F is.\nfunc F() {▮\n}\n", "go", "it has a doc comment already"),
        ("x = 1▮\n", "python", "the cursor is in no function"),
    ],
)
async def test_what_cannot_be_documented(code: str, language: str, why: str) -> None:
    done = await act("document", code, "A thing.", language)
    assert done.refused.endswith(why)
    assert done.engine.requests == []


# --- types ---


@pytest.mark.parametrize(
    ("language", "code", "says", "becomes"),
    [
        ("python", "def f(a, b=1):▮\n    return a\n", "(a: int, b: int = 1) -> int:\n    return a + 1\n", "def f(a: int, b: int = 1) -> int:\n    return a\n"),
        ("python", "@d\nasync def f(a):▮\n    return a\n", "(a: dict[str, int]) -> int:", "@d\nasync def f(a: dict[str, int]) -> int:\n    return a\n"),
        ("typescript", "class A {\n  push(item) {▮\n    this.x(item);\n  }\n}\n", "(item: number): void {\n    this", "class A {\n  push(item: number): void {\n    this.x(item);\n  }\n}\n"),
    ],
)  # fmt: skip
async def test_only_the_header_gets_types(language: str, code: str, says: str, becomes: str) -> None:
    assert (await act("types", code, says, language)).text == becomes


@pytest.mark.parametrize(
    ("says", "refused"),
    [
        ("(a: int, b: int = 2) -> int:\n", "the model's header changes more than types"),
        ("(a, b=1):\n", "the model's header has no new types"),
        ("(a: List[int], b: int = 1) -> int:\n", "the model's header uses names that are not imported: List"),
        ("(a: int, b: int = 1", "the model wrote no header"),
        ("I cannot do that.", "the model wrote no header"),
    ],
)
async def test_a_header_that_changes_more_is_refused(says: str, refused: str) -> None:
    done = await act("types", "def f(a, b=1):▮\n    return a\n", says)
    assert done.refused.startswith(refused)
    assert len(done.engine.requests) == 2


async def test_go_has_no_types_to_add() -> None:
    done = await act("types", "package p\n\nfunc F(a int) {▮\n}\n", "", "go")
    assert done.refused == "`F`: Go has no types that could be added"


# --- tests ---

PY = "def total(v):▮\n    return sum(v)\n"


@pytest.mark.parametrize(
    ("language", "code", "files", "says", "made"),
    [
        ("python", PY, {"pyproject.toml": "[tool.pytest]", "tests/test_x.py": ""}, "total() -> None:\n    assert total([1]) == 1\n```",
         FileEdit("tests/test_prices.py", "import pytest\n\nfrom prices import total\n\n\ndef test_total() -> None:\n    assert total([1]) == 1\n", None)),
        ("python", PY, {}, "total(self):\n        self.assertEqual(total([1]), 1)\n```",
         FileEdit("src/test_prices.py", "import unittest\n\nfrom prices import total\n\n\nclass TotalTest(unittest.TestCase):\n    def test_total(self):\n        self.assertEqual(total([1]), 1)\n", None)),
        ("python", PY, {"conftest.py": "", "tests/test_prices.py": "import pytest\n"}, "total():\n    assert total([]) == 0\n```",
         FileEdit("tests/test_prices.py", "\n\n\ndef test_total():\n    assert total([]) == 0\n", 13, "import pytest\n")),
        ("typescript", "export function add(a, b) {▮\n  return a + b;\n}\n", {"package.json": '{"devDependencies": {"vitest": "1"}}'},
         'adds", () => {\n    expect(add(1, 2)).toBe(3);\n  });\n});\n```',
         FileEdit("src/prices.test.ts", 'import { describe, expect, it } from "vitest";\nimport { add } from "./prices";\n\ndescribe("add", () => {\n  it("adds", () => {\n    expect(add(1, 2)).toBe(3);\n  });\n});\n', None)),
        ("go", "package p\n\nfunc Add(a int) int {▮\n\treturn a\n}\n", {}, "\tif Add(1) != 1 {\n\t\tt.Fail()\n\t}\n}\n```",
         FileEdit("src/prices_test.go", 'package p\n\nimport "testing"\n\nfunc TestAdd(t *testing.T) {\n\tif Add(1) != 1 {\n\t\tt.Fail()\n\t}\n}\n', None)),
    ],
)  # fmt: skip
async def test_tests_go_to_the_projects_own_place(language: str, code: str, files: dict[str, str], says: str, made: FileEdit) -> None:  # fmt: skip
    done = await act("tests", code, says, language, files=files)
    assert done.result is not None, done.refused
    assert done.result.files == (made,)


@pytest.mark.parametrize("before", ["", "\n", "  \n\n"])
async def test_tests_for_an_empty_file_begin_with_its_imports(before: str) -> None:
    files = {"pytest.ini": "", "tests/test_prices.py": before}
    done = await act("tests", PY, "total():\n    assert total([]) == 0\n```", files=files)
    assert done.result is not None, done.refused
    text = "import pytest\n\nfrom prices import total\n\n\ndef test_total():\n    assert total([]) == 0\n"
    assert done.result.files == (FileEdit("tests/test_prices.py", text, 0, before),)
    assert done.result.outcome == "wrote tests for `total` in tests/test_prices.py"


async def test_rust_tests_go_to_the_end_of_the_same_file() -> None:
    code = "fn one() -> i32 {▮\n    1\n}\n"
    done = await act("tests", code, "is_one() {\n        assert_eq!(one(), 1);\n    }\n}\n```", "rust")
    assert done.text.startswith("fn one() -> i32 {\n    1\n}\n\n\n#[cfg(test)]\nmod one_tests {\n    use super::*;\n")
    assert n_errors(done.text, "rust") == 0


@pytest.mark.parametrize(
    ("says", "refused"),
    [
        ("total(:\n    assert\n```", "the model's test code does not parse"),
        ("", "the model's test code is empty"),
        ("x(self):\n        pass\n```", "the model's test code does not test `total`"),
    ],
)
async def test_tests_that_cannot_be_used_are_refused(says: str, refused: str) -> None:
    assert (await act("tests", PY, says)).refused.startswith(refused)


# --- review ---

BUGGY = "def last(v):▮\n    # the last one\n    return v[len(v)]\n"


async def test_a_repair_is_a_finding_with_a_quick_fix() -> None:
    says = ["    # the last one\n    return v[len(v) - 1]\n```", "off-by-one: indices begin at zero"]
    done = await act("review", BUGGY, says)
    assert done.result is not None
    (finding,) = done.result.findings
    assert (finding.line, finding.severity, finding.code) == (2, "error", "off-by-one")
    assert finding.message == "indices begin at zero"
    assert finding.fix == "    return v[len(v) - 1]"
    assert finding.related is not None


@pytest.mark.parametrize(
    "says",
    [
        "    # the last one\n    return v[len(v)]\n```",  # as it was
        "    # the very last one\n    return v[len(v)]\n```",  # a comment
        "    return v[len(v)]\n```",  # a comment less
        "    # the last one\n    return  v[ len(v) ]\n```",  # white space
        "    # the last one\n    return v[len(v\n```",  # does not parse
    ],
)
async def test_what_changes_no_code_is_no_finding(says: str) -> None:
    done = await act("review", BUGGY, says)
    assert done.result is not None
    assert done.result.findings == ()


@pytest.mark.parametrize("says", ["", "```python\nx = 1\ny = 2\nz = 3\na = 4\nb = 5\nc = 6\nd = 7\n```"])
async def test_a_review_that_rewrites_everything_is_refused(says: str) -> None:
    done = await act(
        "review", "def f(a):▮\n" + "".join(f"    a = a + {n}\n" for n in range(9)) + "    return a\n", says
    )
    assert done.refused == "the model wrote no code that could be compared"


async def test_without_a_sentence_the_finding_says_what_to_write() -> None:
    done = await act("review", BUGGY, ["    # the last one\n    return v[-1]\n```", ""])
    assert done.result is not None
    assert done.result.findings[0].message == "this looks wrong; it may have to be `return v[-1]`"


async def test_a_file_is_reviewed_function_by_function() -> None:
    code = "▮\nimport os\n\n\ndef one():\n    return 1\n\n\ndef two():\n    return 2\n"
    done = await act("review", code, lambda request: plain(request).rpartition("The code of")[2].split("```")[1][7:])
    assert len(done.engine.requests) == 2
    assert ["def one" in plain(request).rpartition("The code of")[2] for request in done.engine.requests] == [
        True,
        False,
    ]


# --- explain ---


@pytest.mark.parametrize(
    ("says", "markdown"),
    [
        ("It adds up.\n", "It adds up.\n"),
        ("Like so:\n```python\nsum(v)\n", "Like so:\n```python\nsum(v)\n```\n"),
    ],
)
async def test_an_explanation_is_markdown(says: str, markdown: str) -> None:
    done = await act("explain", PY, says)
    assert done.result is not None
    assert done.result.markdown == markdown


async def test_an_explanation_of_nothing_is_refused() -> None:
    assert (await act("explain", PY, "  \n")).refused == "the model wrote nothing"


@pytest.mark.parametrize("action", ["simplify", "document", "types", "tests", "review", "explain"])
async def test_a_prompt_too_long_for_the_engine_is_refused_with_the_target_named(action: str) -> None:
    engine = ScriptedEngine()
    engine.error = PromptTooLong(5_000, 4_096)
    done = await act(action, "def first(a):▮\n    return a\n", "", engine=engine)
    assert done.refused == "`first` is too long for scripted"
