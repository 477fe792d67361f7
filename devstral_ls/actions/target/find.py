"""Find the code an action works on, from the range and the syntax tree: whole lines."""

from __future__ import annotations

from dataclasses import dataclass, replace

from devstral_ls.actions.table import Action, TargetKind
from devstral_ls.languages.language import Language
from devstral_ls.languages.scopes.cursor import CursorScope, Scope
from devstral_ls.languages.scopes.tree import scope_at
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.languages.table import language_of
from devstral_ls.text import Snapshot, Span

NEAR_LINES = 8
"""The most lines above and below a diagnostic that is in no definition."""

_SHOWN_NAME = 40


@dataclass(frozen=True, slots=True)
class Target:
    """The code an action works on."""

    kind: str
    """``function``, ``class``, ``selection``, ``lines`` or ``file``."""
    name: str
    """Of the definition; empty for other code."""
    span: Span
    """Whole lines, from the first line's indentation to the end of the last one, without its line end."""
    header: Span | None
    """From the definition's first line to the ``:`` or ``{``; None for other code."""
    scope: CursorScope
    selection: Span | None = None
    """The selected lines, where they are only a part of the target."""

    @property
    def words(self) -> str:
        """The target in words, for people."""
        if self.name:
            name = self.name if len(self.name) <= _SHOWN_NAME else f"{self.name[:_SHOWN_NAME]}…"
            return f"`{name}`"
        return {"function": "this function", "class": "this class", "file": "this file"}.get(self.kind, "the selection")


def target_of(
    action: Action, syntax: Syntax | None, snapshot: Snapshot, span: Span, diagnostics: tuple[Span, ...] = ()
) -> Target | str:
    """The target of ``action`` at ``span``, or the reason why there is none, in words.

    ``diagnostics`` are the places of those to fix.
    """
    if not snapshot.text.strip():
        return "the file is empty"
    selected = _selected(snapshot, span)
    if action.target is TargetKind.DIAGNOSTIC:
        at = diagnostics[0] if diagnostics else span
        return _around(syntax, snapshot, at) or _near(syntax, snapshot, at)
    if action.target is TargetKind.FUNCTION:
        return _around(syntax, snapshot, span) or "the cursor is in no function"
    if action.target is TargetKind.SELECTION:
        return _enclosing_function(syntax, snapshot, selected)
    if selected is not None:
        return _of_selection(syntax, snapshot, selected)
    enclosing = _around(syntax, snapshot, span)
    if enclosing is not None or action.target is TargetKind.CODE:
        return enclosing or "select the code, or go into a function"
    return Target("file", "", _trimmed(snapshot, Span(0, len(snapshot.text))), None, CursorScope())


def _enclosing_function(syntax: Syntax | None, snapshot: Snapshot, selected: Span | None) -> Target | str:
    if selected is None:
        return "select the lines to extract"
    function = _around(syntax, snapshot, selected, kinds=("function",))
    if function is None:
        return "the selection is not inside a function"
    if function.span == selected or function.header is None or selected.start < function.header.end:
        return "select a part of the function's body"
    return replace(function, selection=selected)


def _of_selection(syntax: Syntax | None, snapshot: Snapshot, selected: Span) -> Target:
    around = _around(syntax, snapshot, selected)
    if around is not None and around.span == selected:
        return around
    inner = scope_at(syntax, snapshot, selected.start)
    enclosing = tuple(
        scope for scope in inner.scopes if scope.span.end >= selected.end and scope.span.start < selected.start
    )
    return Target("selection", "", selected, None, CursorScope(enclosing, inner.imports))


def _selected(snapshot: Snapshot, span: Span) -> Span | None:
    """The whole lines of a selection, without blank ones at its ends; None for a cursor or a single word."""
    if not snapshot.of(span).strip():
        return None
    first, last = snapshot.line_at(span.start), snapshot.line_at(span.end)
    if last > first and span.end == snapshot.line_starts[last]:
        last -= 1
    if first == last and snapshot.of(span).strip() != snapshot.line(first).strip():
        return None
    return _trimmed(snapshot, Span(snapshot.line_starts[first], snapshot.line_span(last).end))


def _trimmed(snapshot: Snapshot, span: Span) -> Span:
    """``span`` without blank lines at its ends."""
    text = snapshot.of(span)
    body = text.strip()
    start = span.start + text.index(body) if body else span.start
    return Span(snapshot.line_starts[snapshot.line_at(start)], start + len(body))


def _around(
    syntax: Syntax | None, snapshot: Snapshot, span: Span, kinds: tuple[str, ...] = ("function", "class")
) -> Target | None:
    """The innermost definition that contains ``span``; its first lines, decorators included, belong to it."""
    line = snapshot.line_span(snapshot.line_at(span.start))
    text = snapshot.of(line)
    first = line.start + len(text) - len(text.lstrip())
    best: tuple[CursorScope, Scope] | None = None
    for offset in (max(span.start, min(first + 1, line.end)), line.end, *_below_decorators(snapshot, line)):
        at_offset = scope_at(syntax, snapshot, offset)
        for scope in at_offset.scopes:
            contains = scope.span.start <= max(span.start, first) and scope.span.end >= min(span.end, line.end)
            is_smaller = best is None or len(scope.span) < len(best[1].span)
            if scope.kind in kinds and scope.name and contains and span.end <= scope.span.end and is_smaller:
                best = at_offset, scope
    return None if best is None else _of_scope(snapshot, *best)


def _below_decorators(snapshot: Snapshot, line: Span) -> tuple[int, ...]:
    """For a line with a decorator or attribute, the end of the first line below that has none; else empty."""
    number = snapshot.line_at(line.start)
    if not snapshot.line(number).lstrip().startswith(("@", "#[")):
        return ()
    for below in range(number + 1, min(number + 10, snapshot.n_lines)):
        if not snapshot.line(below).lstrip().startswith(("@", "#[")):
            return (snapshot.line_span(below).end,)
    return ()


def _of_scope(snapshot: Snapshot, around: CursorScope, scope: Scope) -> Target:
    own = scope.span
    outer = tuple(other for other in around.scopes if other.span.start < own.start and other.span.end >= own.end)
    start = snapshot.line_starts[snapshot.line_at(own.start)]
    if snapshot.text[start : own.start].strip():
        start = own.start
    end = snapshot.line_span(snapshot.line_at(max(own.end - 1, start))).end
    if snapshot.text[own.end : end].strip(" \t;,)"):
        end = own.end
    span = Span(start, start + len(snapshot.text[start:end].rstrip()))
    return Target(scope.kind, scope.name, span, scope.header, CursorScope(outer, around.imports))


def _near(syntax: Syntax | None, snapshot: Snapshot, at: Span) -> Target:
    """The paragraph of lines around a diagnostic that is in no definition."""
    first, last = snapshot.line_at(at.start), snapshot.line_at(max(at.end - 1, at.start))
    low, high = max(0, first - NEAR_LINES), min(snapshot.n_lines - 1, last + NEAR_LINES)
    while first > low and snapshot.line(first - 1).strip():
        first -= 1
    while last < high and snapshot.line(last + 1).strip():
        last += 1
    scope = scope_at(syntax, snapshot, at.start)
    span = _trimmed(snapshot, Span(snapshot.line_starts[first], snapshot.line_span(last).end))
    return Target("lines", "", span, None, CursorScope((), scope.imports))


def language_at(snapshot: Snapshot) -> Language:
    """The row of the document's language."""
    return language_of(snapshot.language, snapshot.uri)
