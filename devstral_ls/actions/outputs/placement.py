"""An answer with code that replaces the target: cut down to what was asked for, indented, and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from devstral_ls.actions.answer import code_in
from devstral_ls.actions.chat_session import ChatAnswer, ChatRequest
from devstral_ls.actions.context import ActionContext
from devstral_ls.actions.outputs.import_statements import leading_imports, missing_imports, used_imports
from devstral_ls.actions.target.find import Target
from devstral_ls.actions.target.line_style import LineStyle, dedent, reindent
from devstral_ls.languages.symbols import Symbol, document_symbols
from devstral_ls.text import Edit, Span, apply, unix_newlines


@dataclass(frozen=True, slots=True)
class Fault:
    """The reason why an answer cannot be used."""

    text: str
    """The rest of a sentence that begins with "the model"."""
    is_final: bool = False
    """True when asking again would not help."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An answer as it goes into the document."""

    text: str
    notes: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    """New import statements that it needs."""


def code_for_target(context: ActionContext, request: ChatRequest, answer: ChatAnswer, target: Target) -> Placed | Fault:
    """The code of ``answer`` for the place of ``target``, or what is wrong with it."""
    code = code_in(request.prefix, answer.text)
    if not answer.text.strip() or not code.text.strip():
        return Fault("wrote nothing")
    if not code.in_fence and target.name not in code.text:
        return Fault("wrote prose instead of code")
    if not answer.complete and not code.closed:
        return Fault("did not come to an end", is_final=True)
    style = context.line_style(target.span)
    statements, body = without_imports(context, code.text, target)
    if not body.strip():
        return Fault("wrote nothing but imports")
    placed = Placed(reindent(body, style, dedent(context.snapshot.of(target.span), style)))
    missing = missing_imports(statements, context.checks.syntax)
    left_out = "\n".join(one for one in missing if one not in used_imports(missing, placed.text, context.language))
    if target.name and context.action.keeps_name:
        cut = _only_target(context, placed.text, target, left_out)
        if isinstance(cut, Fault):
            return cut
        placed = cut
    else:
        placed = replace(placed, notes=_note_on_left_out(left_out, target, context.snapshot.text))
    if error := context.checks.worse(Edit(target.span, placed.text)):
        return Fault(f"does not parse ({error})")
    if target.name and not context.action.keeps_name and (surplus := _surplus(context, placed.text, target)):
        return Fault(f"wrote more than {target.words}: `{surplus[:120]}`")
    return replace(placed, imports=used_imports(missing, placed.text, context.language))


def without_imports(context: ActionContext, text: str, target: Target) -> tuple[tuple[str, ...], str]:
    """The import statements in front of the code of an answer, and the rest; none where the target itself begins so."""
    if leading_imports(
        context.checks.parsed(dedent(context.snapshot.of(target.span), context.line_style(target.span)))
    )[0]:
        return (), text
    spans, end = leading_imports(context.checks.parsed(text))
    return tuple(text[span.start : span.end] for span in spans), text[end:] if spans else text


def _surplus(context: ActionContext, text: str, target: Target) -> str:
    """The first line of ``text`` beside its definitions, or of one that the document has elsewhere; empty without one."""
    before, after = context.checks.syntax, context.checks.after(Edit(target.span, text))
    if before is None or after is None:
        return ""
    region = Span(target.span.start, target.span.start + len(text))
    inside = [
        item for item in document_symbols(after) if region.start <= item.span.start and item.span.end <= region.end + 1
    ]
    outer = [item for item in inside if item.depth == min(other.depth for other in inside)]
    old = {
        item.name for item in document_symbols(before)
        if item.name != target.name and not (target.span.start <= item.span.start < target.span.end)
    }  # fmt: skip
    first = after.snapshot.line_at(region.start)
    covered: set[int] = set()
    for item in outer:
        if item.name not in old:
            covered.update(range(after.snapshot.line_at(item.span.start), after.snapshot.line_at(item.span.end) + 1))
    beside = (line.strip() for number, line in enumerate(text.split("\n"), first) if number not in covered)
    marks = (context.language.line_comment or "//", "/*", "*", "@", "#[")
    return next((line for line in beside if outer and line and not line.startswith(marks)), "")


def _only_target(context: ActionContext, text: str, target: Target, left_out: str) -> Placed | Fault:
    """The target's definition in ``text``: a model may write the whole file, or an example of its use.

    ``left_out`` was left out of its answer before.
    """
    edit = Edit(target.span, text)
    syntax = context.checks.parsed(apply(context.snapshot.text, edit))
    if context.checks.syntax is None or syntax is None:
        return Placed(text)
    region = Span(target.span.start, target.span.start + len(text))
    inside = [
        item for item in document_symbols(syntax) if region.start <= item.span.start and item.span.end <= region.end + 1
    ]
    by_depth = sorted(inside, key=lambda item: item.depth)
    definition = next((item for item in by_depth if item.name == target.name), None)
    if definition is None:
        error = context.checks.worse(edit)
        return Fault(f"does not parse ({error})" if error else f"wrote something else in the place of {target.words}")
    if context.action.may_add_functions:
        return _with_new_functions(context, text, region, inside, definition)
    code, around = _cut_out(text, region, definition)
    style = context.line_style(target.span)
    code = reindent(unix_newlines(code), style, dedent(context.snapshot.of(target.span), style))
    return Placed(code, _note_on_left_out(f"{left_out}\n{around}", target, context.snapshot.text))


def _with_new_functions(
    context: ActionContext, text: str, region: Span, inside: Sequence[Symbol], target: Symbol
) -> Placed | Fault:
    """The target and the new functions beside it, without anything else."""
    beside = [item for item in inside if item.depth == target.depth and item.kind == "function"]
    syntax = context.checks.syntax
    existing = {item.name for item in document_symbols(syntax)} if syntax is not None else set()
    functions = [item for item in beside if item is target or item.name not in existing]
    if len(functions) < 2:  # the target, and a new one
        return Fault(f"wrote no new function beside {context.target.words}")
    span = context.target.span
    style: LineStyle = context.line_style(span)
    dedented = dedent(context.snapshot.of(span), style)
    parts = [reindent(unix_newlines(_cut_out(text, region, item)[0]), style, dedented) for item in functions]
    gap = style.line_end * (2 if context.target.scope.scopes else 3)
    return Placed(gap.join(parts))


def _cut_out(text: str, region: Span, definition: Symbol) -> tuple[str, str]:
    """The whole lines of ``definition`` in ``text``, which stands at ``region``, and the text around them."""
    start = text.rfind("\n", 0, definition.span.start - region.start) + 1
    end = text.find("\n", max(definition.span.end - region.start - 1, 0))
    code = text[start : end if end >= 0 else len(text)].rstrip()
    return code, text[:start] + text[start + len(code) :]


def _note_on_left_out(text: str, target: Target, document: str) -> tuple[str, ...]:
    """The note for the user about code that was left out, with the imports that may be missing now."""
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if line and not line.startswith(("#", "//", "/*", "*"))]
    if not lines:
        return ()
    imports = [line for line in lines if line.startswith(("import ", "from ", "use ", "#include"))]
    imports = [line for line in imports if line not in document]
    names = f": {'; '.join(imports[:3])}" if imports else ""
    return (f"what the model wrote besides {target.words} was left out{names}",)
