"""The benchmark's items are what they say they are: working code, broken where it should be, in the stated amounts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from functools import cache

import pytest

from benchmarks import case_files, cross_file_cases, items
from benchmarks.cross_file import others
from benchmarks.execution import run as execute
from devstral_ls.code_context import SOURCES
from devstral_ls.languages.grammars import grammar
from devstral_ls.languages.syntax.parsing import parse_bytes
from devstral_ls.languages.table import LANGUAGES, language_of

RUNNER = """
import json, resource, signal, sys, types

def overdue(*_):
    raise TimeoutError

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
signal.signal(signal.SIGPROF, overdue)
verdicts = {}
for name, source in json.load(sys.stdin).items():
    module = sys.modules["case"] = types.ModuleType("case")
    signal.setitimer(signal.ITIMER_PROF, 0.5)
    try:
        exec(compile(source, name, "exec"), module.__dict__)
        verdicts[name] = ""
    except BaseException as error:
        verdicts[name] = repr(error) or "failed"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
sys.__stdout__.write(json.dumps(verdicts))
"""


def run(sources: dict[str, str]) -> dict[str, str]:
    """Run each source in a process of its own kind; what it raised, or an empty string."""
    done = subprocess.run(
        [sys.executable, "-c", RUNNER], input=json.dumps(sources), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def parses(language: str, text: str) -> bool:
    loaded = grammar(LANGUAGES[language])
    assert loaded is not None
    tree = parse_bytes(loaded, text.encode(), None, 5.0)
    assert tree is not None
    return not tree.root_node.has_error


def files() -> dict[str, tuple[str, str]]:
    """Language and text of every file that is to be whole, by the id of an item."""
    whole = {f"hole-{hole.id}": (hole.language, hole.before + hole.middle + hole.after) for hole in items.holes()}
    whole |= {hole.id: (hole.language, hole.before + hole.middle + hole.after) for hole in items.cross_holes()}
    whole |= {
        f"{hole.id}/{path}": (language_of("", path).id, text)
        for hole in items.cross_holes()
        for path, text in others(hole).items()
        if language_of("", path).grammar is not None
    }
    whole |= {f"replay-{replay.id}": (replay.language, replay.text) for replay in items.replays()}
    whole |= {f"quiet-{quiet.id}": (quiet.language, quiet.before + quiet.after) for quiet in items.quiets()}
    whole |= {case.id: (case.language, case.reference or case.text) for case in items.action_cases()}
    whole |= {f"tuning-{case.id}": (case.language, case.reference or case.text) for case in items.tuning_cases()}
    return whole


@cache
def broken_and_mended() -> tuple[dict[str, str], dict[str, str]]:
    """What every tested case raises as it is, and mended."""
    tested = {case.id: case for case in items.action_cases() if case.test}
    tested |= {f"tuning-{case.id}": case for case in items.tuning_cases() if case.test}
    return (
        run({name: f"{case.text}\n{case.test}" for name, case in tested.items()}),
        run({name: f"{case.reference or case.text}\n{case.test}" for name, case in tested.items()}),
    )


def test_the_amounts_and_kinds_are_as_stated() -> None:
    holes = items.holes()
    by_language = Counter(hole.language for hole in holes)
    assert by_language["python"] >= 60
    assert min(by_language[language] for language in ("typescript", "go", "rust", "java")) >= 25
    for language in by_language:
        kinds = Counter(hole.kind for hole in holes if hole.language == language)
        assert all(share * by_language[language] <= kinds[kind] for kind, share in SHARES.items()), (language, kinds)
    assert len(items.replays()) == 12
    assert len({replay.language for replay in items.replays()}) == 6
    assert len(items.quiets()) >= 40
    assert len(items.action_cases()) >= 60
    assert min(Counter(bool(case.bugs) for case in items.tuning_cases()).values()) >= 12


SHARES = {"line": 0.32, "lines": 0.27, "span": 0.18}
"""At least so much of each kind in each language; aimed at are 0.40, 0.35 and 0.25."""


def test_ids_are_unique() -> None:
    kinds = Counter((kind, item.id) for kind, found in LISTS.items() for item in found())
    assert [key for key, count in kinds.items() if count > 1] == []


LISTS = {
    "holes": items.holes,
    "replays": items.replays,
    "quiets": items.quiets,
    "action_cases": items.action_cases,
    "cross_holes": items.cross_holes,
}


def test_the_digests_are_those_that_were_recorded() -> None:
    """After a change of cases: ``python -m benchmarks.items``, and results of before cannot be compared any more."""
    assert json.loads(items.DIGESTS.read_text(encoding="utf-8")) == items.digests()


def test_a_digest_tells_every_change_and_the_order() -> None:
    first, second = items.replays()[:2]
    other = items.Replay(first.id, first.language, first.name, first.text + " ")
    digests = {items.digest(found) for found in ([first, second], [second, first], [first], [other, second])}
    assert len(digests) == 4


def test_every_file_parses_without_an_error() -> None:
    assert [name for name, (language, text) in files().items() if not parses(language, text)] == []


def test_no_mark_is_left_over() -> None:
    marks = set("⟦⟧⟪⟫⇒")
    assert [name for name, (_, text) in files().items() if marks & set(text)] == []
    assert [quiet.id for quiet in items.quiets() if marks & set(quiet.before + quiet.after)] == []


def test_the_python_holes_work_filled_and_fail_empty_or_idle() -> None:
    python = [hole for hole in items.holes() if hole.language == "python"]
    assert [hole.id for hole in python if not hole.test] == []
    filled = run({hole.id: f"{hole.before}{hole.middle}{hole.after}\n{hole.test}" for hole in python})
    empty = run({hole.id: f"{hole.before}{hole.after}\n{hole.test}" for hole in python})
    idle = run({hole.id: f"{hole.before}pass{hole.after}\n{hole.test}" for hole in python if hole.kind != "span"})
    assert {name: error for name, error in filled.items() if error} == {}
    assert [name for name, error in (empty | idle).items() if not error] == []


def test_a_hole_is_never_empty_and_only_python_has_tests() -> None:
    assert [hole.id for hole in items.holes() if not hole.middle.strip()] == []
    assert {hole.language for hole in items.holes() if hole.test} == {"python"}


def test_many_spans_begin_or_end_within_a_word() -> None:
    spans = [hole for hole in items.holes() if hole.kind == "span"]
    inside = [
        hole
        for hole in spans
        if (hole.before[-1:] + hole.middle[:1]).isidentifier() or (hole.middle[-1:] + hole.after[:1]).isidentifier()
    ]
    assert len(inside) >= len(spans) // 2


@pytest.mark.parametrize("replay", items.replays(), ids=lambda replay: replay.id)
def test_a_replay_is_of_a_length_that_people_write(replay: items.Replay) -> None:
    assert 60 <= replay.text.count("\n") <= 300
    assert replay.text.endswith("\n")
    assert "\t" not in replay.text or replay.language == "go"


@pytest.mark.parametrize("quiet", items.quiets(), ids=lambda quiet: quiet.id)
def test_a_quiet_place_says_why(quiet: items.Quiet) -> None:
    assert len(quiet.why) > 10
    assert quiet.before.strip()


def test_a_broken_case_fails_as_it_is_and_passes_mended() -> None:
    broken, mended = broken_and_mended()
    bad = {case.id for case in items.action_cases() if case.test and case.bugs}
    bad |= {f"tuning-{case.id}" for case in items.tuning_cases() if case.test and case.bugs}
    assert [name for name in bad if not broken[name]] == []
    assert {name: error for name, error in mended.items() if error} == {}


@pytest.mark.parametrize("case", items.action_cases(), ids=lambda case: case.id)
def test_an_action_case_is_of_one_piece(case: items.ActionCase) -> None:
    lines = case.text.split("\n")
    assert 0 <= case.target.start < case.target.end <= len(case.text)
    first = case.text.count("\n", 0, case.target.start)
    last = case.text.count("\n", 0, case.target.end)
    assert first <= case.target_line <= last
    assert all(first <= bug.line <= bug.end_line <= last + 1 for bug in case.bugs)
    for told in case.diagnostics:
        assert first <= told.line <= told.end_line <= last
        assert 0 <= told.column <= len(lines[told.line])
        assert (told.line, told.column) < (told.end_line, told.end_column), "a range of nothing"
        assert told.message
    if case.reference is not None:
        assert case.keeps_the_rest(case.reference)
        assert case.reference != case.text


@pytest.mark.parametrize("case", items.action_cases(), ids=lambda case: case.id)
def test_each_action_has_what_it_is_scored_by(case: items.ActionCase) -> None:
    if case.action == "fix":
        assert case.diagnostics
        assert case.reference
    if case.action == "document":
        assert not case.bugs
        assert not case.test
        target = case.text[case.target.start : case.target.end]
        assert all(mark not in target for mark in ('"""', "/**", "//"))
    if case.action == "types":
        assert not case.bugs
        assert not case.diagnostics
        assert (case.test is not None) == (case.language == "python")
    if case.action == "review":
        assert not case.diagnostics
        assert all(len(bug.what) > 10 for bug in case.bugs)
    if case.language == "python" and case.bugs:
        assert case.test


def test_reviews_have_bugs_and_clean_ones() -> None:
    for language in ("python", "typescript", "go"):
        reviews = [case for case in items.action_cases() if (case.action, case.language) == ("review", language)]
        assert sum(bool(case.bugs) for case in reviews) >= 4
        assert sum(not case.bugs for case in reviews) >= 2


@pytest.mark.parametrize(
    "text",
    ["=== a\nnonsense: x\n--- text\nx = 1\n", "=== a\ndiagnostic: fatal ¦ ruff ¦ F821 ¦ undefined\n--- text\n⟦a⇒b⟧\n"],
)
def test_a_case_with_a_wrong_header_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"header line|no severity"):
        list(case_files.parse_actions("fix", "python", ".py", text))


def test_there_are_holes_in_workspaces_for_every_source_and_language() -> None:
    holes = items.cross_holes()
    assert len(holes) >= 24
    assert set(SOURCES) == {hole.id.split("-")[2] for hole in holes}
    assert {hole.language for hole in holes} == {"python", "typescript", "go"}
    assert all(hole.test for hole in holes if hole.language == "python")
    assert all(others(hole) or hole.said for hole in holes), "what belongs there is nowhere"


@pytest.mark.parametrize(
    "hole", [hole for hole in items.cross_holes() if hole.test], ids=lambda hole: hole.id.removeprefix("cross-")
)
def test_a_hole_in_a_workspace_works_filled_and_fails_empty_or_idle(hole: items.CrossHole) -> None:
    assert hole.test
    files = others(hole)
    assert execute(hole.before + hole.middle + hole.after, hole.test, files=files).said == ""
    for wrong in ("", "pass"):
        assert not execute(hole.before + wrong + hole.after, hole.test, files=files).passed


@pytest.mark.parametrize(
    "text",
    [
        "=== edited a.py\nx = 1\n=== asked b.py\n⟦y⟧\n",
        "=== viewed a.py\nx = ⟦1⇒2⟧\n=== asked b.py\n⟦y⟧\n",
        "=== said error ¦ z ¦ no such name\n=== asked b.py\n⟦y⟧\n",
        "=== asked b.py\n⟦y⟧ = ⟦x⟧\n",
    ],
)
def test_a_workspace_with_a_wrong_part_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"changes|not once|unpack"):
        cross_file_cases.parse_cross("python", "a", text)
