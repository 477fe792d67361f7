"""``devstral-ls act ACTION FILE:LINE[-LINE]``: one code action, as a diff, as Markdown, or as findings."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import json
import sys
import time
from pathlib import Path
from typing import Any

from devstral_ls.actions.query import (
    ActionCallbacks,
    ActionQuery,
    ActionRefused,
    FileEdit,
    Finding,
    Problem,
    Progressed,
    Result,
)
from devstral_ls.actions.runner import ActionRunner
from devstral_ls.actions.table import ACTIONS, OutputKind
from devstral_ls.cli import DONE, NOTHING, InputError, UsageError
from devstral_ls.cli.complete import read_place
from devstral_ls.cli.session import session, user_settings
from devstral_ls.platform.paths import directories
from devstral_ls.retrieval.index.client import path_of
from devstral_ls.retrieval.index.signatures import IndexSignatures
from devstral_ls.retrieval.project import ProjectFiles
from devstral_ls.text import Snapshot, Span, apply


def run(options: argparse.Namespace) -> int:
    """Do the action and print what comes of it."""
    query = read_query(options.action, options.place, options.instruction, options.message)
    settings = user_settings(directories(), options.model)
    if options.model is None:
        settings = settings.answering("actions")
    project = ProjectFiles.of(query.snapshot.uri)

    async def act() -> tuple[Result, float]:
        async with session(settings, quiet=options.json, file=Path(path_of(query.snapshot.uri))) as asked:
            start = time.monotonic()
            elsewhere = IndexSignatures(asked.suggester.related.index, settings.privacy)
            actor = ActionRunner(asked.engine, elsewhere, privacy=settings.privacy)
            result = await actor.run(query, ActionCallbacks(report=_reporter(quiet=options.json)), project)
            return result, (time.monotonic() - start) * 1000

    try:
        result, total_ms = asyncio.run(act())
    except ActionRefused as error:
        _clear(quiet=options.json)
        print(f"devstral-ls: {error.message} — {error.hint}", file=sys.stderr)
        return NOTHING
    _clear(quiet=options.json)
    changed = changes(query.snapshot, result)
    if options.write and project is not None:
        _write(query, result, project)
    if options.json:
        print(json.dumps(as_json(result, changed, total_ms), ensure_ascii=False))
    else:
        _print(query, result, changed)
    return DONE if result.edit or result.files or result.findings or result.markdown else NOTHING


def read_query(action: str, place: str, instruction: str, message: str) -> ActionQuery:
    """The query that the arguments mean.

    Raises:
        UsageError: there is no such action, or the place is not of the form ``FILE:LINE[-LINE]``.
        InputError: there is no such place, or the file is not text.
    """
    if action not in ACTIONS:
        raise UsageError(f"no action {action!r}", hint=f"There are: {', '.join(ACTIONS)}.")
    head, _, lines = place.rpartition(":")
    first, dash, last = lines.partition("-")
    if not head or not first.isdecimal() or (dash and not last.isdecimal()):
        raise UsageError(f"{place}: no line given", hint="Name a place as FILE:LINE or FILE:LINE-LINE, counted from 1.")
    snapshot = read_place(f"{head}:{first}").snapshot
    low, high = int(first), int(last) if dash else int(first)
    if high > snapshot.n_lines or high < low:
        raise InputError(f"{head}: lines {low}-{high} of {snapshot.n_lines}", hint="Lines are counted from 1.")
    begin, end = snapshot.line_starts[low - 1], snapshot.line_span(high - 1).end
    span = Span(begin, end) if dash else Span(end, end)
    problems = (Problem(snapshot.line_span(low - 1), message),) if message else ()
    return ActionQuery(action, snapshot, span, instruction, problems)


def changes(snapshot: Snapshot, result: Result) -> list[tuple[str, str, str]]:
    """Name, text before and text after of every file that changes."""
    changed = []
    if result.edit is not None:
        name = _name(snapshot.uri)
        changed.append((name, snapshot.text, apply(snapshot.text, result.edit)))
    for file in result.files:
        changed.append((file.path, file.before, whole(file)))
    return changed


def whole(file: FileEdit) -> str:
    """The text of a file after its edit."""
    return file.text if file.at is None else file.before[: file.at] + file.text


def as_json(result: Result, changed: list[tuple[str, str, str]], total_ms: float) -> dict[str, Any]:
    """What ``--json`` prints; lines from 1, times in ms."""
    usage = result.usage
    decode = usage.decode_ms if usage else 0.0
    n_generated = usage.generated_tokens if usage else 0
    return {
        "action": result.action,
        "title": result.title,
        "diff": "".join(_diff(*one) for one in changed),
        "files": [{"path": name, "text": after} for name, _, after in changed],
        "findings": [_finding(finding) for finding in result.findings],
        "markdown": result.markdown,
        "notes": list(result.notes),
        "timings": {
            "total": round(total_ms, 2),
            "decode": round(decode, 2),
            "prefill": round(usage.prefill_ms, 2) if usage else 0,
        },
        "tokens": {
            "prompt": usage.prompt_tokens if usage else 0,
            "reused": usage.cached_tokens if usage else 0,
            "generated": n_generated,
            "perSecond": round(1000 * n_generated / decode, 1) if decode else 0,
        },
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "line": finding.line + 1,
        "severity": finding.severity,
        "code": finding.code,
        "message": finding.message,
        "fix": finding.fix,
    }


def _print(query: ActionQuery, result: Result, changed: list[tuple[str, str, str]]) -> None:
    for one in changed:
        print(_diff(*one), end="")
    name = _name(query.snapshot.uri)
    for finding in result.findings:
        print(f"{name}:{finding.line + 1}: {finding.severity}: {finding.message} [{finding.code}]")
        if finding.fix is not None:
            print(f"    {finding.fix.strip()}")
    if result.markdown:
        print(result.markdown, end="")
    if ACTIONS[result.action].gives is OutputKind.FINDINGS and not result.findings:
        print("nothing found", file=sys.stderr)
    for note in result.notes:
        print(f"devstral-ls: {note}", file=sys.stderr)


def _diff(name: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{name}", f"b/{name}"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _name(uri: str) -> str:
    project = ProjectFiles.of(uri)
    path = project.path(uri) if project else None
    return path or uri.rpartition("/")[2]


def _write(query: ActionQuery, result: Result, project: ProjectFiles) -> None:
    targets = []
    if result.edit is not None:
        path = project.path(query.snapshot.uri)
        targets.append((path or "", query.snapshot.text, apply(query.snapshot.text, result.edit)))
    targets += [(file.path, file.before, whole(file)) for file in result.files]
    for path, before, after in targets:
        _write_one(project.root / path, before, after)


def _write_one(path: Path, before: str, after: str) -> None:
    """Write a file, unless it has changed since it was read.

    Raises:
        InputError: it has, or it cannot be written.
    """
    try:
        raw = path.read_bytes() if path.exists() else b""
        mark = b"\xef\xbb\xbf" if raw.startswith(b"\xef\xbb\xbf") else b""
        if raw[len(mark) :].decode("utf-8", "replace") != before:
            raise InputError(f"{path}: changed since it was read", hint="Nothing was written; run the command again.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mark + after.encode("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", hint="Nothing was written.") from error


def _reporter(*, quiet: bool) -> Any:
    if quiet or not sys.stderr.isatty():
        return lambda progressed: None

    def say(progressed: Progressed) -> None:
        rate = f"{progressed.n_tokens} tokens, {progressed.tokens_per_second:.0f} a second"
        print(f"\r\033[K{progressed.stage}: {rate}", end="", file=sys.stderr, flush=True)

    return say


def _clear(*, quiet: bool) -> None:
    if not quiet and sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
