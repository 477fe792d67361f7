"""Read the marked files of ``benchmarks/cases/``; their ``README.md`` describes the marks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.item_kinds import Action, ActionCase, Bug, Diagnostic, Hole, HoleKind, Quiet
from devstral_ls.text import Span

_MARKED = re.compile(r"⟦(.*?)⟧", re.DOTALL)
_CURSOR = re.compile(r"⟪(.*?)⟫", re.DOTALL)
_BROKEN_OR_TARGET = re.compile(r"(⟦.*?⟧|[⟪⟫])", re.DOTALL)
_BECOMES = "⇒"
_TITLE = re.compile(r"^=== (.+)\n", re.MULTILINE)
_PART = re.compile(r"^--- (text|test)\n", re.MULTILINE)


def item_id(language: str, name: str) -> str:
    """The id of an item: ``python-lru-cache``."""
    return f"{language}-{Path(name).stem.replace('_', '-').lower()}"


def parse_holes(language: str, name: str, text: str) -> Iterator[Hole]:
    """The holes of a marked file, in order; each with the other marks filled in."""
    code, _, test = text.partition("=== test\n")
    code = code.rstrip("\n") + "\n"
    for number, match in enumerate(_MARKED.finditer(code), 1):
        before, after = _unmarked(code[: match.start()]), _unmarked(code[match.end() :])
        middle = match[1]
        kind = _kind(before, middle, after)
        yield Hole(f"{item_id(language, name)}-{number}", language, name, kind, before, middle, after, test or None)


def parse_quiets(language: str, name: str, text: str) -> Iterator[Quiet]:
    """The cursors of a marked file, in order."""
    for number, match in enumerate(_CURSOR.finditer(text), 1):
        before, after = _CURSOR.sub("", text[: match.start()]), _CURSOR.sub("", text[match.end() :])
        yield Quiet(f"{item_id(language, name)}-{number}", language, name, before, after, match[1])


def parse_actions(action: Action, language: str, suffix: str, text: str) -> Iterator[ActionCase]:
    """The cases of one file: a title each, then header lines, the text and, in Python, its test.

    Raises:
        ValueError: a case has not the format of the README.
    """
    parts = _TITLE.split(text)
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        header, *sections = _PART.split(body)
        section = dict(zip(sections[::2], sections[1::2], strict=True))
        marked = section["text"].rstrip("\n") + "\n"
        yield _action_case(action, language, f"{title}{suffix}", header, marked, section.get("test"))


def _action_case(action: Action, language: str, name: str, header: str, marked: str, test: str | None) -> ActionCase:
    fields = [line.split(": ", 1) for line in header.splitlines() if line]
    told = [value for key, value in fields if key == "diagnostic"]
    what = [value for key, value in fields if key == "bug"]
    if len(told) + len(what) != len(fields):
        raise ValueError(f"{name}: a header line is neither a diagnostic nor a bug")
    text, wrong, target = _broken(marked)
    bugs = what or ["" for _ in wrong]
    diagnostics = tuple(_diagnostic(line, text, target, wrong) for line in told)
    line = diagnostics[0].line if diagnostics else text.count("\n", 0, target.start)
    return ActionCase(
        id=f"{action}-{item_id(language, name)}",
        action=action,
        language=language,
        name=name,
        text=text,
        target_line=line,
        target=target,
        test=test,
        diagnostics=diagnostics,
        bugs=tuple(
            Bug(text.count("\n", 0, at.start), text.count("\n", 0, at.end), said)
            for at, said in zip(wrong, bugs, strict=True)
        ),
        reference=_mended(marked) if wrong else None,
    )


def _broken(marked: str) -> tuple[str, list[Span], Span]:
    """The text with its bugs, their places, and the target."""
    text, wrong = "", []
    start, end = 0, None
    for piece in _BROKEN_OR_TARGET.split(marked):
        if piece == "⟪":
            start = len(text)
        elif piece == "⟫":
            end = len(text)
        elif piece.startswith("⟦"):
            broken = piece[1:-1].split(_BECOMES)[0]
            wrong.append(Span(len(text), len(text) + len(broken)))
            text += broken
        else:
            text += piece
    return text, wrong, Span(start, len(text) if end is None else end)


def _mended(marked: str) -> str:
    return _MARKED.sub(lambda match: match[1].split(_BECOMES)[1], re.sub("[⟪⟫]", "", marked))


def _diagnostic(told: str, text: str, target: Span, wrong: list[Span]) -> Diagnostic:
    """Parse ``severity ¦ source ¦ code ¦ message`` and, unless it is about the first bug, ``¦ words``."""
    severity, source, code, message, *words = (part.strip() for part in told.split(" ¦ "))
    if severity not in {"error", "warning"}:
        raise ValueError(f"no severity: {severity}")
    if words:
        if text.count(words[0], target.start, target.end) != 1:
            raise ValueError(f"not once in the target: {words[0]}")
        start = text.index(words[0], target.start, target.end)
        at = Span(start, start + len(words[0]))
    else:
        # Something missing is marked by the rest of its line.
        at = Span(wrong[0].start, wrong[0].end if len(wrong[0]) else text.index("\n", wrong[0].start))
    line, end_line = text.count("\n", 0, at.start), text.count("\n", 0, at.end)
    column, end_column = (offset - text.rfind("\n", 0, offset) - 1 for offset in (at.start, at.end))
    return Diagnostic(
        line, column, end_line, end_column, "error" if severity == "error" else "warning", source, code, message
    )


def _kind(before: str, middle: str, after: str) -> HoleKind:
    at_start = not before.rpartition("\n")[2].strip()
    if not at_start or not after.startswith("\n"):
        return "span"
    return "lines" if "\n" in middle else "line"


def _unmarked(text: str) -> str:
    return re.sub("[⟦⟧]", "", text)
