"""The indentation and line ends of a piece of code: dedent it for the model, reindent the answer for the document."""

from __future__ import annotations

from dataclasses import dataclass

from devstral_ls.text import unix_newlines


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How the lines of a piece of code begin and end in its document."""

    indent: str
    """The indentation that all of its lines have in common; removed for the model."""
    line_end: str


def line_style_of(text: str, document: str) -> LineStyle:
    """The style of ``text``, whole lines of ``document``."""
    return LineStyle(_common_indent(text), "\r\n" if "\r\n" in document else "\n")


def dedent(text: str, style: LineStyle) -> str:
    r"""``text`` as the model is shown it: with ``\n``, and without the indentation that all of its lines have."""
    lines = unix_newlines(text).split("\n")
    return "\n".join(line[len(style.indent) :] if line.strip() else "" for line in lines)


def reindent(code: str, style: LineStyle, dedented: str) -> str:
    """``code`` as it goes into the document, at the level of the first line of ``dedented``, the code it replaces."""
    lines = code.strip("\n").split("\n")
    level = indent_of(_first_filled(dedented.split("\n")))
    own = indent_of(_first_filled(lines))
    if own != level:
        lines = [level + line.removeprefix(own) if line.startswith(own) else line for line in lines]
    placed = [f"{style.indent}{line}".rstrip() if line.strip() else "" for line in lines]
    return style.line_end.join(placed)


def indent_of(line: str) -> str:
    """The white space at the beginning of ``line``."""
    return line[: len(line) - len(line.lstrip())]


def _first_filled(lines: list[str]) -> str:
    return next((line for line in lines if line.strip()), "")


def _common_indent(text: str) -> str:
    lines = [line for line in unix_newlines(text).split("\n") if line.strip()]
    if not lines:
        return ""
    common = indent_of(lines[0])
    for line in lines:
        while not line.startswith(common):
            common = common[:-1]
    return common
