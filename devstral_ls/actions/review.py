"""Reviews: the model repairs what it takes for bugs, and every repair that changes code is a finding.

A finding without a repair is only an opinion: small models have one about every line. What they would change, and what
still parses then, is much rarer and can be shown. Where the engine tells probabilities, a repair must also be likelier
than what it repairs: a small model that is asked to repair repairs what is right.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import replace

from devstral_ls.actions.answer import code_in
from devstral_ls.actions.chat_session import Question
from devstral_ls.actions.indentation import dedent, reindent
from devstral_ls.actions.job import ActionContext
from devstral_ls.actions.likelihood import is_likelier
from devstral_ls.actions.query import ActionRefused, Finding, Result, Severity
from devstral_ls.actions.replace import TOO_LONG
from devstral_ls.actions.target import Target
from devstral_ls.actions.windows import line_pieces, piece_chars, pieces
from devstral_ls.errors import PromptTooLong
from devstral_ls.languages.defined import outline
from devstral_ls.text import Edit, Snapshot, Span, apply

MAX_FINDINGS = 8
"""Of one piece; a model that changes more rewrites instead of repairing."""

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
"""What a finding may be, and how bad that is."""


async def review(job: ActionContext) -> Result:
    """Look for bugs in the target.

    Raises:
        ActionRefused: it is too long even in pieces, or the model wrote something else.
    """
    findings: list[Finding] = []
    spans = _spans(job)
    n_unusable = 0
    for number, span in enumerate(spans):
        job.asker.stage = f"reading part {number + 1} of {len(spans)}" if len(spans) > 1 else "reading"
        found = await _piece(job, span)
        n_unusable += found is None
        findings += found or ()
    if n_unusable == len(spans):
        raise ActionRefused("the model wrote no code that could be compared", hint="Ask again, or with less code.")
    notes = (f"{n_unusable} of {len(spans)} parts could not be reviewed",) if n_unusable else ()
    return job.result(findings=tuple(findings), reviewed=job.target.span, notes=notes)


def _spans(job: ActionContext) -> tuple[Span, ...]:
    """A file function by function, anything else as a whole, in pieces where it is long."""
    target, syntax, limit = job.target, job.checks.syntax, piece_chars(job.model)
    parts: list[Span] = []
    if target.kind == "file" and syntax is not None:
        end = -1
        for one in outline(syntax):
            if one.kind == "function" and one.span.start >= end:
                start = job.snapshot.line_starts[job.snapshot.line_at(one.span.start)]
                parts.append(Span(start, one.span.end))
                end = one.span.end
    found: list[Span] = []
    for part in parts or [target.span]:
        cut = pieces(syntax, job.snapshot, replace(target, span=part), limit)
        found += cut or line_pieces(job.snapshot, part, limit)
    return tuple(found)


async def _piece(job: ActionContext, span: Span) -> list[Finding] | None:
    """The findings in ``span``; ``None`` if the answer is no use."""
    whole = span == job.target.span and job.target.kind != "file"
    target = job.target if whole else replace(job.target, kind="selection", name="", span=span, header=None)
    shape = job.shape(span)
    old = dedent(job.snapshot.of(span), shape)
    begun = _first_lines(job, target, old)
    question = job.question(target, begun)
    try:
        answer = await job.asker.ask(
            question, lambda text: text.endswith("\n") and code_in(question.opened, text).closed
        )
    except PromptTooLong as error:
        raise ActionRefused(f"{target.words} is too long for {job.model.name}", hint=TOO_LONG) from error
    code = code_in(question.opened, answer.text)
    if not code.in_fence or not code.text.strip() or not (answer.complete or code.closed):
        return None
    new = dedent(reindent(code.text, shape, old), shape)
    repairs = _repairs(job, target, old, new)
    if repairs is None:
        return None
    findings = []
    for edit, finding in repairs:
        job.asker.stage = "weighing a repair"
        if await is_likelier(job.asker, job.snapshot, edit) is not False:
            findings.append(finding)
    told = replace(question, turns=((question.user, question.opened + answer.text),), stop=("\n",), opened="")
    return [await _told(job, told, finding) for finding in findings]


def _first_lines(job: ActionContext, target: Target, old: str) -> str:
    if target.header is None:
        return ""
    snapshot = job.snapshot
    n_lines = snapshot.line_at(target.header.end) - snapshot.line_at(target.span.start) + 1
    return "".join(f"{line}\n" for line in old.split("\n")[:n_lines]) if n_lines < old.count("\n") + 1 else ""


def _repairs(job: ActionContext, target: Target, old: str, new: str) -> list[tuple[Edit, Finding]] | None:
    """Every change that is one of code; ``None`` if the answer is a rewrite."""
    before, after = old.split("\n"), new.split("\n")
    first = job.snapshot.line_at(target.span.start)
    shape = job.shape(target.span)
    findings = []
    changes = [
        op for op in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if op[0] != "equal"
    ]
    n_changed = sum(op[2] - op[1] for op in changes)
    if n_changed > max(4, len(before) // 2):
        return None
    for _, low, high, new_low, new_high in changes:
        if high - low > MAX_LINES or new_high - new_low > MAX_LINES + 2:
            continue
        line = first + min(low, len(before) - 1)
        texts = [f"{shape.indent}{text}".rstrip() if text.strip() else "" for text in after[new_low:new_high]]
        span = _lines_span(job.snapshot, first + low, first + high)
        if any(one.start < span.end and span.start < one.end for one in job.secrets):
            continue  # what stands there was not shown
        edit = Edit(span, "".join(f"{text}{shape.line_end}" for text in texts))
        if job.checks.worse(edit) or not _is_code(job, edit) or _defines(job, edit):
            continue
        fix = texts[0] if high - low == 1 and new_high - new_low == 1 else None
        shown = "\n".join(after[new_low:new_high])
        findings.append((edit, Finding(line, "warning", "bug", shown, fix, target.span if target.name else None)))
    return findings[:MAX_FINDINGS]


def _is_code(job: ActionContext, edit: Edit) -> bool:
    """Does it change code, and not only comments or white space?"""
    if job.checks.syntax is not None:
        return job.checks.changes_code(edit, types=False)
    before, after = job.snapshot.text, apply(job.snapshot.text, edit)
    return re.sub(r"\s", "", before) != re.sub(r"\s", "", after)


def _defines(job: ActionContext, edit: Edit) -> bool:
    """Does it bring in definitions? Small models write those above once more."""
    before, after = job.checks.syntax, job.checks.parsed(apply(job.snapshot.text, edit))
    return before is not None and after is not None and len(outline(after)) > len(outline(before))


def _lines_span(snapshot: Snapshot, first: int, end: int) -> Span:
    starts = [*snapshot.line_starts, len(snapshot.text)]
    return Span(starts[min(first, len(starts) - 1)], starts[min(end, len(starts) - 1)])


async def _told(job: ActionContext, question: Question, finding: Finding) -> Finding:
    """The finding in words: which kind, and one sentence."""
    job.asker.stage = "putting it in words"
    was = job.snapshot.line(finding.line).strip()
    repaired = finding.message.strip()
    user = (
        f"You changed `{was}` to `{repaired}`. What is wrong with the first one? Answer in one line, "
        f"with one of these words, a colon and a short sentence: {', '.join(CODES)}."
    )
    answer = await job.asker.ask(replace(question, user=user, max_tokens=MAX_MESSAGE_TOKENS))
    code, message = _read(answer.text)
    suggests = repaired.split("\n")[0]
    if not message or not answer.complete:
        message = f"this looks wrong; it may have to be `{suggests}`" if suggests else "this looks out of place"
    return replace(finding, code=code, severity=CODES[code], message=message)


def _read(text: str) -> tuple[str, str]:
    """The code and the sentence of an answer; either may be missing."""
    line = next((line.strip() for line in text.split("\n") if line.strip()), "")
    bare = re.sub(r"[`*]", "", line).lstrip("- ")
    for code in CODES:
        if re.match(rf"{code.replace('-', '[- ]')}\b", bare, re.IGNORECASE):
            return code, bare[len(code) :].lstrip(" :-.").strip()
    return "bug", bare
