"""The comparison with and without speculation: what is asked, and what is made of the answers."""

from __future__ import annotations

from benchmarks.actions import in_turns
from benchmarks.items import action_cases
from benchmarks.studies.speculation import Run, question, table
from devstral_ls.testing.scripted_engine import QWEN, plain


async def test_what_is_asked_is_what_the_fix_action_asks() -> None:
    case = in_turns([case for case in action_cases() if case.action == "fix"])[0]
    asked = plain(await question(case, QWEN))
    assert case.diagnostics[0].message in asked
    assert case.text[case.target.start : case.target.end] in asked


def test_only_cases_that_both_have_answered_are_compared() -> None:
    runs = [
        Run("a", 16, 40, 10, 2.0, 32, 24, "x"),
        Run("b", 16, 40, 10, 2.0, 32, 24, "x"),
        Run("a", 0, 40, 40, 4.0, 0, 0, "x"),
    ]
    without, with_ = table(runs).split("\n")
    assert without == "draft  0: 1 cases, 40 tokens in 40 batches, 10.0 tokens a second of one processor"
    assert with_ == (
        "draft 16: 1 cases, 40 tokens in 10 batches, 24 of 32 drafted taken, 20.0 tokens a second of one processor"
    )
