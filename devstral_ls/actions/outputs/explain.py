"""Explanations: Markdown for people, in parts where the code is long."""

from __future__ import annotations

from dataclasses import replace

from devstral_ls.actions.context import ActionContext
from devstral_ls.actions.query import ActionRefused, Result
from devstral_ls.actions.target.pieces import line_pieces, piece_chars, pieces

MAX_TOKENS = 300
"""Tokens of the explanation of one part."""


async def write_explanation(context: ActionContext) -> Result:
    """Explain the target.

    Raises:
        ActionRefused: the model wrote nothing.
    """
    max_chars = piece_chars(context.model, rewrites=False)
    spans = pieces(context.checks.syntax, context.snapshot, context.target, max_chars)
    spans = spans or line_pieces(context.snapshot, context.target.span, max_chars)
    parts = []
    for number, span in enumerate(spans):
        if len(spans) > 1:
            context.chat.enter(f"part {number + 1} of {len(spans)}")
        request = context.request(replace(context.target, span=span), None)
        answer = await context.chat.ask(replace(request, max_tokens=MAX_TOKENS))
        if text := _tidy(answer.text, complete=answer.complete):
            line = context.snapshot.line_at(span.start) + 1
            parts.append(text if len(spans) == 1 else f"### From line {line}\n\n{text}")
    if not parts:
        raise ActionRefused("the model wrote nothing")
    return context.result(markdown="\n\n".join(parts) + "\n")


def _tidy(text: str, *, complete: bool) -> str:
    """``text`` without half a sentence at its end, and with its fences closed."""
    text = text.strip()
    if not complete:
        end = max(text.rfind("\n"), text.rfind(". ") + 1)
        text = (text[:end].rstrip() if end > 0 else text) + "\n\n…"
        text = text.lstrip("\n")
    return text + "\n```" if text.count("```") % 2 else text
