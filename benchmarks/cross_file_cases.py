"""Read the cases of ``benchmarks/cases/cross``: a hole in one file of a small workspace; their README has the format."""

from __future__ import annotations

import re
from collections.abc import Iterator

from benchmarks.case_files import item_id
from benchmarks.item_kinds import CrossHole, Diagnostic, Opened

_PART = re.compile(r"^=== (file|edited|viewed|asked|said|test)(?: (.+))?\n", re.MULTILINE)
_MARKED = re.compile(r"⟦(.*?)⟧", re.DOTALL)
_BECOMES = "⇒"


def parse_cross(language: str, name: str, text: str) -> CrossHole:
    """The case of one file.

    Raises:
        ValueError: it has not the format of the README.
    """
    pieces = _PART.split(text)
    parts = [(kind, about or "", body) for kind, about, body in zip(*[iter(pieces[1:])] * 3, strict=True)]
    path, marked = next((about, _whole(body)) for kind, about, body in parts if kind == "asked")
    (mark,) = _MARKED.finditer(marked)
    before, after = marked[: mark.start()], marked[mark.end() :]
    return CrossHole(
        f"cross-{item_id(language, name)}", language, path, "cross", before, mark[1], after,
        next((body for kind, _, body in parts if kind == "test"), None),
        files=tuple((about, _whole(body)) for kind, about, body in parts if kind == "file"),
        opened=tuple(_opened(kind, about, body) for kind, about, body in parts if kind in ("edited", "viewed")),
        said=tuple(_said(about, before + after) for kind, about, _ in parts if kind == "said"),
    )  # fmt: skip


def _whole(body: str) -> str:
    return body.rstrip("\n") + "\n"


def _opened(kind: str, path: str, body: str) -> Opened:
    text = _whole(body)
    changes = tuple((match.start(), *match[1].split(_BECOMES)) for match in _MARKED.finditer(text))
    if (kind == "edited") is not bool(changes):
        raise ValueError(f"{path}: {kind}, with {len(changes)} changes")
    return Opened(path, *_before_and_after(text))


def _before_and_after(text: str) -> Iterator[str]:
    for side in (0, 1):
        yield _MARKED.sub(lambda match, side=side: match[1].split(_BECOMES)[side], text)  # type: ignore[misc]


def _said(told: str, text: str) -> Diagnostic:
    """Parse ``severity ¦ words ¦ message``; the words stand once in the text without the hole and are its range."""
    severity, words, message = (part.strip() for part in told.split(" ¦ "))
    if severity not in {"error", "warning"} or text.count(words) != 1:
        raise ValueError(f"not once in the text, or no severity: {told}")
    at = text.index(words)
    line, column = text.count("\n", 0, at), at - text.rfind("\n", 0, at) - 1
    level = "error" if severity == "error" else "warning"
    return Diagnostic(line, column, line, column + len(words), level, "checker", "", message)
