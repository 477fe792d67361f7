"""``devstral-ls act ACTION FILE:LINE[-LINE]``: one code action, as a diff, as Markdown, or as findings."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstral_ls.actions.query import (
    ActionCallbacks,
    ActionQuery,
    ActionRefused,
    FileEdit,
    Finding,
    Progressed,
    Result,
)
from devstral_ls.actions.runner import ActionRunner
from devstral_ls.actions.table import ACTIONS, OutputKind
from devstral_ls.cli import DONE, NOTHING, InputError, UsageError
from devstral_ls.cli.command_session import open_session, user_settings
from devstral_ls.cli.complete import read_position
from devstral_ls.cli.terminal import clear_status, show_status
from devstral_ls.code_context import Diagnostic
from devstral_ls.platform.paths import directories
from devstral_ls.retrieval.index.signatures import IndexSignatures
from devstral_ls.retrieval.project import ProjectFiles
from devstral_ls.settings.tree import Settings
from devstral_ls.text import Snapshot, Span, apply
from devstral_ls.uris import path_of


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that an action changes or creates."""

    path: str
    """Relative to the project's root, with slashes; outside of projects the file's name."""
    before: str
    after: str

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            f"a/{self.path}",
            f"b/{self.path}",
        )
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def run(options: argparse.Namespace) -> int:
    """Do the action and print its result."""
    query = read_query(options.action, options.position, options.instruction, options.message)
    settings = user_settings(directories(), options.model)
    if options.model is None:
        settings = settings.answering("actions")
    project = ProjectFiles.of(query.snapshot.uri)
    try:
        result, total_ms = asyncio.run(_act(query, settings, project, quiet=options.json))
    except ActionRefused as error:
        if not options.json:
            clear_status()
        print(f"devstral-ls: {error.message} — {error.hint}", file=sys.stderr)
        return NOTHING
    if not options.json:
        clear_status()
    changed = changed_files(query.snapshot, result)
    if options.write and project is not None:
        for file in changed:
            _write(project.root / file.path, file)
        if result.outcome:
            print(f"devstral-ls: {result.outcome}", file=sys.stderr)
    if options.json:
        print(json.dumps(as_json(result, changed, total_ms), ensure_ascii=False))
    else:
        _print(query, result, changed)
    return DONE if result.edit or result.files or result.findings or result.markdown else NOTHING


async def _act(
    query: ActionQuery, settings: Settings, project: ProjectFiles | None, *, quiet: bool
) -> tuple[Result, float]:
    """The result of the action and its time in ms, the start of the engine not counted."""
    async with open_session(settings, quiet=quiet, file=Path(path_of(query.snapshot.uri))) as session:
        start = time.monotonic()
        runner = ActionRunner(
            session.engine,
            lambda uri: session.visibility.may_show(uri, settings.privacy),
            IndexSignatures(session.index, settings.privacy, session.visibility),
            privacy=settings.privacy,
            review=settings.actions.review,
        )
        callbacks = ActionCallbacks() if quiet else ActionCallbacks(report=_show_progress)
        result = await runner.run(query, callbacks, project)
        return result, (time.monotonic() - start) * 1000


def read_query(action: str, position: str, instruction: str, message: str) -> ActionQuery:
    """The query that the arguments mean.

    Raises:
        UsageError: there is no such action, or the position is not of the form ``FILE:LINE[-LINE]``.
        InputError: there is no such position, or the file is not text.
    """
    if action not in ACTIONS:
        raise UsageError(f"no action {action!r}", hint=f"There are: {', '.join(ACTIONS)}.")
    head, _, lines = position.rpartition(":")
    first, dash, last = lines.partition("-")
    if not head or not first.isdecimal() or (dash and not last.isdecimal()):
        raise UsageError(
            f"{position}: no line given", hint="Name a position as FILE:LINE or FILE:LINE-LINE, counted from 1."
        )
    snapshot = read_position(f"{head}:{first}").snapshot
    low, high = int(first), int(last) if dash else int(first)
    if high > snapshot.n_lines or high < low:
        raise InputError(f"{head}: lines {low}-{high} of {snapshot.n_lines}", hint="Lines are counted from 1.")
    begin, end = snapshot.line_starts[low - 1], snapshot.line_span(high - 1).end
    span = Span(begin, end) if dash else Span(end, end)
    diagnostics = (Diagnostic(snapshot.line_span(low - 1), "error", message),) if message else ()
    return ActionQuery(action, snapshot, span, instruction, diagnostics)


def changed_files(snapshot: Snapshot, result: Result) -> list[ChangedFile]:
    """Every file that ``result`` changes or creates."""
    changed = [ChangedFile(file.path, file.before, _text_after(file)) for file in result.files]
    edit = result.whole_edit(snapshot)
    if edit is not None:
        changed.insert(0, ChangedFile(_shown_path(snapshot.uri), snapshot.text, apply(snapshot.text, edit)))
    return changed


def _text_after(file: FileEdit) -> str:
    return file.text if file.at is None else file.before[: file.at] + file.text


def _shown_path(uri: str) -> str:
    project = ProjectFiles.of(uri)
    path = project.path(uri) if project else None
    return path or uri.rpartition("/")[2]


def as_json(result: Result, changed: list[ChangedFile], total_ms: float) -> dict[str, Any]:
    """The output of ``--json``; lines from 1, times in ms."""
    usage = result.usage
    decode_ms = usage.decode_ms if usage else 0.0
    n_generated = usage.generated_tokens if usage else 0
    return {
        "action": result.action,
        "title": result.title,
        "diff": "".join(file.diff for file in changed),
        "files": [{"path": file.path, "text": file.after} for file in changed],
        "findings": [_finding_as_json(finding) for finding in result.findings],
        "markdown": result.markdown,
        "notes": list(result.notes),
        "timings": {
            "total": round(total_ms, 2),
            "decode": round(decode_ms, 2),
            "prefill": round(usage.prefill_ms, 2) if usage else 0,
        },
        "tokens": {
            "prompt": usage.prompt_tokens if usage else 0,
            "reused": usage.cached_tokens if usage else 0,
            "generated": n_generated,
            "perSecond": round(1000 * n_generated / decode_ms, 1) if decode_ms else 0,
        },
    }


def _finding_as_json(finding: Finding) -> dict[str, Any]:
    return {
        "line": finding.line + 1,
        "severity": finding.severity,
        "code": finding.code,
        "message": finding.message,
        "fix": finding.fix,
    }


def _print(query: ActionQuery, result: Result, changed: list[ChangedFile]) -> None:
    for file in changed:
        print(file.diff, end="")
    path = _shown_path(query.snapshot.uri)
    for finding in result.findings:
        print(f"{path}:{finding.line + 1}: {finding.severity}: {finding.message} [{finding.code}]")
        if finding.fix is not None:
            print(f"    {finding.fix.strip()}")
    if result.markdown:
        print(result.markdown, end="")
    if ACTIONS[result.action].output is OutputKind.FINDINGS and not result.findings:
        print("nothing found", file=sys.stderr)
    for note in result.notes:
        print(f"devstral-ls: {note}", file=sys.stderr)


def _write(path: Path, file: ChangedFile) -> None:
    """Write a file, unless it has changed since it was read.

    Raises:
        InputError: it has, or it cannot be written.
    """
    try:
        raw = path.read_bytes() if path.exists() else b""
        mark = b"\xef\xbb\xbf" if raw.startswith(b"\xef\xbb\xbf") else b""
        if raw[len(mark) :].decode("utf-8", "replace") != file.before:
            raise InputError(f"{path}: changed since it was read", hint="Nothing was written; run the command again.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mark + file.after.encode("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", hint="Nothing was written.") from error


def _show_progress(progressed: Progressed) -> None:
    rate = f"{progressed.n_tokens} tokens, {progressed.tokens_per_second:.0f} a second"
    show_status(f"{progressed.stage}: {rate}")
