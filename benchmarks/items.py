"""What the benchmarks ask: holes, files to type, quiet places and code actions, read from ``benchmarks/cases/``.

The files are plain text with marks, described in ``benchmarks/cases/README.md``; all were written for this project.
Offsets and columns are in code points, lines count from 0. ``digest`` says whether two runs asked the same things:
the digests of all lists are kept in ``benchmarks/cases/digests.json``; ``python -m benchmarks.items`` renews them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

from devstral_ls.text import Span

CASES = Path(__file__).parent / "cases"
DIGESTS = CASES / "digests.json"

OPEN, CLOSE, BECOMES = "⟦", "⟧", "⇒"
TARGET_OPEN, TARGET_CLOSE = "⟪", "⟫"
_MARKED = re.compile(r"⟦(.*?)⟧", re.DOTALL)
_CURSOR = re.compile(r"⟪(.*?)⟫", re.DOTALL)
_TITLE = re.compile(r"^=== (.+)\n", re.MULTILINE)
_PART = re.compile(r"^--- (text|test)\n", re.MULTILINE)

HoleKind = Literal["line", "lines", "span"]
Action = Literal["fix", "document", "review"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Hole:
    """A piece cut out of a working file: ``before + middle + after`` is the file."""

    id: str
    language: str
    """LSP language id."""
    name: str
    """File name."""
    kind: HoleKind
    """``line`` and ``lines`` begin at the start of a line or after its indentation and end at a line end."""
    before: str
    middle: str
    after: str
    test: str | None
    """Python source to append to the file; raises if the file does not work. ``None`` for other languages."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A file to be typed character by character."""

    id: str
    language: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """A cursor where nothing should be shown, between ``before`` and ``after``."""

    id: str
    language: str
    name: str
    before: str
    after: str
    why: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What a linter, compiler or test runner says about a case's text."""

    line: int
    column: int
    end_line: int
    end_column: int
    severity: Literal["error", "warning"]
    source: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Bug:
    """A planted bug: a finding on one of these lines has found it. ``end_line`` is the last line."""

    line: int
    end_line: int
    what: str


@dataclass(frozen=True, slots=True)
class ActionCase:
    """A document on which an action is asked for.

    ``fix``: the answer may change ``target`` only; ``test`` fails on ``text`` and must pass afterwards.
    ``document``: the target has no documentation; the answer adds it, and changes no code and nothing else.
    ``review``: findings on the lines of ``bugs`` are right, all others false alarms; without bugs the text is clean.
    """

    id: str
    action: Action
    language: str
    name: str
    text: str
    target_line: int
    """Where the cursor goes: the line of the first diagnostic, else the first line of the target."""
    target: Span
    """The definition that is to be changed or reviewed; the whole text where none is marked."""
    test: str | None
    """As in ``Hole``: passes on ``reference``. ``None`` for other languages than Python, and for ``document``."""
    diagnostics: tuple[Diagnostic, ...]
    bugs: tuple[Bug, ...]
    reference: str | None
    """The text with every bug mended; ``None`` where nothing was broken."""


@cache
def holes() -> tuple[Hole, ...]:
    """All holes, the languages in turns: a part of them says something about each."""
    by_language: dict[str, list[Hole]] = {}
    for language, name, text in _files("holes"):
        by_language.setdefault(language, []).extend(parse_holes(language, name, text))
    return tuple(_in_turns(list(by_language.values())))


@cache
def replays() -> tuple[Replay, ...]:
    """All files to type."""
    return tuple(Replay(_id(language, name), language, name, text) for language, name, text in _files("replay"))


@cache
def quiets() -> tuple[Quiet, ...]:
    """All places where nothing should be shown."""
    return tuple(quiet for language, name, text in _files("quiet") for quiet in parse_quiets(language, name, text))


@cache
def action_cases() -> tuple[ActionCase, ...]:
    """All cases for code actions."""
    return tuple(
        case
        for language, name, text in _files("actions")
        for case in parse_actions(_action(name), language, Path(name).suffix, text)
    )


def digest(items: Sequence[Hole | Replay | Quiet | ActionCase]) -> str:
    """SHA-256, in hexadecimal, of the items' canonical JSON in the order given."""
    data = json.dumps([asdict(item) for item in items], ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(data.encode()).hexdigest()


def digests() -> dict[str, dict[str, str | int]]:
    """Amount and digest of each list, as kept in ``DIGESTS``."""
    lists: dict[str, Sequence[Hole | Replay | Quiet | ActionCase]] = {
        "holes": holes(),
        "replays": replays(),
        "quiets": quiets(),
        "action_cases": action_cases(),
    }
    return {name: {"items": len(items), "sha256": digest(items)} for name, items in lists.items()}


def parse_holes(language: str, name: str, text: str) -> Iterator[Hole]:
    """The holes of a marked file, in order; each with the other marks filled in."""
    code, _, test = text.partition("=== test\n")
    code = code.rstrip("\n") + "\n"
    for number, match in enumerate(_MARKED.finditer(code), 1):
        before, after = _unmarked(code[: match.start()]), _unmarked(code[match.end() :])
        middle = match[1]
        kind = _kind(before, middle, after)
        yield Hole(f"{_id(language, name)}-{number}", language, name, kind, before, middle, after, test or None)


def parse_quiets(language: str, name: str, text: str) -> Iterator[Quiet]:
    """The cursors of a marked file, in order."""
    for number, match in enumerate(_CURSOR.finditer(text), 1):
        before, after = _CURSOR.sub("", text[: match.start()]), _CURSOR.sub("", text[match.end() :])
        yield Quiet(f"{_id(language, name)}-{number}", language, name, before, after, match[1])


def parse_actions(action: Action, language: str, suffix: str, text: str) -> Iterator[ActionCase]:
    """The cases of one file: a title each, then header lines, the text and, in Python, its test.

    Raises:
        ValueError: a case that is not as the README says.
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
        id=f"{action}-{_id(language, name)}",
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
    """The text with its bugs in, where they are, and the target."""
    text, wrong = "", []
    start, end = 0, None
    for piece in re.split(r"(⟦.*?⟧|[⟪⟫])", marked, flags=re.DOTALL):
        if piece == TARGET_OPEN:
            start = len(text)
        elif piece == TARGET_CLOSE:
            end = len(text)
        elif piece.startswith(OPEN):
            broken = piece[1:-1].split(BECOMES)[0]
            wrong.append(Span(len(text), len(text) + len(broken)))
            text += broken
        else:
            text += piece
    return text, wrong, Span(start, len(text) if end is None else end)


def _mended(marked: str) -> str:
    return _MARKED.sub(lambda match: match[1].split(BECOMES)[1], re.sub("[⟪⟫]", "", marked))


def _diagnostic(told: str, text: str, target: Span, wrong: list[Span]) -> Diagnostic:
    """From ``severity | source | code | message`` and, where it is not said about the first bug, ``| words``."""
    severity, source, code, message, *words = (part.strip() for part in told.split(" | "))
    if severity not in {"error", "warning"}:
        raise ValueError(f"no severity: {severity}")
    if words:
        start = text.index(words[0], target.start, target.end)
        at = Span(start, start + len(words[0]))
    else:
        at = wrong[0]
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
    return text.replace(OPEN, "").replace(CLOSE, "")


def _action(name: str) -> Action:
    for action in ("fix", "document", "review"):
        if Path(name).stem == action:
            return action  # type: ignore[return-value]  # mypy widens the loop variable to str
    raise ValueError(f"no such action: {name}")


def _id(language: str, name: str) -> str:
    return f"{language}-{Path(name).stem.replace('_', '-').lower()}"


def _files(kind: str) -> Iterator[tuple[str, str, str]]:
    """Language, file name and text of each file of one kind, in order of language and name."""
    for path in sorted((CASES / kind).glob("*/*.txt"), key=lambda path: (path.parent.name, path.name)):
        yield path.parent.name, path.name.removesuffix(".txt"), path.read_text(encoding="utf-8")


def _in_turns(lists: list[list[T]]) -> Iterator[T]:
    longest = max((len(found) for found in lists), default=0)
    for n in range(longest):
        yield from (found[n] for found in lists if n < len(found))


if __name__ == "__main__":
    DIGESTS.write_text(json.dumps(digests(), indent=2) + "\n", encoding="utf-8")
