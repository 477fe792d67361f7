"""Code actions against the same model with a plain prompt: ``python -m benchmarks.actions [--minutes N] [--journal FILE]``.

Every case is asked twice in turn: through ``actions`` as an editor does, and with one sentence and the code, the first
fenced block taken as it is. Python fixes are run with their tests, in a process of their own; in other languages a fix
counts when it equals the reference but for white space. The model is that of the settings. A journal has a line for each
answer; the same command resumes it, and prints the figures of all of it.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.item_kinds import ACTIONS
from benchmarks.items import ActionCase, action_cases, digest
from benchmarks.stats import mcnemar, wilson
from devstral_ls.actions.chat_session import ChatRequest, ChatSession
from devstral_ls.actions.checks import Checks
from devstral_ls.actions.query import ActionQuery
from devstral_ls.actions.runner import ActionRunner
from devstral_ls.cli.command_session import open_session, user_settings
from devstral_ls.code_context import Diagnostic
from devstral_ls.errors import DevstralError
from devstral_ls.generation import Engine
from devstral_ls.platform.paths import directories
from devstral_ls.retrieval.visibility import Visibility
from devstral_ls.text import Edit, Snapshot, Span, apply

TEST_S = 10
"""Time limit in seconds for the test of a case."""

_FENCED = re.compile(r"```[\w+#-]*\n(.*?)\n?```", re.DOTALL)
_LISTED = re.compile(r"^\W*(?:line\s*)?(\d+)\s*[:.)-]", re.MULTILINE | re.IGNORECASE)

_PLAIN = {
    "fix": "Fix this {language} code. The problem: {problems}\n```\n{code}\n```",
    "document": "Add documentation to this {language} code:\n```\n{code}\n```",
    "types": "Add type annotations to this {language} code:\n```\n{code}\n```",
    "review": "List the bugs in this {language} code, one a line as LINE: what is wrong.\n```\n{code}\n```",
}


@dataclass
class Outcome:
    """The outcome of one case, asked one way."""

    case: str
    way: str
    seconds: float
    tokens_per_second: float = 0.0
    offered: bool = False
    parses: bool = False
    only_target: bool = False
    keeps_code: bool = False
    right: bool = False
    """Fixed, or documented or given types without a change of code."""
    hits: int = 0
    """Findings on lines of a bug."""
    false_alarms: int = 0
    found: int = 0
    """Bugs with a finding on their lines."""
    bugs: int = 0
    refused: str = ""
    notes: list[str] = field(default_factory=list)


def snapshot_of(case: ActionCase) -> Snapshot:
    return Snapshot(f"file:///bench/{case.name}", 1, case.language, case.text)


def problems_of(case: ActionCase) -> tuple[Diagnostic, ...]:
    """The diagnostics, as an editor hands them over."""
    starts = snapshot_of(case).line_starts
    return tuple(
        Diagnostic(
            Span(starts[one.line] + one.column, starts[one.end_line] + one.end_column),
            one.severity, one.message, one.code, one.source,
        )
        for one in case.diagnostics
    )  # fmt: skip


async def show_anything(_uri: str) -> Visibility:
    """The cases are no one's files."""
    return Visibility.VISIBLE


async def ours(engine: Engine, case: ActionCase) -> Outcome:
    """Through the actions, as an editor asks."""
    snapshot, began = snapshot_of(case), time.monotonic()
    problems = problems_of(case)
    at = snapshot.line_span(case.target_line).end
    whole = case.action == "review" and case.target == Span(0, len(case.text))
    span = Span(0, 0) if whole else Span(at, at)
    try:
        result = await ActionRunner(engine, show_anything, review="on").run(
            ActionQuery(case.action, snapshot, span, diagnostics=problems)
        )
    except DevstralError as error:
        return Outcome(case.id, "actions", time.monotonic() - began, refused=error.message, bugs=len(case.bugs))
    outcome = Outcome(case.id, "actions", time.monotonic() - began, notes=list(result.notes))
    if result.usage is not None and result.usage.decode_ms:
        outcome.tokens_per_second = 1000 * result.usage.generated_tokens / result.usage.decode_ms
    if case.action == "review":
        judge_findings(case, [finding.line for finding in result.findings], outcome)
    elif result.edit is not None:
        judge_edit(case, result.edit, outcome)
    return outcome


async def plain(engine: Engine, case: ActionCase) -> Outcome:
    """The same model, one sentence, and its answer taken as it is."""
    snapshot, began = snapshot_of(case), time.monotonic()
    code = snapshot.of(case.target)
    problems = "; ".join(one.message for one in case.diagnostics) or "it does not work"
    asked = _PLAIN[case.action].format(language=case.language, problems=problems, code=code)
    assert engine.model is not None
    chat = ChatSession(engine, engine.model, f"{case.id}#plain", lambda progressed: None)
    try:
        answer = (await chat.ask(ChatRequest("", asked, 700))).text
    except DevstralError as error:
        return Outcome(case.id, "plain", time.monotonic() - began, refused=error.message, bugs=len(case.bugs))
    outcome = Outcome(case.id, "plain", time.monotonic() - began)
    if chat.usage is not None and chat.usage.decode_ms:
        outcome.tokens_per_second = 1000 * chat.usage.generated_tokens / chat.usage.decode_ms
    if case.action == "review":
        first = snapshot.line_at(case.target.start)
        judge_findings(case, [first + int(match[1]) - 1 for match in _LISTED.finditer(answer)], outcome)
    elif (block := _FENCED.search(answer)) is not None:
        judge_edit(case, Edit(case.target, block[1]), outcome)
    return outcome


def judge_edit(case: ActionCase, edit: Edit, outcome: Outcome) -> None:
    after, checks = apply(case.text, edit), Checks(snapshot_of(case))
    outcome.offered = True
    outcome.parses = not checks.worse(edit)
    outcome.only_target = touches_only(case, after)
    outcome.keeps_code = not checks.changes_code(edit, types=case.action != "types")
    if case.action == "document":
        outcome.right = outcome.keeps_code and outcome.parses and after != case.text
    elif case.action == "types":
        added = outcome.keeps_code and outcome.parses and outcome.only_target and checks.changes_code(edit, types=True)
        outcome.right = added and (case.test is None or passes(after + "\n" + case.test))
    elif case.test is not None:
        outcome.right = outcome.only_target and passes(after + "\n" + case.test)
    else:
        outcome.right = case.reference is not None and "".join(after.split()) == "".join(case.reference.split())


def touches_only(case: ActionCase, after: str) -> bool:
    """True when all changed lines are in the target, or right above it, where doc comments go."""
    snapshot = snapshot_of(case)
    first, last = snapshot.line_at(case.target.start), snapshot.line_at(case.target.end)
    changes = difflib.SequenceMatcher(None, case.text.split("\n"), after.split("\n"), autojunk=False).get_opcodes()
    return all(op[0] == "equal" or (first <= op[1] and op[2] <= last + 1) for op in changes)


def passes(source: str) -> bool:
    """True when ``source`` runs without an error, in an isolated interpreter with a time limit."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", source], capture_output=True, timeout=TEST_S, check=False, cwd="/"
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def judge_findings(case: ActionCase, lines: list[int], outcome: Outcome) -> None:
    hit = {line for line in set(lines) if any(bug.line <= line <= bug.end_line for bug in case.bugs)}
    outcome.offered, outcome.bugs = bool(lines), len(case.bugs)
    outcome.hits, outcome.false_alarms = len(hit), len(set(lines) - hit)
    outcome.found = sum(any(bug.line <= line <= bug.end_line for line in hit) for bug in case.bugs)


def violations(outcomes: list[Outcome]) -> list[str]:
    """Edits offered by the actions that must never be offered."""
    found = []
    for one in outcomes:
        keeps = one.case.startswith(("document-", "types-"))
        if one.way == "actions" and one.offered and not one.case.startswith("review-"):
            kept = one.parses and one.only_target and (one.keeps_code or not keeps)
            found += [] if kept else [one.case]
    return found


def table(outcomes: list[Outcome]) -> str:
    """The table: a line for each action and way of asking."""
    lines = [f"offered, but broken: {', '.join(violations(outcomes)) or 'none'}"]
    for action in ACTIONS:
        for way in ("actions", "plain"):
            of = [one for one in outcomes if one.case.startswith(f"{action}-") and one.way == way]
            if not of:
                continue
            seconds = sum(one.seconds for one in of) / len(of)
            rates = [one.tokens_per_second for one in of if one.tokens_per_second]
            speed = f"{seconds:.1f} s, {sum(rates) / max(len(rates), 1):.1f} tok/s"
            if action == "review":
                hits, alarms = sum(one.hits for one in of), sum(one.false_alarms for one in of)
                found, bugs = sum(one.found for one in of), sum(one.bugs for one in of)
                said = f"precision {share(hits, hits + alarms)}, recall {share(found, bugs)}"
            else:
                offered = [one for one in of if one.offered]
                parts = [("parse", "parses"), ("only the target", "only_target")]
                parts += [("no code changed", "keeps_code")] if action in ("document", "types") else []
                said = f"right {share(sum(one.right for one in of), len(of))}; of {len(offered)} offered: " + ", ".join(
                    f"{name} {share(sum(getattr(one, key) for one in offered), len(offered))}" for name, key in parts
                )
            lines.append(f"{action:9} {way:8} {len(of):3} cases: {said}; {speed}")
        lines += [] if action == "review" else paired(outcomes, action)
    return "\n".join(lines)


def paired(outcomes: list[Outcome], action: str) -> list[str]:
    """The line that compares the two ways on the cases answered in both; None when there are no such cases."""
    right = {(one.case, one.way): one.right for one in outcomes if one.case.startswith(f"{action}-")}
    cases = [case for case, way in right if way == "actions" and (case, "plain") in right]
    first, second = ([case for case in cases if right[case, way]] for way in ("actions", "plain"))
    a, b = len(set(first) - set(second)), len(set(second) - set(first))
    said = f"right in actions only {a}, in plain only {b}, McNemar p = {mcnemar(a, b):.2g}"
    return [f"{action:9} both     {len(cases):3} cases: {said}"] if cases else []


def share(part: int, whole: int) -> str:
    low, high = wilson(part, whole)
    said = f" ({100 * part / whole:.0f} %, 95 % interval {100 * low:.0f} to {100 * high:.0f} %)" if whole else ""
    return f"{part}/{whole}{said}"


async def run(
    cases: list[ActionCase], ways: Sequence[str], until: float, journal: Path | None
) -> tuple[list[Outcome], str]:
    outcomes = read(journal)
    known = {(one.case, one.way) for one in outcomes}
    async with open_session(user_settings(directories()), quiet=True) as session:
        model = session.engine.model
        name = model.name if model is not None else "?"
        for case in cases:
            if time.monotonic() > until:
                break
            for way in ways:
                if (case.id, way) in known:
                    continue
                outcome = await _WAYS[way](session.engine, case)
                outcomes.append(outcome)
                line = json.dumps(asdict(outcome), ensure_ascii=False)
                print(line, flush=True)
                if journal is not None:
                    with journal.open("a", encoding="utf-8") as file:
                        file.write(f"{line}\n")
    ids = {case.id for case in cases}
    return [one for one in outcomes if one.case in ids and one.way in ways], name


_WAYS: dict[str, Callable[[Engine, ActionCase], Awaitable[Outcome]]] = {"actions": ours, "plain": plain}


def read(journal: Path | None) -> list[Outcome]:
    """The outcomes of earlier runs."""
    if journal is None or not journal.exists():
        return []
    return [Outcome(**json.loads(line)) for line in journal.read_text(encoding="utf-8").splitlines() if line.strip()]


def in_turns(cases: list[ActionCase]) -> list[ActionCase]:
    """Actions and languages in turns, always in the same order, so that a part of the cases covers all."""
    groups: dict[tuple[str, str], list[ActionCase]] = {}
    for case in sorted(cases, key=lambda case: hashlib.sha256(case.id.encode()).digest()):
        groups.setdefault((case.action, case.language), []).append(case)
    return [group[n] for n in range(max(map(len, groups.values()))) for group in groups.values() if n < len(group)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, help="so many cases only")
    parser.add_argument("--minutes", type=float, default=600, help="no new case after so many")
    parser.add_argument("--action", choices=ACTIONS, help="cases of one action only")
    parser.add_argument("--way", choices=tuple(_WAYS), help="one way of asking only")
    parser.add_argument("--journal", type=Path, help="what is found out, a line each; a run goes on from it")
    options = parser.parse_args()
    cases = [case for case in action_cases() if options.action in (None, case.action)]
    cases = in_turns(cases)[: options.limit]
    ways = (options.way,) if options.way else tuple(_WAYS)
    outcomes, model = asyncio.run(run(cases, ways, time.monotonic() + 60 * options.minutes, options.journal))
    n_cases = len({one.case for one in outcomes})
    print(f"{model}; {n_cases} of {len(action_cases())} cases, digest {digest(action_cases())[:16]}\n{table(outcomes)}")
    if violations(outcomes):
        sys.exit(1)


if __name__ == "__main__":
    main()
