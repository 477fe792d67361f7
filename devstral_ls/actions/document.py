"""Doc comments: the model writes nothing but the comment, so that no code can change."""

from __future__ import annotations

from devstral_ls.actions.answer import code_in
from devstral_ls.actions.chat_session import Question
from devstral_ls.actions.doc_styles import DocStyle, doc_style
from devstral_ls.actions.indentation import dedent, unix
from devstral_ls.actions.job import ActionContext
from devstral_ls.actions.query import ActionRefused, Result
from devstral_ls.actions.replace import TOO_LONG
from devstral_ls.actions.target import Target, language_at
from devstral_ls.errors import PromptTooLong
from devstral_ls.text import Edit, Snapshot, Span

MAX_LINES = 40
MAX_TOKENS = 320


def undocumented(snapshot: Snapshot, target: Target) -> str:
    """Why ``target`` cannot be given a doc comment; empty if it can."""
    language = language_at(snapshot)
    style = doc_style(language)
    if style is None:
        return f"no style of doc comments is known for {language.name}"
    if target.header is None:
        return "the definition has no body"
    if style.inside:
        line = snapshot.line_span(snapshot.line_at(target.header.end))
        if snapshot.text[target.header.end : line.end].strip():
            return "its body is on the header's line"
        body = snapshot.text[line.end : target.span.end].lstrip()
        has_doc = body.lstrip("rRuU").startswith(('"', "'"))
    else:
        first = snapshot.line_at(target.span.start)
        above = snapshot.line(first - 1).strip() if first else ""
        block = language.block_comment
        has_doc = above.startswith((*language.doc_comments, style.line.strip() or "\0"))
        has_doc = has_doc or (block is not None and above.endswith(block[1]))
    return "it has a doc comment already" if has_doc else ""


async def documentation(job: ActionContext) -> Result:
    """Put a doc comment where the language has it.

    Raises:
        ActionRefused: there is one, or the model wrote none.
    """
    target, snapshot = job.target, job.snapshot
    if why := undocumented(snapshot, target):
        raise ActionRefused(f"{target.words}: {why}")
    style = doc_style(language_at(snapshot))
    if style is None or target.header is None:  # said above
        raise ActionRefused("there is nothing to document")
    shown = job.beginning()
    text = await _comment(job, style, shown)
    edit = _edit(job, style, text)
    if job.heard.draft is not None:
        await job.heard.draft(edit)
    if job.checks.syntax is not None and (worse := job.checks.worse(edit)):
        raise ActionRefused(f"the model wrote a comment that does not parse ({worse})")
    if job.checks.syntax is not None and job.checks.changes_code(edit, types=True):
        raise ActionRefused("the model wrote more than a comment")
    return job.result(edit=edit, notes=job.in_part(shown))


async def _comment(job: ActionContext, style: DocStyle, shown: Target) -> list[str]:
    """The lines of the comment, without its signs."""
    opening = style.opening.format(name=job.target.name)
    question = _question(job, style, opening, shown)
    try:
        answer = await job.asker.ask(question, lambda text: _is_over(text, style, question.opened))
    except PromptTooLong as error:
        raise ActionRefused(f"{job.target.words} is too long for {job.model.name}", hint=TOO_LONG) from error
    said = answer.text
    if not question.opened:  # it had to write the opening itself
        code = code_in("", said).text
        at = code.find(opening.strip().partition("\n")[0])
        said = code[at + len(opening.strip().partition("\n")[0]) :] if at >= 0 else ""
    elif style.opening.endswith("} "):
        said = f"{job.target.name} {said.strip()}"
    lines = _plain(said, style)
    if not any(line.strip() for line in lines):
        raise ActionRefused("the model wrote no comment")
    return lines


def _question(job: ActionContext, style: DocStyle, opening: str, shown: Target) -> Question:
    begun = opening.rstrip(" ")  # a word begins with its space
    target, snapshot = job.target, job.snapshot
    if style.inside and target.header is not None:
        header = dedent(snapshot.text[target.span.start : target.header.end], job.shape(target.span))
        begun = f"{header}\n{_step(snapshot, target)}{opening}"
    question = job.question(shown, begun, style=style.about)
    stop = (style.closing,) if style.closing and question.opened else ()
    return Question(
        question.system, question.user, MAX_TOKENS, question.opened, stop=(*stop, *question.stop), repeats=2
    )


def _is_over(text: str, style: DocStyle, opened: str) -> bool:
    if "\n```" in text:
        return bool(opened) or text.count("```") > 1
    if not opened:
        return False
    if style.closing:
        return style.closing in text or text.count("\n") > MAX_LINES
    lines = text.split("\n")[1:]
    return any(line and not line.lstrip().startswith(style.line.strip()[:3]) for line in lines[:-1])


def _plain(said: str, style: DocStyle) -> list[str]:
    """The lines of a comment without the signs that make it one."""
    said = said.partition("\n```")[0]
    if style.closing:
        said = said.partition(style.closing)[0]
    sign = style.line.strip()
    kept: list[str] = []
    for number, line in enumerate(unix(said).rstrip().split("\n")[:MAX_LINES]):
        stripped = line.strip()
        if sign and not style.closing and number and not stripped.startswith(sign):
            break
        if sign and number and stripped.startswith(sign):
            stripped = stripped[len(sign) :].strip()
        kept.append(stripped if sign or not number else line.rstrip())
    while kept and not kept[-1].strip(" *"):
        kept.pop()
    return kept


def _edit(job: ActionContext, style: DocStyle, lines: list[str]) -> Edit:
    target, snapshot = job.target, job.snapshot
    shape = job.shape(target.span)
    indent = _indent(snapshot.line(snapshot.line_at(target.span.start)))
    if not style.inside:
        begin, _, lead = style.opening.partition("\n")
        first = begin if not lead else f"{begin}\n{lead}"
        head = first.split("{name}")[0] + lines[0]
        body = [*head.split("\n"), *(f"{style.line}{line}".rstrip() for line in lines[1:])]
        if style.closing:
            body.append(f" {style.closing}")
        said = shape.line_end.join(f"{indent}{line}".rstrip() for line in body)
        at = snapshot.line_starts[snapshot.line_at(target.span.start)]
        return Edit(Span(at, at), said + shape.line_end)
    inner = indent + _step(snapshot, target)
    quote = "r" + style.opening if any("\\" in line for line in lines) else style.opening
    body = [quote + lines[0].strip(), *_realigned(lines[1:], inner)]
    if len(body) > 1:
        body.append(style.closing)
    else:
        body[0] += (" " if body[0].endswith('"') else "") + style.closing
    said = shape.line_end.join([f"{inner}{line}".rstrip() for line in body])
    header = target.header
    at = snapshot.line_span(snapshot.line_at(header.end if header else target.span.start)).end
    return Edit(Span(at, at), shape.line_end + said)


def _realigned(lines: list[str], inner: str) -> list[str]:
    """The further lines of a docstring, their common indentation taken off."""
    filled = [line for line in lines if line.strip()]
    common = min((len(line) - len(line.lstrip()) for line in filled), default=0)
    return [line[common:].rstrip() for line in lines]


def _step(snapshot: Snapshot, target: Target) -> str:
    """One level of indentation, as the target's body has it."""
    header = target.header
    first = snapshot.line_at(target.span.start)
    own = _indent(snapshot.line(first))
    if header is not None:
        for line in range(snapshot.line_at(header.end) + 1, min(snapshot.n_lines, snapshot.line_at(header.end) + 20)):
            text = snapshot.line(line)
            if text.strip() and len(_indent(text)) > len(own):
                return _indent(text)[len(own) :]
    return "\t" if own.startswith("\t") else "    "


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
