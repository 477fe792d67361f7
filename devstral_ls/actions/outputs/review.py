"""Reviews (experimental): the model repairs bugs, and every repair that changes code is a finding.

A finding without a repair is only an opinion: small models have one about every line. Changes that still parse are much
rarer and can be shown. Where the engine reports probabilities, a repair must also be more likely code than what it
repairs: a small model that is told to repair code changes correct code, too.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from functools import partial

from devstral_ls.actions.answer import code_in, is_closed
from devstral_ls.actions.chat_session import ChatRequest
from devstral_ls.actions.context import ActionContext
from devstral_ls.actions.outputs.likelihood import is_likelier
from devstral_ls.actions.query import ActionRefused, Finding, Result
from devstral_ls.actions.target.find import Target
from devstral_ls.actions.target.line_style import dedent, reindent
from devstral_ls.actions.target.pieces import line_pieces, piece_chars, pieces
from devstral_ls.code_context import Severity
from devstral_ls.languages.symbols import document_symbols
from devstral_ls.text import Edit, Snapshot, Span, apply

MAX_FINDINGS = 8
"""Findings of one piece; a model that changes more rewrites instead of repairing."""

MAX_LINES = 4
"""Lines of one finding."""

MAX_MESSAGE_TOKENS = 48

CODES: dict[str, Severity] = {
    "off-by-one": "error",
    "wrong-operator": "error",
    "wrong-condition": "error",
    "wrong-value": "error",
    "missing-check": "warning",
    "resource": "warning",
    "bug": "warning",
}
"""The codes of findings, and their severity."""


async def write_review(context: ActionContext) -> Result:
    """Look for bugs in the target.

    Raises:
        ActionRefused: no answer can be compared with the code.
    """
    findings: list[Finding] = []
    spans = _spans(context)
    n_unusable = 0
    for number, span in enumerate(spans):
        context.chat.enter(f"reading part {number + 1} of {len(spans)}" if len(spans) > 1 else "reading")
        of_piece = await _review_piece(context, span)
        n_unusable += of_piece is None
        findings += of_piece or ()
    if n_unusable == len(spans):
        raise ActionRefused("the model wrote no code that could be compared", hint="Ask again, or with less code.")
    notes = (f"{n_unusable} of {len(spans)} parts could not be reviewed",) if n_unusable else ()
    return context.result(findings=tuple(findings), reviewed=context.target.span, notes=notes)


def _spans(context: ActionContext) -> tuple[Span, ...]:
    """A file function by function, anything else as a whole; in pieces where it is long."""
    target, snapshot, syntax = context.target, context.snapshot, context.checks.syntax
    max_chars = piece_chars(context.model)
    functions: list[Span] = []
    if target.kind == "file" and syntax is not None:
        end = -1
        for item in document_symbols(syntax):
            if item.kind == "function" and item.span.start >= end:
                functions.append(Span(snapshot.line_starts[snapshot.line_at(item.span.start)], item.span.end))
                end = item.span.end
    spans: list[Span] = []
    for span in functions or [target.span]:
        cut = pieces(syntax, snapshot, replace(target, span=span), max_chars)
        spans += cut or line_pieces(snapshot, span, max_chars)
    return tuple(spans)


async def _review_piece(context: ActionContext, span: Span) -> list[Finding] | None:
    """The findings in ``span``; None if the answer cannot be compared with it."""
    whole = span == context.target.span and context.target.kind != "file"
    target = context.target if whole else replace(context.target, kind="selection", name="", span=span, header=None)
    style = context.line_style(span)
    old = dedent(context.snapshot.of(span), style)
    request = context.request(target, _header_lines(context.snapshot, target, old))
    answer = await context.chat.ask(request, partial(is_closed, request.prefix))
    code = code_in(request.prefix, answer.text)
    if not code.in_fence or not code.text.strip() or not (answer.complete or code.closed):
        return None
    repairs = _repairs(context, target, old, dedent(reindent(code.text, style, old), style))
    if repairs is None:
        return None
    findings = []
    for edit, finding in repairs:
        context.chat.enter("weighing a repair")
        if await is_likelier(context.chat, context.snapshot, edit) is not False:
            findings.append(finding)
    described = replace(request.followed_by(answer, ""), stop=("\n",), prefix="", max_tokens=MAX_MESSAGE_TOKENS)
    return [await _with_message(context, described, finding) for finding in findings]


def _header_lines(snapshot: Snapshot, target: Target, code: str) -> str:
    """The lines of ``code`` that have the target's header; empty where it is all of it, or there is none."""
    if target.header is None:
        return ""
    n_lines = snapshot.line_at(target.header.end) - snapshot.line_at(target.span.start) + 1
    return "".join(f"{line}\n" for line in code.split("\n")[:n_lines]) if n_lines < code.count("\n") + 1 else ""


def _repairs(context: ActionContext, target: Target, old: str, new: str) -> list[tuple[Edit, Finding]] | None:
    """The changes from ``old`` to ``new`` that are repairs; None if the answer is a rewrite.

    The message of each finding is the new code until ``_with_message`` replaces it.
    """
    before, after = old.split("\n"), new.split("\n")
    first = context.snapshot.line_at(target.span.start)
    style = context.line_style(target.span)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
    n_changed = sum(high - low for _, low, high, _, _ in changes)
    if n_changed > max(4, len(before) // 2):
        return None
    repairs = []
    for _, low, high, new_low, new_high in changes:
        if high - low > MAX_LINES or new_high - new_low > MAX_LINES + 2:
            continue
        lines = after[new_low:new_high]
        texts = [f"{style.indent}{text}".rstrip() if text.strip() else "" for text in lines]
        span = _lines_span(context.snapshot, first + low, first + high)
        edit = Edit(span, "".join(f"{text}{style.line_end}" for text in texts))
        if not _is_repair(context, edit):
            continue
        fix = texts[0] if high - low == 1 and new_high - new_low == 1 else None
        line = first + min(low, len(before) - 1)
        related = target.span if target.name else None
        repairs.append((edit, Finding(line, "warning", "bug", "\n".join(lines), fix, related)))
    return repairs[:MAX_FINDINGS]


def _is_repair(context: ActionContext, edit: Edit) -> bool:
    """True when ``edit`` changes code that the model has seen, parses, and adds no definition."""
    span = edit.span
    if any(secret.start < span.end and span.start < secret.end for secret in context.secrets):
        return False
    return not context.checks.worse(edit) and _changes_code(context, edit) and not _adds_definitions(context, edit)


def _changes_code(context: ActionContext, edit: Edit) -> bool:
    """True when ``edit`` changes more than comments; without a grammar, more than white space."""
    if context.checks.syntax is not None:
        return context.checks.changes_code(edit, types=False)
    before, after = context.snapshot.text, apply(context.snapshot.text, edit)
    return re.sub(r"\s", "", before) != re.sub(r"\s", "", after)


def _adds_definitions(context: ActionContext, edit: Edit) -> bool:
    """True when the document has more definitions afterwards: small models repeat those above."""
    before, after = context.checks.syntax, context.checks.after(edit)
    return before is not None and after is not None and len(document_symbols(after)) > len(document_symbols(before))


def _lines_span(snapshot: Snapshot, first: int, end: int) -> Span:
    starts = [*snapshot.line_starts, len(snapshot.text)]
    return Span(starts[min(first, len(starts) - 1)], starts[min(end, len(starts) - 1)])


async def _with_message(context: ActionContext, request: ChatRequest, finding: Finding) -> Finding:
    """``finding`` with the model's code and sentence for it."""
    context.chat.enter("putting it in words")
    old, new = context.snapshot.line(finding.line).strip(), finding.message.strip()
    user = (
        f"You changed `{old}` to `{new}`. What is wrong with the first one? Answer in one line, "
        f"with one of these words, a colon and a short sentence: {', '.join(CODES)}."
    )
    answer = await context.chat.ask(replace(request, user=user))
    code, message = _code_and_message(answer.text)
    first_line = new.split("\n")[0]
    if not message or not answer.complete:
        message = f"this looks wrong; it may have to be `{first_line}`" if first_line else "this looks out of place"
    return replace(finding, code=code, severity=CODES[code], message=message)


def _code_and_message(text: str) -> tuple[str, str]:
    """The code and the sentence of an answer; either may be missing."""
    line = next((line.strip() for line in text.split("\n") if line.strip()), "")
    bare = re.sub(r"[`*]", "", line).lstrip("- ")
    for code in CODES:
        if re.match(rf"{code.replace('-', '[- ]')}\b", bare, re.IGNORECASE):
            return code, bare[len(code) :].lstrip(" :-.").strip()
    return "bug", bare
