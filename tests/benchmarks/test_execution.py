"""Programs that a model may have written."""

from __future__ import annotations

import pytest

from benchmarks.execution import run

CASES = {
    "right": ("def f():\n    return 1", "assert f() == 1", True, ""),
    "wrong": ("def f():\n    return 2", "assert f() == 1", False, "AssertionError"),
    "does not parse": ("def f(:\n    return 1", "assert True", False, "SyntaxError"),
    "leaves early": ("import sys\nsys.exit(0)", "assert False", False, "ended with 0"),
    "says what is printed at the end": ("print('all-gr' + 'een')\nimport os\nos._exit(3)", "", False, "ended with 3"),
    "takes too much memory": ("x = bytearray(1 << 31)", "assert True", False, "MemoryError"),
    "has no input to wait for": ("input()", "assert True", False, "EOFError"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_program_is_right_only_where_its_test_ends(case: str) -> None:
    program, test, passed, said = CASES[case]
    ran = run(program, test)
    assert ran.passed is passed
    assert said in ran.said


def test_a_loop_without_end_is_ended() -> None:
    ran = run("while True:\n    pass", "", seconds=1)
    assert not ran.passed
    assert ran.said


def test_a_program_may_import_the_files_beside_it_and_only_those() -> None:
    files = {"shop/__init__.py": "", "shop/price.py": "CENTS = 3\n"}
    assert run("from shop.price import CENTS", "assert CENTS == 3", files=files).passed
    assert "shop" in run("from shop.price import CENTS", "assert CENTS == 3").said
