"""Types: the model writes the definition's header again, and nothing but annotations may be new in it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from devstral_ls.actions.answer import code_in
from devstral_ls.actions.indentation import dedent, reindent
from devstral_ls.actions.job import ActionContext
from devstral_ls.actions.query import ActionRefused, Result
from devstral_ls.actions.replace import TOO_LONG
from devstral_ls.actions.target import Target, language_at
from devstral_ls.errors import PromptTooLong
from devstral_ls.languages.code_equality import ANNOTATIONS
from devstral_ls.text import Edit, Snapshot, Span

MAX_TOKENS = 240

_HINTS = {
    "python": " Use built-in types, as in `list[str]`, `dict[str, int]` and `int | None`; nothing may need an import.",
}
"""By queries folder."""

_OPENERS, _CLOSERS = "([{<", ")]}>"


def typable(snapshot: Snapshot, target: Target) -> str:
    """Why ``target`` cannot be given types; empty if it can."""
    language = language_at(snapshot)
    if language.queries not in ANNOTATIONS:
        return f"{language.name} has no types that could be added"
    if target.kind != "function" or target.header is None:
        return "only functions are given types"
    return ""


async def typed(job: ActionContext) -> Result:
    """Give the parameters and the result types.

    Raises:
        ActionRefused: the answer changes more than that, or nothing.
    """
    target = job.target
    if (why := typable(job.snapshot, target)) or target.header is None:
        raise ActionRefused(f"{target.words}: {why}")
    span = Span(job.snapshot.line_starts[job.snapshot.line_at(target.header.start)], target.header.end)
    job.keep_secrets(span)
    shape = job.shape(span)
    old = dedent(job.snapshot.of(span), shape)
    begun = old[: max(old.find("("), 0)]
    shown = job.beginning()
    question = job.question(shown, begun, types=_HINTS.get(language_at(job.snapshot).queries, ""))
    question = replace(question, max_tokens=MAX_TOKENS)
    fault = ""
    for attempt in range(2):
        try:
            answer = await job.asker.ask(question, partial(_is_there, question.opened, old))
        except PromptTooLong as error:
            raise ActionRefused(f"{target.words} is too long for {job.model.name}", hint=TOO_LONG) from error
        header = _cut(code_in(question.opened, answer.text).text.rstrip() + "\n", old)
        edit = Edit(span, reindent(header, shape, old)) if header else None
        fault = "wrote no header" if edit is None else _fault(job, edit, header)
        if not fault and edit is not None:
            if job.heard.draft is not None:
                await job.heard.draft(edit)
            return job.result(edit=edit, notes=job.in_part(shown))
        if attempt == 0:
            job.asker.stage = "trying once more"
            again = f"That cannot be used: it {fault}. Write the first lines again; add types, and change nothing else."
            question = replace(question, turns=((question.user, question.opened + answer.text),), user=again)
    raise ActionRefused(f"the model's header {fault}" if fault != "wrote no header" else "the model wrote no header")


def _is_there(opened: str, old: str, text: str) -> bool:
    return _cut(code_in(opened, text).text, old) != ""


def _fault(job: ActionContext, edit: Edit, header: str) -> str:
    if edit.text == job.snapshot.of(edit.span):
        return "has no new types"
    if worse := job.checks.worse(edit):
        return f"does not parse ({worse})"
    if job.checks.changes_code(edit, types=False):
        return "changes more than types"
    if unknown := job.checks.unknown_types(header):
        return f"uses names that are not imported: {', '.join(sorted(unknown)[:4])}"
    return ""


def _cut(text: str, old: str) -> str:
    """The header at the beginning of ``text``: to the line that ends as the old one did, brackets closed."""
    last = old.rstrip()[-1:]
    depth = 0
    for at, sign in enumerate(text):
        if sign == last and depth == 0 and text[at + 1 : at + 2] == "\n":
            return text[: at + 1]
        before = text[at - 1 : at]
        if sign in _OPENERS:
            depth += 1
        elif sign in _CLOSERS and not (sign == ">" and before in "-="):
            depth -= 1
    return ""
