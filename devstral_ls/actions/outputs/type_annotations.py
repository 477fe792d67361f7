"""Type annotations: the model writes the definition's header again, and only annotations may be new in it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from devstral_ls.actions.answer import code_in
from devstral_ls.actions.context import ActionContext
from devstral_ls.actions.query import ActionRefused, Result
from devstral_ls.actions.target.find import Target, language_at
from devstral_ls.actions.target.line_style import dedent, reindent
from devstral_ls.languages.code_equality import ANNOTATIONS
from devstral_ls.text import Edit, Snapshot, Span

MAX_TOKENS = 240

_HINTS = {
    "python": " Use built-in types, as in `list[str]`, `dict[str, int]` and `int | None`; nothing may need an import.",
}
"""By queries folder."""

_OPENERS, _CLOSERS = "([{<", ")]}>"


def types_hindrance(snapshot: Snapshot, target: Target) -> str:
    """Why ``target`` cannot be given types; empty if it can."""
    language = language_at(snapshot)
    if language.queries not in ANNOTATIONS:
        return f"{language.name} has no types that could be added"
    if target.kind != "function" or target.header is None:
        return "only functions are given types"
    return ""


async def write_types(context: ActionContext) -> Result:
    """Add types to the parameters and the result.

    Raises:
        ActionRefused: the answer changes more than types, or nothing.
    """
    target, snapshot = context.target, context.snapshot
    if (why := types_hindrance(snapshot, target)) or target.header is None:
        raise ActionRefused(f"{target.words}: {why}")
    span = Span(snapshot.line_starts[snapshot.line_at(target.header.start)], target.header.end)
    context.refuse_secrets(span)
    style = context.line_style(span)
    old = dedent(snapshot.of(span), style)
    shown = context.readable_beginning()
    request = context.request(shown, old[: max(old.find("("), 0)], types=_HINTS.get(context.language.queries, ""))
    request = replace(request, max_tokens=MAX_TOKENS)
    header, fault = "", ""
    for is_last in (False, True):
        answer = await context.chat.ask(request, partial(_has_header, request.prefix, old))
        header = _header_in(code_in(request.prefix, answer.text).text.rstrip() + "\n", old)
        edit = Edit(span, reindent(header, style, old))
        fault = _fault(context, edit, header)
        if not fault:
            await context.draft(edit)
            return context.result(edit=edit, notes=context.note_on_beginning(shown))
        if not is_last:
            context.chat.enter("trying once more")
            again = f"That cannot be used: it {fault}. Write the first lines again; add types, and change nothing else."
            request = request.followed_by(answer, again)
    raise ActionRefused(f"the model's header {fault}" if header else f"the model {fault}")


def _fault(context: ActionContext, edit: Edit, header: str) -> str:
    """What is wrong with the header, as the rest of a sentence; empty if it can be offered."""
    if not header:
        return "wrote no header"
    if edit.text == context.snapshot.of(edit.span):
        return "has no new types"
    if error := context.checks.worse(edit):
        return f"does not parse ({error})"
    if context.checks.changes_code(edit, types=False):
        return "changes more than types"
    if unknown := context.checks.unknown_types(header):
        return f"uses names that are not imported: {', '.join(sorted(unknown)[:4])}"
    return ""


def _has_header(prefix: str, old: str, text: str) -> bool:
    """True when ``text``, the answer so far, has the whole header."""
    return _header_in(code_in(prefix, text).text, old) != ""


def _header_in(text: str, old: str) -> str:
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
