"""Long code in pieces that fit: cut between statements, never in one, and never with something left out."""

from __future__ import annotations

from devstral_ls.actions.target import Target
from devstral_ls.generation import ModelInfo
from devstral_ls.languages.defined import statements
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.prompt.window import CHARACTERS_PER_TOKEN
from devstral_ls.text import Snapshot, Span

OVERHEAD_TOKENS = 900
"""Of a prompt beside the target: instruction and context."""

MAX_PIECE_TOKENS = 2_500
"""Of one piece, however long the context is: small models lose the thread, and somebody waits."""

ANSWER = 1.4
"""An answer may be so many times as long as the code it is about, and a little more."""


def piece_chars(model: ModelInfo, *, rewrites: bool = True) -> int:
    """Characters of the longest piece of code one question may be about: it, and an answer of its size, must fit."""
    room = model.context_tokens - OVERHEAD_TOKENS
    n_tokens = min(room / (1 + ANSWER) if rewrites else room * 0.6, MAX_PIECE_TOKENS)
    return max(200, int(n_tokens * CHARACTERS_PER_TOKEN))


def answer_tokens(text: str, model: ModelInfo) -> int:
    """The most tokens of an answer that rewrites ``text``."""
    wanted = int(len(text) / CHARACTERS_PER_TOKEN * ANSWER) + 220
    return max(64, min(wanted, model.context_tokens // 2))


def pieces(syntax: Syntax | None, snapshot: Snapshot, target: Target, max_chars: int) -> tuple[Span, ...] | None:
    """The target, or groups of its statements that are short enough, in order; ``None``: it cannot be cut so."""
    if len(target.span) <= max_chars:
        return (target.span,)
    if syntax is None:
        return None
    return _cut(syntax, snapshot, target.span, max_chars)


def line_pieces(snapshot: Snapshot, span: Span, max_chars: int) -> tuple[Span, ...]:
    """``span`` in groups of whole lines: for reading, where a cut inside of a statement does no harm."""
    found: list[Span] = []
    start = span.start
    for line in range(snapshot.line_at(span.start), snapshot.line_at(span.end) + 1):
        begin, end = snapshot.line_starts[line], snapshot.line_span(line).end
        if end - start > max_chars and begin > start:
            found.append(Span(start, snapshot.line_span(line - 1).end))
            start = begin
    found.append(Span(start, span.end))
    return tuple(one for one in found if snapshot.of(one).strip())


def _cut(syntax: Syntax, snapshot: Snapshot, span: Span, max_chars: int) -> tuple[Span, ...] | None:
    found = statements(syntax, span)
    if not found or (len(found) == 1 and len(found[0]) >= len(span)):
        return None
    groups: list[Span] = []
    for one in found:
        begin = snapshot.line_starts[snapshot.line_at(one.start)]
        whole = Span(begin, snapshot.line_span(snapshot.line_at(max(one.end - 1, begin))).end)
        if groups and whole.end - groups[-1].start <= max_chars:
            groups[-1] = Span(groups[-1].start, whole.end)
        elif len(whole) <= max_chars:
            groups.append(whole)
        else:
            inner = _cut(syntax, snapshot, one, max_chars)
            if inner is None:
                return None
            groups += inner
    return tuple(groups)
