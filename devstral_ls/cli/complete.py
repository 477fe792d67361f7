"""``devstral-ls complete FILE:LINE[:COLUMN]``: one inline suggestion through the same pipeline as the editor's."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

from devstral_ls.cli import DONE, NOTHING, InputError, UsageError
from devstral_ls.cli.command_session import open_session, user_settings
from devstral_ls.languages.table import language_of
from devstral_ls.platform.paths import directories
from devstral_ls.suggest.trace import InlineQuery, Outcome
from devstral_ls.text import Snapshot, Span
from devstral_ls.uris import path_of


def run(options: argparse.Namespace) -> int:
    """Print the suggestion."""
    query = read_position(options.position)
    settings = user_settings(directories(), options.model)

    async def suggest() -> tuple[Outcome, float]:
        async with open_session(settings, quiet=options.json, file=Path(path_of(query.snapshot.uri))) as session:
            start = time.monotonic()
            outcome = await session.suggester.inline(query, session.settings)
            return outcome, (time.monotonic() - start) * 1000

    outcome, total_ms = asyncio.run(suggest())
    if options.json:
        print(json.dumps(as_json(query.snapshot, outcome, total_ms), ensure_ascii=False))
    elif outcome.suggestions:
        print(outcome.suggestions[0].text)
    return DONE if outcome.suggestions else NOTHING


def read_position(position: str) -> InlineQuery:
    """The query that ``FILE:LINE[:COLUMN]`` means; line and column from 1, the column in code points.

    Raises:
        UsageError: it is not of that form.
        InputError: there is no such position, or the file is not text.
    """
    path, line, column = _split(position)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", hint="Name a file as FILE:LINE[:COLUMN].") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})", hint="Convert it to UTF-8.") from error
    if "\0" in text:
        raise InputError(f"{path}: not text, it has NUL characters", hint="Name a source file.")
    uri = path.absolute().as_uri()  # by its name: a link is ignored by its own name, too
    snapshot = Snapshot(uri, 0, language_of("", uri).id, text)
    if line > snapshot.n_lines:
        raise InputError(f"{path}: line {line} of {snapshot.n_lines}", hint="Lines are counted from 1.")
    span = snapshot.line_span(line - 1)
    if column is not None and column > len(span) + 1:
        raise InputError(f"{path}:{line}: column {column} of {len(span) + 1}", hint="Columns are counted from 1.")
    return InlineQuery(snapshot, span.end if column is None else span.start + column - 1, invoked=True)


def _split(position: str) -> tuple[Path, int, int | None]:
    head, _, last = position.rpartition(":")
    path, _, middle = head.rpartition(":")
    if path and _is_count(middle) and _is_count(last):
        return Path(path), int(middle), int(last)
    if head and _is_count(last):
        return Path(head), int(last), None
    raise UsageError(f"{position}: no line given", hint="Name a position as FILE:LINE[:COLUMN], counted from 1.")


def _is_count(text: str) -> bool:
    return text.isdecimal() and int(text) >= 1


def as_json(snapshot: Snapshot, outcome: Outcome, total_ms: float) -> dict[str, Any]:
    """The output of ``--json``: the first suggestion and how it was made; positions from 1, times in ms."""
    suggestion = outcome.suggestions[0] if outcome.suggestions else None
    trace = outcome.trace
    usage = trace.usage
    timings = {name: round(ms, 2) for name, ms in trace.stages.items()} | {"total": round(total_ms, 2)}
    if usage is not None:
        timings |= {"prefill": round(usage.prefill_ms, 2), "decode": round(usage.decode_ms, 2)}
    return {
        "text": suggestion.text if suggestion else "",
        "range": _range_as_json(snapshot, suggestion.replaces) if suggestion else None,
        "reason": trace.reason.value,
        "layout": trace.layout,
        "model": trace.model,
        "cached": trace.cached,
        "confidence": trace.confidence if trace.confidence is None else round(trace.confidence, 3),
        "minConfidence": round(trace.min_confidence, 3),
        "decisions": trace.decisions,
        "timings": timings,
        "tokens": {
            "prompt": usage.prompt_tokens if usage else 0,
            "reused": usage.cached_tokens if usage else 0,
            "generated": usage.generated_tokens if usage else 0,
        },
    }


def _range_as_json(snapshot: Snapshot, span: Span) -> dict[str, dict[str, int]]:
    def line_and_column(offset: int) -> dict[str, int]:
        line = snapshot.line_at(offset)
        return {"line": line + 1, "column": offset - snapshot.line_starts[line] + 1}

    return {"start": line_and_column(span.start), "end": line_and_column(span.end)}
