"""Doc comments: the model writes only the comment, so that no code can change."""

from __future__ import annotations

from dataclasses import replace

from devstral_ls.actions.answer import FENCE, code_in
from devstral_ls.actions.chat_session import ChatAnswer, ChatRequest
from devstral_ls.actions.context import ActionContext
from devstral_ls.actions.outputs.doc_styles import DocStyle, doc_style
from devstral_ls.actions.query import ActionRefused, Result
from devstral_ls.actions.target.find import Target, language_at
from devstral_ls.actions.target.line_style import dedent, indent_of
from devstral_ls.text import Edit, Snapshot, Span, unix_newlines

MAX_LINES = 40
MAX_TOKENS = 320


def doc_comment_hindrance(snapshot: Snapshot, target: Target) -> str:
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


async def write_doc_comment(context: ActionContext) -> Result:
    """Put a doc comment where the language has it.

    Raises:
        ActionRefused: there is one, or the model wrote none.
    """
    target, snapshot, checks = context.target, context.snapshot, context.checks
    if why := doc_comment_hindrance(snapshot, target):
        raise ActionRefused(f"{target.words}: {why}")
    style = doc_style(context.language)
    if style is None or target.header is None:  # excluded above; for the type checker
        raise ActionRefused("there is nothing to document")
    shown = context.readable_beginning()
    request = _comment_request(context, style, target.header, shown)
    answer = await context.chat.ask(request, lambda text: _is_over(text, style, request.prefix))
    lines = _lines_of(answer, request.prefix, style, target.name)
    if not any(line.strip() for line in lines):
        raise ActionRefused("the model wrote no comment")
    edit = _edit_inside(context, style, target.header, lines) if style.inside else _edit_above(context, style, lines)
    await context.draft(edit)
    if checks.syntax is not None and (error := checks.worse(edit)):
        raise ActionRefused(f"the model wrote a comment that does not parse ({error})")
    if checks.syntax is not None and checks.changes_code(edit, types=True):
        raise ActionRefused("the model wrote more than a comment")
    return context.result(edit=edit, notes=context.note_on_beginning(shown))


def _comment_request(context: ActionContext, style: DocStyle, header: Span, shown: Target) -> ChatRequest:
    target, snapshot = context.target, context.snapshot
    opening = style.opening.format(name=target.name)
    first_lines = opening.rstrip(" ")  # the model writes the space before a word
    if style.inside:
        head = dedent(snapshot.text[target.span.start : header.end], context.line_style(target.span))
        first_lines = f"{head}\n{_indent_step(snapshot, target, header)}{opening}"
    request = context.request(shown, first_lines, style=style.about)
    stop = (style.closing,) if style.closing and request.prefix else ()
    return replace(request, max_tokens=MAX_TOKENS, stop=(*stop, *request.stop), max_repeats=2)


def _is_over(text: str, style: DocStyle, prefix: str) -> bool:
    """True when ``text``, the answer so far, has the whole comment."""
    if f"\n{FENCE}" in text:
        return bool(prefix) or text.count(FENCE) > 1
    if not prefix:
        return False
    if style.closing:
        return style.closing in text or text.count("\n") > MAX_LINES
    lines = text.split("\n")[1:]
    return any(line and not line.lstrip().startswith(style.line.strip()[:3]) for line in lines[:-1])


def _lines_of(answer: ChatAnswer, prefix: str, style: DocStyle, name: str) -> list[str]:
    """The lines of the comment, without its signs."""
    text = answer.text
    if not prefix:  # the model had to write the opening itself
        code = code_in("", text).text
        opening = style.opening.format(name=name).strip().partition("\n")[0]
        _, _, text = code.partition(opening)
    elif style.opening.endswith("} "):
        text = f"{name} {text.strip()}"
    return _without_signs(text, style)


def _without_signs(text: str, style: DocStyle) -> list[str]:
    """The lines of a comment without the signs that make it one."""
    text = text.partition(f"\n{FENCE}")[0]
    if style.closing:
        text = text.partition(style.closing)[0]
    sign = style.line.strip()
    lines: list[str] = []
    for number, line in enumerate(unix_newlines(text).rstrip().split("\n")[:MAX_LINES]):
        stripped = line.strip()
        if sign and not style.closing and number and not stripped.startswith(sign):
            break
        if sign and number and stripped.startswith(sign):
            stripped = stripped[len(sign) :].strip()
        lines.append(stripped if sign or not number else line.rstrip())
    while lines and not lines[-1].strip(" *"):
        lines.pop()
    return lines


def _edit_above(context: ActionContext, style: DocStyle, lines: list[str]) -> Edit:
    """The comment above the definition."""
    snapshot, start = context.snapshot, context.snapshot.line_at(context.target.span.start)
    line_end = context.line_style(context.target.span).line_end
    indent = indent_of(snapshot.line(start))
    head = style.opening.split("{name}")[0] + lines[0]
    body = [*head.split("\n"), *(f"{style.line}{line}".rstrip() for line in lines[1:])]
    if style.closing:
        body.append(f" {style.closing}")
    text = line_end.join(f"{indent}{line}".rstrip() for line in body)
    at = snapshot.line_starts[start]
    return Edit(Span(at, at), text + line_end)


def _edit_inside(context: ActionContext, style: DocStyle, header: Span, lines: list[str]) -> Edit:
    """The comment as the first statement of the body."""
    target, snapshot = context.target, context.snapshot
    line_end = context.line_style(target.span).line_end
    indent = indent_of(snapshot.line(snapshot.line_at(target.span.start))) + _indent_step(snapshot, target, header)
    quote = "r" + style.opening if any("\\" in line for line in lines) else style.opening
    body = [quote + lines[0].strip(), *_dedented(lines[1:])]
    if len(body) > 1:
        body.append(style.closing)
    else:
        body[0] += (" " if body[0].endswith('"') else "") + style.closing
    text = line_end.join(f"{indent}{line}".rstrip() for line in body)
    at = snapshot.line_span(snapshot.line_at(header.end)).end
    return Edit(Span(at, at), line_end + text)


def _dedented(lines: list[str]) -> list[str]:
    """The further lines of a docstring without their common indentation."""
    common = min((len(indent_of(line)) for line in lines if line.strip()), default=0)
    return [line[common:].rstrip() for line in lines]


def _indent_step(snapshot: Snapshot, target: Target, header: Span) -> str:
    """One level of indentation, as the target's body has it."""
    own = indent_of(snapshot.line(snapshot.line_at(target.span.start)))
    first = snapshot.line_at(header.end) + 1
    for line in range(first, min(snapshot.n_lines, first + 19)):
        text = snapshot.line(line)
        if text.strip() and len(indent_of(text)) > len(own):
            return indent_of(text)[len(own) :]
    return "\t" if own.startswith("\t") else "    "
