"""Long code in pieces that fit the model's context: cut between statements, and nothing left out."""

from __future__ import annotations

from devstral_ls.actions.target.find import Target
from devstral_ls.generation import ModelInfo
from devstral_ls.languages.symbols import statement_spans
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.prompt.window import CHARACTERS_PER_TOKEN
from devstral_ls.text import Snapshot, Span

OVERHEAD_TOKENS = 900
"""Tokens of a prompt besides the target: instruction and context."""

MAX_PIECE_TOKENS = 2_500
"""Tokens of one piece, however long the context is: small models lose the thread, and the user waits."""

ANSWER_FACTOR = 1.4
"""An answer may be this many times as long as the code it rewrites, and a little longer."""


def piece_chars(model: ModelInfo, *, rewrites: bool = True) -> int:
    """Characters of the longest piece for one request; with ``rewrites`` an answer of its size must fit, too."""
    room = model.context_tokens - OVERHEAD_TOKENS
    n_tokens = min(room / (1 + ANSWER_FACTOR) if rewrites else room * 0.6, MAX_PIECE_TOKENS)
    return max(200, int(n_tokens * CHARACTERS_PER_TOKEN))


def answer_tokens(text: str, model: ModelInfo) -> int:
    """The most tokens of an answer that rewrites ``text``."""
    n_tokens = int(len(text) / CHARACTERS_PER_TOKEN * ANSWER_FACTOR) + 220
    return max(64, min(n_tokens, model.context_tokens // 2))


def pieces(syntax: Syntax | None, snapshot: Snapshot, target: Target, max_chars: int) -> tuple[Span, ...] | None:
    """The target, or groups of its statements of at most ``max_chars``, in order; None where it cannot be cut so."""
    if len(target.span) <= max_chars:
        return (target.span,)
    if syntax is None:
        return None
    return _statement_groups(syntax, snapshot, target.span, max_chars)


def line_pieces(snapshot: Snapshot, span: Span, max_chars: int) -> tuple[Span, ...]:
    """``span`` in groups of whole lines: for reading, where a cut inside a statement does no harm."""
    groups: list[Span] = []
    start = span.start
    for line in range(snapshot.line_at(span.start), snapshot.line_at(span.end) + 1):
        begin, end = snapshot.line_starts[line], snapshot.line_span(line).end
        if end - start > max_chars and begin > start:
            groups.append(Span(start, snapshot.line_span(line - 1).end))
            start = begin
    groups.append(Span(start, span.end))
    return tuple(group for group in groups if snapshot.of(group).strip())


def _statement_groups(syntax: Syntax, snapshot: Snapshot, span: Span, max_chars: int) -> tuple[Span, ...] | None:
    inner = statement_spans(syntax, span)
    if not inner or (len(inner) == 1 and len(inner[0]) >= len(span)):
        return None
    groups: list[Span] = []
    for statement in inner:
        begin = snapshot.line_starts[snapshot.line_at(statement.start)]
        whole = Span(begin, snapshot.line_span(snapshot.line_at(max(statement.end - 1, begin))).end)
        if groups and whole.end - groups[-1].start <= max_chars:
            groups[-1] = Span(groups[-1].start, whole.end)
        elif len(whole) <= max_chars:
            groups.append(whole)
        else:
            parts = _statement_groups(syntax, snapshot, statement, max_chars)
            if parts is None:
                return None
            groups += parts
    return tuple(groups)
