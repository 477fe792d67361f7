"""Explanations: Markdown for people, in parts where the code is long."""

from __future__ import annotations

from dataclasses import replace

from devstral_ls.actions.job import ActionContext
from devstral_ls.actions.query import ActionRefused, Result
from devstral_ls.actions.replace import TOO_LONG
from devstral_ls.actions.windows import line_pieces, piece_chars, pieces
from devstral_ls.errors import PromptTooLong

MAX_TOKENS = 300
"""Of the explanation of one part."""


async def explanation(job: ActionContext) -> Result:
    """Say what the target does.

    Raises:
        ActionRefused: the model wrote nothing.
    """
    limit = piece_chars(job.model, rewrites=False)
    spans = pieces(job.checks.syntax, job.snapshot, job.target, limit)
    spans = spans or line_pieces(job.snapshot, job.target.span, limit)
    said = []
    for number, span in enumerate(spans):
        if len(spans) > 1:
            job.asker.stage = f"part {number + 1} of {len(spans)}"
        question = job.question(replace(job.target, span=span), None)
        try:
            answer = await job.asker.ask(replace(question, max_tokens=MAX_TOKENS))
        except PromptTooLong as error:
            raise ActionRefused(f"{job.target.words} is too long for {job.model.name}", hint=TOO_LONG) from error
        if text := _tidy(answer.text, complete=answer.complete):
            line = job.snapshot.line_at(span.start) + 1
            said.append(text if len(spans) == 1 else f"### From line {line}\n\n{text}")
    if not said:
        raise ActionRefused("the model wrote nothing")
    return job.result(markdown="\n\n".join(said) + "\n")


def _tidy(text: str, *, complete: bool) -> str:
    """Without half a sentence at the end, and with fences closed."""
    text = text.strip()
    if not complete:
        ends = max(text.rfind("\n"), text.rfind(". ") + 1)
        text = (text[:ends].rstrip() if ends > 0 else text) + "\n\n…"
        text = text.lstrip("\n")
    return text + "\n```" if text.count("```") % 2 else text
