"""Indentation and line ends: code taken out of its place for the model, and put back into it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """How a piece of code stands in its document."""

    indent: str
    """What every line of it begins with; taken off for the model."""
    line_end: str


def shape_of(text: str, document: str) -> Shape:
    """The shape of ``text``, whole lines of ``document``."""
    return Shape(_common_indent(text), "\r\n" if "\r\n" in document else "\n")


def dedent(text: str, shape: Shape) -> str:
    r"""``text`` as the model is shown it: with ``\n``, and without the indentation that all of it has."""
    lines = unix(text).split("\n")
    return "\n".join(line[len(shape.indent) :] if line.strip() else "" for line in lines)


def reindent(code: str, shape: Shape, like: str) -> str:
    """``code`` as it goes into the document; ``like`` is what ``taken_out`` gave, whose first line says the level."""
    lines = code.strip("\n").split("\n")
    level = _indent(next((line for line in like.split("\n") if line.strip()), ""))
    own = _indent(next((line for line in lines if line.strip()), ""))
    if own != level:
        lines = [level + line.removeprefix(own) if line.startswith(own) else line for line in lines]
    placed = [f"{shape.indent}{line}".rstrip() if line.strip() else "" for line in lines]
    return shape.line_end.join(placed)


def unix(text: str) -> str:
    r"""With ``\n`` at the end of lines."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _common_indent(text: str) -> str:
    lines = [line for line in unix(text).split("\n") if line.strip()]
    if not lines:
        return ""
    common = _indent(lines[0])
    for line in lines:
        while not line.startswith(common):
            common = common[:-1]
    return common


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
