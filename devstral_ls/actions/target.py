"""The piece of code an action works on: whole lines, found from the range and the syntax tree."""

from __future__ import annotations

from dataclasses import dataclass

from devstral_ls.actions.table import Action, TargetKind
from devstral_ls.languages.language import Language
from devstral_ls.languages.scopes.tree import CursorScope, Scope, scope_at
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.languages.table import language_of
from devstral_ls.text import Snapshot, Span

NEAR_LINES = 8
"""At most so many lines above and below a problem that is in no definition."""

_SHOWN_NAME = 40


@dataclass(frozen=True, slots=True)
class Target:
    """What is worked on."""

    kind: str
    """``function``, ``class``, ``selection``, ``lines`` or ``file``."""
    name: str
    """Of the definition; empty where there is none."""
    span: Span
    """Whole lines, from the first line's indentation to the end of the last one, without its line end."""
    header: Span | None
    """From the definition's first line to the ``:`` or ``{``; ``None`` where it is none."""
    scope: CursorScope
    selection: Span | None = None
    """The lines that were selected, where they are not the target itself."""

    @property
    def words(self) -> str:
        """The target for people."""
        if self.name:
            name = self.name if len(self.name) <= _SHOWN_NAME else f"{self.name[:_SHOWN_NAME]}…"
            return f"`{name}`"
        return {"function": "this function", "class": "this class", "file": "this file"}.get(self.kind, "the selection")


def target_of(
    action: Action, syntax: Syntax | None, snapshot: Snapshot, span: Span, problems: tuple[Span, ...] = ()
) -> Target | str:
    """The target of ``action`` at ``span``, or in words why there is none."""
    if not snapshot.text.strip():
        return "the file is empty"
    selected = _selected(snapshot, span)
    if action.where is TargetKind.PROBLEM:
        at = problems[0] if problems else span
        return _around(syntax, snapshot, at) or _near(syntax, snapshot, at)
    if action.where is TargetKind.FUNCTION:
        return _around(syntax, snapshot, span) or "the cursor is in no function"
    if action.where is TargetKind.SELECTION:
        return _enclosing_function(syntax, snapshot, selected)
    if selected is not None:
        return _of_selection(syntax, snapshot, selected)
    found = _around(syntax, snapshot, span)
    if found is not None or action.where is TargetKind.CODE:
        return found or "select the code, or go into a function"
    return Target("file", "", _trimmed(snapshot, Span(0, len(snapshot.text))), None, CursorScope())


def _enclosing_function(syntax: Syntax | None, snapshot: Snapshot, selected: Span | None) -> Target | str:
    if selected is None:
        return "select the lines to extract"
    found = _around(syntax, snapshot, selected, kinds=("function",))
    if found is None:
        return "the selection is not inside a function"
    if found.span == selected or found.header is None or selected.start < found.header.end:
        return "select a part of the function's body"
    return Target(found.kind, found.name, found.span, found.header, found.scope, selected)


def _of_selection(syntax: Syntax | None, snapshot: Snapshot, selected: Span) -> Target:
    around = _around(syntax, snapshot, selected)
    if around is not None and around.span == selected:
        return around
    inner = scope_at(syntax, snapshot, selected.start)
    enclosing = tuple(one for one in inner.scopes if one.span.end >= selected.end and one.span.start < selected.start)
    return Target("selection", "", selected, None, CursorScope(enclosing, inner.imports))


def _selected(snapshot: Snapshot, span: Span) -> Span | None:
    """The whole lines of a selection, blank ones at its ends left out; ``None`` for a mere cursor."""
    if not snapshot.of(span).strip():
        return None
    first, last = snapshot.line_at(span.start), snapshot.line_at(span.end)
    if last > first and span.end == snapshot.line_starts[last]:
        last -= 1
    if first == last and snapshot.of(span).strip() != snapshot.line(first).strip():
        return None  # a word, not code
    return _trimmed(snapshot, Span(snapshot.line_starts[first], snapshot.line_span(last).end))


def _trimmed(snapshot: Snapshot, span: Span) -> Span:
    """Without blank lines at the ends."""
    text = snapshot.of(span)
    body = text.strip()
    start = span.start + text.index(body) if body else span.start
    return Span(snapshot.line_starts[snapshot.line_at(start)], start + len(body))


def _around(
    syntax: Syntax | None, snapshot: Snapshot, span: Span, kinds: tuple[str, ...] = ("function", "class")
) -> Target | None:
    """The innermost definition that holds ``span``; on its first lines one is in it, too."""
    line = snapshot.line_span(snapshot.line_at(span.start))
    text = snapshot.of(line)
    first = line.start + len(text) - len(text.lstrip())
    best: tuple[CursorScope, Scope] | None = None
    for offset in (max(span.start, min(first + 1, line.end)), line.end, *_below_decorators(snapshot, line)):
        scope = scope_at(syntax, snapshot, offset)
        for one in scope.scopes:
            holds = one.span.start <= max(span.start, first) and one.span.end >= min(span.end, line.end)
            is_better = best is None or len(one.span) < len(best[1].span)
            if one.kind in kinds and one.name and holds and span.end <= one.span.end and is_better:
                best = scope, one
    return None if best is None else _of_scope(snapshot, *best)


def _below_decorators(snapshot: Snapshot, line: Span) -> tuple[int, ...]:
    """On a decorator or attribute: the end of the first line below that is none."""
    number = snapshot.line_at(line.start)
    if not snapshot.line(number).lstrip().startswith(("@", "#[")):
        return ()
    for below in range(number + 1, min(number + 10, snapshot.n_lines)):
        if not snapshot.line(below).lstrip().startswith(("@", "#[")):
            return (snapshot.line_span(below).end,)
    return ()


def _of_scope(snapshot: Snapshot, scope: CursorScope, one: Scope) -> Target:
    outer = tuple(
        other for other in scope.scopes if other.span.start < one.span.start and other.span.end >= one.span.end
    )
    start = snapshot.line_starts[snapshot.line_at(one.span.start)]
    if snapshot.text[start : one.span.start].strip():
        start = one.span.start
    end = snapshot.line_span(snapshot.line_at(max(one.span.end - 1, start))).end
    rest = snapshot.text[one.span.end : end]
    if rest.strip(" \t;,)"):
        end = one.span.end
    text = snapshot.text[start:end]
    span = Span(start, start + len(text.rstrip()))
    return Target(one.kind, one.name, span, one.header, CursorScope(outer, scope.imports))


def _near(syntax: Syntax | None, snapshot: Snapshot, at: Span) -> Target:
    """The paragraph of lines around a problem that is in no definition."""
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
