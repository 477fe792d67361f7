"""The benchmark of code actions: what it judges, and that a run goes on where it ended."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks import actions
from benchmarks.actions import Outcome, in_turns, judge_edit, read, table, touches_only, violations
from benchmarks.items import action_cases
from devstral_ls.text import Edit, Span

CASES = list(action_cases())


def test_there_are_at_least_sixty_cases_and_a_part_has_something_of_all() -> None:
    assert len(CASES) >= 60
    first = in_turns(CASES)[: len({(case.action, case.language) for case in CASES})]
    assert {(case.action, case.language) for case in first} == {(case.action, case.language) for case in CASES}


def test_the_references_are_right_and_the_code_as_it_is_is_wrong() -> None:
    for case in (case for case in CASES if case.action == "fix" and case.reference is not None):
        fixed, same = Outcome(case.id, "actions", 0.0), Outcome(case.id, "actions", 0.0)
        judge_edit(case, Edit(Span(0, len(case.text)), case.reference or ""), fixed)
        judge_edit(case, Edit(Span(0, 0), ""), same)
        assert fixed.right, case.id
        assert not same.right, case.id


@pytest.mark.parametrize(
    ("header", "right"),
    [
        ("def running_mean(values: list[float], size: int) -> list[float]:", True),
        ("def running_mean(values: list[float], size):", True),
        ("def running_mean(values, size):", False),  # nothing was added
        ("def running_mean(values: list[float], size: int = 2) -> list[float]:", False),  # more than types
        ("def running_mean(values: Sequence[float], size: int) -> list[float]:", False),  # does not run
        ("def running_mean(values: list[float], size: int) -> list[float:", False),
    ],
)
def test_types_are_right_if_they_are_there_and_run_and_nothing_else_changed(header: str, right: bool) -> None:
    case = next(case for case in CASES if case.id == "types-python-running-mean")
    outcome = Outcome(case.id, "actions", 0.0)
    judge_edit(
        case,
        Edit(
            case.target,
            case.text[case.target.start : case.target.end].replace("def running_mean(values, size):", header),
        ),
        outcome,
    )
    assert outcome.right is right


def test_a_change_outside_of_the_target_is_seen() -> None:
    case = next(case for case in CASES if case.action == "fix" and case.target.end < len(case.text.rstrip()))
    assert not touches_only(case, case.text.rstrip() + " + 1\n")
    assert touches_only(case, case.text[: case.target.end] + " " + case.text[case.target.end :])


@pytest.mark.parametrize(
    ("case", "way", "kept", "broken"),
    [
        ("fix-a", "actions", {"parses": True, "only_target": True}, False),
        ("fix-a", "actions", {"parses": False, "only_target": True}, True),
        ("fix-a", "actions", {"parses": True, "only_target": False}, True),
        ("fix-a", "plain", {}, False),
        ("document-a", "actions", {"parses": True, "only_target": True}, True),
        ("document-a", "actions", {"parses": True, "only_target": True, "keeps_code": True}, False),
        ("types-a", "actions", {"parses": True, "only_target": True}, True),
    ],
)
def test_an_edit_that_should_not_have_been_offered_is_named(
    case: str, way: str, kept: dict[str, bool], broken: bool
) -> None:
    outcome = Outcome(case, way, 1.0, offered=True, **kept)  # type: ignore[arg-type]
    assert (violations([outcome]) == [case]) is broken
    assert (f"offered, but broken: {case}" in table([outcome])) is broken


def test_a_journal_is_read_back(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    assert read(journal) == []
    outcome = Outcome("fix-a", "plain", 1.5, right=True)
    journal.write_text(json.dumps(asdict(outcome)) + "\n\n")
    assert read(journal) == [outcome]


async def test_a_run_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import asynccontextmanager
    from types import SimpleNamespace

    from devstral_ls.testing.scripted_engine import ScriptedEngine

    engine = ScriptedEngine("nothing of use")

    @asynccontextmanager
    async def open_session(*_arguments: object, **_options: object):
        yield SimpleNamespace(engine=engine)

    monkeypatch.setattr(actions, "open_session", open_session)
    journal, cases = tmp_path / "journal.jsonl", in_turns(CASES)[:2]
    first, _ = await actions.run(cases[:1], ("actions", "plain"), float("inf"), journal)
    n_asked = len(engine.requests)
    again, _ = await actions.run(cases[:1], ("actions", "plain"), float("inf"), journal)
    assert again == first
    assert len(engine.requests) == n_asked
    more, _ = await actions.run(cases, ("actions", "plain"), float("inf"), journal)
    assert more[:2] == first
    assert len(more) == 4


def test_the_two_ways_are_compared_on_the_cases_that_both_have_answered() -> None:
    right = [("a", True, False), ("b", True, False), ("c", False, True), ("d", True, True)]
    outcomes = [
        Outcome(f"fix-{case}", way, 1.0, right=is_right)
        for case, actions_, plain in right
        for way, is_right in (("actions", actions_), ("plain", plain))
    ]
    (line,) = actions.paired([*outcomes, Outcome("fix-e", "actions", 1.0, right=True)], "fix")
    assert line.endswith("4 cases: right in actions only 2, in plain only 1, McNemar p = 1")
    assert line in table(outcomes)
    assert actions.paired(outcomes, "types") == []
