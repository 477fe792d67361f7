"""What users of such tools complain about, as cases with a cursor: the text that is shown, and the work behind it.

The names in the comments are the projects and issues where somebody did; see ``peers.md`` of the design notes.
"""

from __future__ import annotations

import asyncio

import pytest

from devstral_ls.settings.tree import InlineSettings, Settings
from devstral_ls.suggest.pipeline import Suggester
from devstral_ls.suggest.trace import Reason
from devstral_ls.testing.scripted_engine import ScriptedEngine, plain
from tests.suggest.test_accepted import accepted
from tests.suggest.test_going_on import Typist
from tests.suggest.test_inline import Desk, shown

TEXT = [
    # vscode-copilot-release#11402, continue#4721: the lines that follow are written once more.
    ("python", "def f(a):\n    ▮\n    return a\n", "a += 1\n    return a\n", "def f(a):\n    a += 1\n    return a\n"),
    ("typescript", "function f() {\n  ▮\n  return a;\n}\n", "const a = 1;\n  return a;\n}\n", "function f() {\n  const a = 1;\n  return a;\n}\n"),
    ("python", "x = 1\n▮\ny = 2\nz = 3\n", "y = 2\nz = 3\n", "x = 1\n\ny = 2\nz = 3\n"),
    # copilot-cmp#22: a second closing bracket.
    ("python", "print(f(▮))\n", "x))", "print(f(x))\n"),
    ("lua", "print(▮)\n", "x)", "print(x)\n"),
    # copilot.el#133: the last character twice.
    ("javascript", "foo(a▮);\n", ", b);", "foo(a, b);\n"),
    ("python", "x = [1, 2▮]\n", ", 3]", "x = [1, 2, 3]\n"),
    # vscode#187151: quotes that the editor closed.
    ("javascript", "const a = '▮';\n", "b';", "const a = 'b';\n"),
    ("python", 'open("▮")\n', 'a.txt")', 'open("a.txt")\n'),
    ("go", 'fmt.Println("▮")\n', 'hi")', 'fmt.Println("hi")\n'),
    # tabby#3263: the width of the indentation; llama.vscode#39, llama.vim PR #51: the first line's.
    ("python", "def f():\n  ▮\n", "a = 1\n  return a\n", "def f():\n  a = 1\n  return a\n"),
    ("go", "func f() int {\n\t▮\n}\n", "a := 1\n\treturn a\n}\n", "func f() int {\n\ta := 1\n\treturn a\n}\n"),
    ("python", "class A:\n    def f(self):\n        ▮\n", "a = 1\n        return a\n", "class A:\n    def f(self):\n        a = 1\n        return a\n"),
    # tabby#3261: a space in front.
    ("python", "print(▮)\n", " x", "print(x)\n"),
    ("python", "x[▮]\n", " 0", "x[0]\n"),
    # cody#5581, neovim#32972: lines but the first are not indented again.
    ("javascript", "if (a) {\n    ▮\n}\n", "b();\n    c();\n}\n", "if (a) {\n    b();\n    c();\n}\n"),
    # zed#9133, copilot-intellij#1775, vscode#313003: code in comments, and comments that spill into code.
    ("python", "# say ▮\nx = 1\n", "hello\nx = 1\n", "# say hello\nx = 1\n"),
    ("c", "// say ▮\nint x;\n", "hello\nint x;\n", "// say hello\nint x;\n"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "code", "says", "expected"), TEXT)
async def test_the_text_that_stands_there_after_it_is_taken(language: str, code: str, says: str, expected: str) -> None:
    assert await accepted(code, says, language) == expected


@pytest.mark.parametrize("code", ["x = foo(▮a, b)\n", "foo▮bar()\n", "if a▮ and b:\n"])
async def test_code_right_of_the_cursor_is_not_covered(code: str) -> None:
    """copilot.lua#328: ghost text hides the text behind the cursor; nothing is suggested there by itself."""
    outcome = await Desk(ScriptedEngine("c")).ask(code)
    assert outcome.trace.reason in {Reason.MID_WORD, Reason.TEXT_AFTER_CURSOR}


async def test_a_suggestion_does_not_stay_when_something_else_is_typed() -> None:
    """copilot.lua#268, #647: ghost text that is stuck."""
    desk = Desk(ScriptedEngine("foo(bar)"))
    await desk.ask("x = ▮\n")
    desk.engine.says = ""
    assert shown(await desk.ask("x = 1▮\n")) == ""


# --- latency and CPU ---


async def test_somebody_who_types_in_full_flow_costs_one_request() -> None:
    """llama.vscode#161, tabby#2902, llm-vscode PR #103, continue PR #2935: a request goes out for each key."""
    waiting: list[asyncio.Future[None]] = []
    all_wait = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        mine = asyncio.get_running_loop().create_future()
        waiting.append(mine)
        if len(waiting) == 5:
            all_wait.set()
        await mine

    desk = Desk(ScriptedEngine("1"))
    desk.suggester = Suggester(desk.engine, clock=lambda: 0.0, sleep=sleep)
    keys = [asyncio.create_task(desk.ask(f"{'value'[:n]}▮\n")) for n in range(1, 6)]
    await asyncio.wait_for(all_wait.wait(), 5)
    waiting[-1].set_result(None)
    outcomes = [await key for key in keys]
    assert [outcome.trace.reason for outcome in outcomes] == [Reason.SUPERSEDED] * 4 + [Reason.SHOWN]
    assert len(desk.engine.requests) == 1


async def test_requests_do_not_pile_up_behind_a_slow_model() -> None:
    """continue PR #2935, llama.*: the engine works off requests that nobody waits for any more."""
    desk = Typist()
    for n in range(5):
        await desk.types(f"x{n} = ▮\n")
    assert (len(desk.engine.requests), desk.engine.n_cancelled) == (5, 4)
    desk.engine.write("1", None)
    assert shown(await desk.asked[-1]) == "1"


async def test_typing_on_does_not_drop_what_the_model_is_working_on() -> None:
    """ellama PR #277, tabby#3367: each key begins anew, so that no answer ever comes."""
    desk = Typist()
    keys = [await desk.types(f"x = {'foo(bar)'[:n]}▮\n") for n in range(8)]
    desk.engine.write("foo(bar)", None)
    assert shown(await keys[-1]) == ")"
    assert len(desk.engine.requests) == 1


@pytest.mark.parametrize("n_lines", [16_000, 40_000])
async def test_a_long_file_gives_a_prompt_of_the_usual_size(n_lines: int) -> None:
    """continue#2202, llm.nvim#83: 1.3 MB and 16,000 lines, and a long wait after Enter."""
    desk = Desk(ScriptedEngine("1"), Settings(inline=InlineSettings(prefetch=False)))
    code = "".join(f"value_{n} = compute({n})\n" for n in range(n_lines))
    assert shown(await desk.ask(f"{code}x = ▮\n{code}")) == "1"
    assert len(plain(desk.engine.requests[0])) < 8_000


async def test_one_line_ends_the_reading_at_its_end() -> None:
    """llama.vim PR #65: what is not shown need not be written."""
    desk = Desk(ScriptedEngine("1\n" + "y = 2\n" * 50))
    assert shown(await desk.ask("x = ▮\n")) == "1"
    assert desk.engine.n_cancelled == 1
