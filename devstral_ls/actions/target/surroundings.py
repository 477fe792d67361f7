"""What the model is shown besides the target: imports, enclosing headers, neighbouring lines, signatures, diagnostics."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from devstral_ls.actions.target.find import Target, language_at
from devstral_ls.code_context import Diagnostic
from devstral_ls.languages.lexing import qualified_names
from devstral_ls.languages.symbols import document_symbols, identifiers_in
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.text import Snapshot, Span, unix_newlines

MAX_IMPORT_CHARS = 1_200
MAX_SIGNATURES = 12
MAX_NEIGHBOURS = 6
"""Lines above and below a selection that are shown."""

MAX_LINE = 200
"""Characters of a line of context."""

MAX_NAMES = 48
"""Names that are looked up in other files."""

_MAX_DIAGNOSTICS = 5

_SELVES = frozenset({"self", "this", "cls", "super"})


def describe_surroundings(
    snapshot: Snapshot, target: Target, syntax: Syntax | None, signatures: Mapping[str, str]
) -> str:
    """The code around ``target`` and what it uses, as text to put in front of it; empty where there is nothing.

    ``signatures`` are those of other files, by name.
    """
    fence = language_at(snapshot).id
    blocks = []
    imports = _as_room_permits([snapshot.of(span) for span in target.scope.imports], MAX_IMPORT_CHARS)
    if imports:
        blocks.append(("The file begins with:", imports))
    headers = [
        unix_newlines(snapshot.of(scope.header))
        for scope in target.scope.scopes
        if scope.span.start < target.span.start
    ]
    if headers:
        blocks.append(("The code is inside of:", headers[-3:]))
    if target.kind in ("selection", "lines"):
        blocks += _neighbours(snapshot, target.span)
    used = _used_definitions(snapshot, target, syntax, signatures)
    if used:
        blocks.append(("It uses:", used))
    return "".join("\n".join((title, f"```{fence}", *lines, "```", "")) for title, lines in blocks)


def foreign_names(syntax: Syntax | None, snapshot: Snapshot, span: Span) -> list[str]:
    """Names used in ``span`` that other files may define: ``a`` and ``a.b``, in the order of the text."""
    if syntax is None:
        return []
    candidates = identifiers_in(syntax, span) - {definition.name for definition in document_symbols(syntax)} - _SELVES
    names = qualified_names(snapshot.of(span), behind_dot=False)
    return list(dict.fromkeys(name for name in names if name.partition(".")[0] in candidates))[:MAX_NAMES]


def describe_diagnostics(snapshot: Snapshot, diagnostics: Sequence[Diagnostic]) -> str:
    """The diagnostics, each with its line."""
    if not diagnostics:
        return "It does not do what it should.\n"
    items = []
    for diagnostic in diagnostics[:_MAX_DIAGNOSTICS]:
        line = snapshot.line(snapshot.line_at(diagnostic.span.start)).strip()[:MAX_LINE]
        code = f" ({diagnostic.code})" if diagnostic.code else ""
        items.append(f"- {' '.join(diagnostic.message.split())[:500]}{code}, on the line `{line}`")
    return "Problem reported in it:\n" + "\n".join(items) + "\n"


def _neighbours(snapshot: Snapshot, span: Span) -> list[tuple[str, list[str]]]:
    first, last = snapshot.line_at(span.start), snapshot.line_at(span.end)
    end = min(snapshot.n_lines, last + 1 + MAX_NEIGHBOURS)
    above = [snapshot.line(line)[:MAX_LINE] for line in range(max(0, first - MAX_NEIGHBOURS), first)]
    below = [snapshot.line(line)[:MAX_LINE] for line in range(last + 1, end)]
    blocks = [("Right above it:", above), ("Right below it:", below)]
    return [(title, lines) for title, lines in blocks if "".join(lines).strip()]


def _used_definitions(
    snapshot: Snapshot, target: Target, syntax: Syntax | None, signatures: Mapping[str, str]
) -> list[str]:
    """First lines of what the target uses: definitions of this file, then those of other files."""
    if syntax is None:
        return []
    names, own = identifiers_in(syntax, target.span) - {target.name}, target.span
    here = [
        _first_line(snapshot, definition.span)
        for definition in document_symbols(syntax)
        if definition.name in names and (definition.span.end <= own.start or definition.span.start >= own.end)
    ]
    text = snapshot.of(own)
    elsewhere = [signature for name, signature in signatures.items() if re.search(rf"\b{re.escape(name)}\b", text)]
    return [line for line in dict.fromkeys([*here, *elsewhere]) if line][:MAX_SIGNATURES]


def _first_line(snapshot: Snapshot, span: Span) -> str:
    """The first line of a definition below its decorators."""
    for line in range(snapshot.line_at(span.start), min(snapshot.n_lines, snapshot.line_at(span.start) + 10)):
        text = snapshot.line(line).strip()
        if not text.startswith(("@", "#[")):
            return text[:MAX_LINE]
    return ""


def _as_room_permits(texts: Sequence[str], max_chars: int) -> list[str]:
    """As many of ``texts`` as have room, and ``...`` where some have none."""
    parts = []
    for text in texts:
        max_chars -= len(text) + 1
        if max_chars < 0:
            parts.append("...")
            break
        parts.append(unix_newlines(text).rstrip("\n"))
    return parts
