"""Code that takes the target's place: asked for piece by piece, checked, asked for once more, or refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from devstral_ls.actions.answer import code_in, whole_lines
from devstral_ls.actions.chat_session import Answer, Question
from devstral_ls.actions.context import problems_said
from devstral_ls.actions.indentation import dedent, reindent, unix
from devstral_ls.actions.job import ActionContext
from devstral_ls.actions.query import ActionRefused
from devstral_ls.actions.stream import merged
from devstral_ls.actions.target import Target
from devstral_ls.actions.windows import piece_chars, pieces
from devstral_ls.errors import PromptTooLong
from devstral_ls.languages.defined import Defined, outline
from devstral_ls.text import Edit, Span, apply

TOO_LONG = "Select a smaller piece, or raise model.contextTokens."


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an answer cannot be used."""

    says: str
    """Goes on from "the model ..."."""
    final: bool = False
    """Would asking again be of no use?"""


@dataclass(frozen=True, slots=True)
class Placed:
    """An answer as it goes into the document."""

    text: str
    notes: tuple[str, ...] = ()


async def rewritten(job: ActionContext) -> tuple[Edit, tuple[str, ...]]:
    """The target with what the model made of it, and what is to be said about that; it may be as it was.

    Raises:
        ActionRefused: it cannot be done, or the answer is none to offer.
    """
    target, snapshot = job.target, job.snapshot
    job.keep_secrets(target.span)
    spans = pieces(job.checks.syntax, snapshot, target, piece_chars(job.model))
    spans = None if spans is None else _with_problems(job, spans)
    if spans is None:
        raise ActionRefused(f"{target.words} is too long for {job.model.name}", hint=TOO_LONG)
    done = snapshot.of(target.span)
    notes: tuple[str, ...] = ()
    delta = 0
    for number, span in enumerate(spans):
        if len(spans) > 1:
            job.asker.stage = f"part {number + 1} of {len(spans)}"
        at = Span(span.start - target.span.start + delta, span.end - target.span.start + delta)
        piece = await _piece(job, span, partial(_draft, job, done, at))
        done = apply(done, Edit(at, piece.text))
        delta += len(piece.text) - len(span)
        notes = tuple(dict.fromkeys((*notes, *piece.notes)))
    edit = Edit(target.span, done)
    if fault := job.checks.worse(edit):
        raise _refused(Fault(f"wrote code that does not parse ({fault})"))
    return edit, notes


def _with_problems(job: ActionContext, spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Of several pieces those that a problem is in."""
    if len(spans) == 1 or not job.query.problems:
        return spans
    hit = tuple(
        span
        for span in spans
        if any(problem.span.start <= span.end and problem.span.end >= span.start for problem in job.query.problems)
    )
    return hit or spans


async def _draft(job: ActionContext, done: str, at: Span, text: str) -> None:
    if job.heard.draft is not None:
        await job.heard.draft(Edit(job.target.span, apply(done, Edit(at, text))))


async def _piece(job: ActionContext, span: Span, draft: Callable[[str], Awaitable[None]]) -> Placed:
    """What stands at ``span`` afterwards."""
    whole = span == job.target.span
    target = job.target if whole else replace(job.target, kind="selection", name="", span=span, header=None)
    question = asked(job, target, _begun(job, target))
    answer = await _ask(job, question, target, draft)
    made = placed(job, question, answer, target)
    if isinstance(made, Fault) and not made.final:
        again = f"That cannot be used: it {made.says}. Write the code again, complete and correct, in one fenced block."
        job.asker.stage = "trying once more"
        question = replace(question, turns=((question.user, question.opened + answer.text),), user=again)
        answer = await _ask(job, question, target, draft)
        made = placed(job, question, answer, target)
    if isinstance(made, Fault):
        raise _refused(made)
    return made


async def _ask(
    job: ActionContext, question: Question, target: Target, draft: Callable[[str], Awaitable[None]]
) -> Answer:
    old = job.snapshot.of(target.span)
    shape = job.shape(target.span)
    shown = dedent(old, shape)

    async def hear(text: str) -> None:
        code = code_in(question.opened, text)
        if not code.in_fence:
            return
        written = whole_lines(code.text + ("\n" if code.closed else ""))
        if "".join(written).strip():
            lines = reindent("\n".join(written), shape, shown).split(shape.line_end)
            await draft(merged(unix(old), lines).replace("\n", shape.line_end))

    try:
        return await job.asker.ask(
            question, lambda text: text.endswith("\n") and code_in(question.opened, text).closed, hear
        )
    except PromptTooLong as error:
        raise ActionRefused(f"{target.words} is too long for {job.model.name}", hint=TOO_LONG) from error


def asked(job: ActionContext, target: Target, begun: str) -> Question:
    """The row's question about ``target``, the answer begun with ``begun``."""
    return job.question(target, begun, **_values(job, target))


def _values(job: ActionContext, target: Target) -> dict[str, str]:
    """What the rows' templates ask for beyond what all do."""
    query, selection = job.query, job.target.selection
    tried = f"This was tried, and the problem stayed:\n```{job.fence}\n{query.tried}\n```\n" if query.tried else ""
    selected = "" if selection is None else dedent(job.snapshot.of(selection), job.shape(selection))
    return {
        "instruction": query.instruction,
        "problems": problems_said(job.snapshot, target.span, query.problems),
        "tried": tried,
        "selection": selected,
    }


def _begun(job: ActionContext, target: Target) -> str:
    """The first lines of the code, which the answer is begun with; none where they may be what is to change."""
    header = target.header
    if not job.action.opens or header is None or target.selection is not None:
        return ""
    snapshot = job.snapshot
    end = snapshot.line_span(snapshot.line_at(header.end)).end
    if end >= target.span.end or any(problem.span.start <= end for problem in job.query.problems):
        return ""
    return dedent(snapshot.text[target.span.start : end], job.shape(target.span)) + "\n"


def placed(job: ActionContext, question: Question, answer: Answer, target: Target) -> Placed | Fault:
    """``answer`` as it goes into the place of ``target``, or what is wrong with it."""
    code = code_in(question.opened, answer.text)
    if not answer.text.strip() or not code.text.strip():
        return Fault("wrote nothing")
    if not code.in_fence and target.name not in code.text:
        return Fault("wrote prose instead of code")
    if not answer.complete and not code.closed:
        return Fault("did not come to an end", final=True)
    shape = job.shape(target.span)
    text = reindent(code.text, shape, dedent(job.snapshot.of(target.span), shape))
    notes: tuple[str, ...] = ()
    if target.name and job.action.needs_name:
        cut = _only(job, text, target)
        if isinstance(cut, Fault):
            return cut
        text, notes = cut.text, cut.notes
    worse = job.checks.worse(Edit(target.span, text))
    return Fault(f"does not parse ({worse})") if worse else Placed(text, notes)


def _only(job: ActionContext, text: str, target: Target) -> Placed | Fault:
    """Of ``text``, the definition that was asked for: a model may write the whole file, or an example of its use."""
    syntax = job.checks.parsed(apply(job.snapshot.text, Edit(target.span, text)))
    if job.checks.syntax is None or syntax is None:
        return Placed(text)
    region = Span(target.span.start, target.span.start + len(text))
    inside = [one for one in outline(syntax) if region.start <= one.span.start and one.span.end <= region.end + 1]
    found = next((one for one in sorted(inside, key=lambda one: one.depth) if one.name == target.name), None)
    if found is None:
        worse = job.checks.worse(Edit(target.span, text))
        return Fault(f"does not parse ({worse})" if worse else f"wrote something else in the place of {target.words}")
    if job.action.adds:
        return _with_new(job, text, region, inside, found)
    cut = _cut_out(text, region, found, target, job.snapshot.text)
    shape = job.shape(target.span)
    return replace(cut, text=reindent(unix(cut.text), shape, dedent(job.snapshot.of(target.span), shape)))


def _with_new(job: ActionContext, text: str, region: Span, inside: list[Defined], found: Defined) -> Placed | Fault:
    """The target and the new functions beside it, and nothing else that was written."""
    beside = [one for one in inside if one.depth == found.depth and one.kind == "function"]
    known = {one.name for one in outline(job.checks.syntax)} if job.checks.syntax is not None else set()
    kept = [one for one in beside if one is found or one.name not in known]
    if len(kept) < 2:  # the target, and a new one
        return Fault(f"wrote no new function beside {job.target.words}")
    shape = job.shape(job.target.span)
    shown = dedent(job.snapshot.of(job.target.span), shape)
    parts = []
    for one in kept:
        cut = _cut_out(text, region, one, job.target, "")
        parts.append(reindent(unix(cut.text), shape, shown))
    gap = shape.line_end * (2 if job.target.scope.scopes else 3)
    return Placed(gap.join(parts))


def _cut_out(text: str, region: Span, found: Defined, target: Target, document: str) -> Placed:
    start = text.rfind("\n", 0, found.span.start - region.start) + 1
    end = text.find("\n", max(found.span.end - region.start - 1, 0))
    kept = text[start : end if end >= 0 else len(text)].rstrip()
    left = [line.strip() for line in (text[:start] + text[start + len(kept) :]).split("\n")]
    left = [line for line in left if line and not line.startswith(("#", "//", "/*", "*"))]
    if not left:
        return Placed(kept)
    imports = [line for line in left if line.startswith(("import ", "from ", "use ", "#include"))]
    imports = [line for line in imports if line not in document]
    what = f": {'; '.join(imports[:3])}" if imports else ""
    return Placed(kept, (f"what the model wrote besides {target.words} was left out{what}",))


def _refused(fault: Fault) -> ActionRefused:
    says = fault.says if fault.says.startswith(("wrote", "did")) else f"wrote code that {fault.says}"
    return ActionRefused(f"the model {says}", hint="Nothing was changed; ask again, or with less code.")
