"""What the model is shown beside the target: imports, enclosing headers, lines around it, signatures of what it uses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from devstral_ls.actions.indentation import unix
from devstral_ls.actions.query import ActionQuery, Problem
from devstral_ls.actions.target import Target, language_at
from devstral_ls.languages.defined import outline, words
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.text import Snapshot, Span

MAX_IMPORT_CHARS = 1_200
MAX_SIGNATURES = 12
MAX_AROUND_LINES = 6
"""Lines above and below a piece of a definition."""

MAX_LINE = 200
"""Characters of a line of context."""

MAX_NAMES = 48
"""Looked for in other files."""

_MAX_PROBLEMS = 5

_NAME = re.compile(r"(?<![\w.])[A-Za-z_$][\w$]{2,}(?:(?:\.|::)[A-Za-z_$][\w$]*)?")

_SELVES = frozenset({"self", "this", "cls", "super"})


def around(query: ActionQuery, target: Target, syntax: Syntax | None, signatures: Mapping[str, str]) -> str:
    """Everything around ``target`` as text in front of it; empty where there is nothing."""
    snapshot, fence = query.snapshot, language_at(query.snapshot).id
    blocks = []
    imports = _shortened([snapshot.of(span) for span in target.scope.imports], MAX_IMPORT_CHARS)
    if imports:
        blocks.append(("The file begins with:", imports))
    headers = [unix(snapshot.of(scope.header)) for scope in target.scope.scopes if scope.span.start < target.span.start]
    if headers:
        blocks.append(("The code is inside of:", headers[-3:]))
    if target.kind in ("selection", "lines"):
        blocks += _neighbours(snapshot, target.span)
    used = _used(snapshot, target, syntax, signatures)
    if used:
        blocks.append(("It uses:", used))
    return "".join(f"{says}\n```{fence}\n{_joined(lines)}\n```\n" for says, lines in blocks)


def unknown(syntax: Syntax | None, snapshot: Snapshot, span: Span) -> list[str]:
    """Names used in ``span`` that other files may define: ``a`` and ``a.b``, in the order of the text."""
    if syntax is None:
        return []
    asked = words(syntax, span) - {one.name for one in outline(syntax)} - _SELVES
    found = (match[0].replace("::", ".") for match in _NAME.finditer(snapshot.of(span)))
    return list(dict.fromkeys(name for name in found if name.partition(".")[0] in asked))[:MAX_NAMES]


def problems_said(snapshot: Snapshot, target: Span, problems: Sequence[Problem]) -> str:
    """The diagnostics, with the lines they are on."""
    if not problems:
        return "It does not do what it should.\n"
    said = []
    for problem in problems[:_MAX_PROBLEMS]:
        line = snapshot.line(snapshot.line_at(problem.span.start)).strip()[:MAX_LINE]
        code = f" ({problem.code})" if problem.code else ""
        said.append(f"- {' '.join(problem.message.split())[:500]}{code}, on the line `{line}`")
    return "Problem reported in it:\n" + "\n".join(said) + "\n"


def _neighbours(snapshot: Snapshot, span: Span) -> list[tuple[str, list[str]]]:
    first, last = snapshot.line_at(span.start), snapshot.line_at(span.end)
    above = [snapshot.line(line)[:MAX_LINE] for line in range(max(0, first - MAX_AROUND_LINES), first)]
    below = [
        snapshot.line(line)[:MAX_LINE] for line in range(last + 1, min(snapshot.n_lines, last + 1 + MAX_AROUND_LINES))
    ]
    found = []
    if "".join(above).strip():
        found.append(("Right above it:", above))
    if "".join(below).strip():
        found.append(("Right below it:", below))
    return found


def _used(snapshot: Snapshot, target: Target, syntax: Syntax | None, signatures: Mapping[str, str]) -> list[str]:
    """First lines of what the target uses: definitions of this file, then those the index knows."""
    if syntax is None:
        return []
    names = words(syntax, target.span) - {target.name}
    here = [
        _first_line(snapshot, one.span)
        for one in outline(syntax)
        if one.name in names and (one.span.end <= target.span.start or one.span.start >= target.span.end)
    ]
    text = snapshot.of(target.span)
    elsewhere = [signature for name, signature in signatures.items() if re.search(rf"\b{re.escape(name)}\b", text)]
    return [line for line in dict.fromkeys([*here, *elsewhere]) if line][:MAX_SIGNATURES]


def _first_line(snapshot: Snapshot, span: Span) -> str:
    """The line of the definition itself, decorators left out."""
    for line in range(snapshot.line_at(span.start), min(snapshot.n_lines, snapshot.line_at(span.start) + 10)):
        text = snapshot.line(line).strip()
        if not text.startswith(("@", "#[")):
            return text[:MAX_LINE]
    return ""


def _shortened(texts: Sequence[str], room: int) -> list[str]:
    kept = []
    for text in texts:
        room -= len(text) + 1
        if room < 0:
            kept.append("...")
            break
        kept.append(unix(text).rstrip("\n"))
    return kept


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines)
