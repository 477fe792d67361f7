"""Imports that a model writes in front of its code: dropped where the file has them, else put where imports are."""

from __future__ import annotations

import pytest

from tests.actions.bench import act, n_errors

LAST = "\n\ndef last():\n    return os\n"
CODE = f"import os\n\n\ndef first(a):▮\n    return a * 2\n{LAST}"


def fenced(code: str) -> str:
    return f"```\n{code}\n```"


async def rewritten(code: str, says: str, language: str = "python") -> str:
    done = await act("rewrite", code, fenced(says), language, instruction="use more of the library")
    assert n_errors(done.text, language) == 0
    return done.text


@pytest.mark.parametrize(
    ("says", "becomes"),
    [
        ("import os\n\n\ndef first(a):\n    return os.fspath(a)", "import os\n\n\ndef first(a):\n    return os.fspath(a)\n"),
        (
            "import math\nimport os\n\n\ndef first(a):\n    return math.pi * a",
            "import os\nimport math\n\n\ndef first(a):\n    return math.pi * a\n",
        ),
        (
            "# The function\nfrom functools import cache\n\n\n@cache\ndef first(a):\n    return a",
            "import os\nfrom functools import cache\n\n\n@cache\ndef first(a):\n    return a\n",
        ),
        ("import re\n\n\ndef first(a):\n    return a", "import os\n\n\ndef first(a):\n    return a\n"),
        ("def first(a):\n    import math\n    return math.pi", "import os\n\n\ndef first(a):\n    import math\n    return math.pi\n"),
    ],
    ids=["had", "new", "decorated", "unused", "inside"],
)  # fmt: skip
async def test_imports_do_not_stand_in_front_of_the_function(says: str, becomes: str) -> None:
    assert await rewritten(CODE, says) == becomes + LAST


@pytest.mark.parametrize(
    ("head", "becomes"),
    [
        ("", "import math\n\n\n"),
        ('"""A module."""\n\n\n', '"""A module."""\n\nimport math\n\n\n'),
        ("#!/usr/bin/env python\n# A licence.\n\n", "#!/usr/bin/env python\n# A licence.\n\nimport math\n\n"),
        ("# About the function.\n", "import math\n\n\n# About the function.\n"),
        ("from math import (\n    pi,\n)\nLIMIT = 1\n\n\n", "from math import (\n    pi,\n)\nimport math\nLIMIT = 1\n\n\n"),
        ("from __future__ import annotations\n\n", "from __future__ import annotations\nimport math\n\n"),
        ("try:\n    import json\nexcept ImportError:\n    json = None\n\n\n",
         "import math\n\n\ntry:\n    import json\nexcept ImportError:\n    json = None\n\n\n"),
    ],
    ids=["nothing", "docstring", "shebang", "comment", "imports", "future", "try"],
)  # fmt: skip
async def test_new_imports_go_where_imports_are(head: str, becomes: str) -> None:
    text = await rewritten(f"{head}def f(a):▮\n    return a\n", "import math\n\n\ndef f(a):\n    return math.floor(a)")
    assert text == f"{becomes}def f(a):\n    return math.floor(a)\n"


@pytest.mark.parametrize(
    ("language", "code", "says", "becomes"),
    [
        ("typescript", 'import { a, b } from "./ab";\n\nfunction f() {▮\n  return a;\n}\n',
         'import { b } from "./ab";\nimport { c } from "./c";\n\nfunction f() {\n  return c(b);\n}',
         'import { a, b } from "./ab";\nimport { c } from "./c";\n\nfunction f() {\n  return c(b);\n}\n'),
        ("go", 'package p\n\nimport (\n\t"fmt"\n)\n\nfunc F() {▮\n\tfmt.Println(1)\n}\n',
         'package p\n\nimport (\n\t"fmt"\n)\n\nfunc F() {\n\tfmt.Println(2)\n}',
         'package p\n\nimport (\n\t"fmt"\n)\n\nfunc F() {\n\tfmt.Println(2)\n}\n'),
        ("go", "package p\n\nfunc F() int {▮\n\treturn 1\n}\n",
         'package p\n\nimport "math"\n\nfunc F() int {\n\treturn math.MaxInt\n}',
         'package p\n\nimport "math"\n\nfunc F() int {\n\treturn math.MaxInt\n}\n'),
        ("java", "package p;\n\nimport java.util.List;\n\nclass A {\n    int f() {▮\n        return 1;\n    }\n}\n",
         "import java.util.Map;\n\nint f() {\n    return Map.of().size();\n}",
         "package p;\n\nimport java.util.List;\nimport java.util.Map;\n\nclass A {\n    int f() {\n        return Map.of().size();\n    }\n}\n"),
        ("rust", "use std::fmt;\n\nfn f() -> i32 {▮\n    1\n}\n",
         "use std::fmt;\nuse std::io::Write;\n\nfn f() -> i32 {\n    2\n}",
         "use std::fmt;\nuse std::io::Write;\n\nfn f() -> i32 {\n    2\n}\n"),
    ],
)  # fmt: skip
async def test_imports_of_other_languages(language: str, code: str, says: str, becomes: str) -> None:
    assert await rewritten(code, says, language) == becomes


async def test_carriage_returns_stay() -> None:
    code = CODE.replace("\n", "\r\n")
    text = await rewritten(code, "import math\n\n\ndef first(a):\n    return math.pi")
    assert text == f"import os\nimport math\n\n\ndef first(a):\n    return math.pi\n{LAST}".replace("\n", "\r\n")


async def test_imports_go_in_above_a_comment_with_the_instruction() -> None:
    done = await act(
        "rewrite",
        f"import os\n\n\n# devstral: use math\n{CODE[12:]}",
        fenced("import math\n\n\ndef first(a):\n    return math.pi"),
    )
    assert done.text == f"import os\nimport math\n\n\ndef first(a):\n    return math.pi\n{LAST}"


async def test_a_secret_between_the_imports_and_the_code_stays() -> None:
    secret = 'KEY = "ghp_' + "0aB1" * 9 + '"\n'
    code = f"import os\n\n{secret}\n\ndef first(a):▮\n    return a\n"
    text = await rewritten(code, "import math\n\n\ndef first(a):\n    return math.pi")
    assert text == f"import os\nimport math\n\n{secret}\n\ndef first(a):\n    return math.pi\n"


@pytest.mark.parametrize(
    ("says", "surplus"),
    [
        ("def first(a):\n    return a\n\n\nprint(first(1))", "print(first(1))"),
        ("LIMIT = 3\n\n\ndef first(a):\n    return LIMIT", "LIMIT = 3"),
        ("def first(a):\n    return a\n\n\ndef last():\n    return 1", "def last():"),
    ],
)
async def test_other_code_beside_the_function_is_refused(says: str, surplus: str) -> None:
    done = await act("rewrite", CODE, fenced(says), instruction="x")
    assert done.refused == f"the model wrote more than `first`: `{surplus}`"
    assert f"it wrote more than `first`: `{surplus}`" in str(done.engine.requests[1].prompt)


async def test_a_rewrite_may_split_the_function_and_rename_it() -> None:
    assert await rewritten(CODE, "def helper(a):\n    return a\n\n\ndef second(a):\n    return helper(a)") == (
        f"import os\n\n\ndef helper(a):\n    return a\n\n\ndef second(a):\n    return helper(a)\n{LAST}"
    )


async def test_a_fix_brings_the_import_that_it_needs() -> None:
    done = await act(
        "fix",
        CODE.replace("a * 2", "math.pi"),
        fenced("import math\n\n\ndef first(a):\n    return math.pi * 1"),
        problems=[(5, "math?")],
    )
    assert done.text == f"import os\nimport math\n\n\ndef first(a):\n    return math.pi * 1\n{LAST}"


async def test_imports_are_not_drawn_in_front_of_the_function() -> None:
    done = await act("rewrite", CODE, fenced("import math\n\n\ndef first(a):\n    return math.pi"), instruction="x")
    assert done.drafts
    assert not any("import" in draft.text for draft in done.drafts)
