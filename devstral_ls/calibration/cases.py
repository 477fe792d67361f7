"""The holes that layouts are compared on: code with a gap, and the code expected there. Files in ``holes/``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from devstral_ls.languages.language import Language
from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.languages.scopes.tree import scope_at
from devstral_ls.languages.syntax.document_tree import parse_once
from devstral_ls.languages.table import LANGUAGES
from devstral_ls.settings.tree import InlineSettings
from devstral_ls.suggest.policy import wants_lines
from devstral_ls.suggest.postprocess.draft import CursorContext, cursor_context_at
from devstral_ls.text import Snapshot

OPEN, CLOSE = "⟦", "⟧"
_TITLE = "=== "


@dataclass(frozen=True, slots=True)
class Hole:
    """A gap in a piece of code."""

    id: str
    """Language and name: ``python/mean``."""
    snapshot: Snapshot
    """The code without the expected part."""
    offset: int
    """The cursor, in code points."""
    expected: str

    @property
    def complete(self) -> str:
        """The code with the expected part."""
        return self.snapshot.text[: self.offset] + self.expected + self.snapshot.text[self.offset :]


@cache
def holes() -> tuple[Hole, ...]:
    """All holes, the languages in turns, so that the first few are of all languages."""
    by_language = [list(_holes_of(language)) for language in _languages()]
    longest = max(len(found) for found in by_language)
    return tuple(found[n] for n in range(longest) for found in by_language if n < len(found))


def scope_and_cursor(hole: Hole) -> tuple[CursorScope, CursorContext]:
    """The scope and the cursor of a hole as the pipeline sees them with default settings."""
    scope = scope_at(parse_once(hole.snapshot), hole.snapshot, hole.offset)
    language = LANGUAGES[hole.snapshot.language]
    multiline = wants_lines(scope, hole.snapshot, hole.offset, InlineSettings())
    return scope, cursor_context_at(hole.snapshot, hole.offset, scope, language, multiline=multiline)


def parse(text: str, language: Language) -> Iterator[Hole]:
    """The holes in a file's ``text``.

    Raises:
        ValueError: a hole has no gap.
    """
    for section in ("\n" + text).split("\n" + _TITLE)[1:]:
        name, _, code = section.partition("\n")
        start, end = code.index(OPEN), code.index(CLOSE)
        uri = f"file:///{name}{language.extensions[0]}"
        # Every hole ends its file with a line end; the last line end of a section belongs to the next title.
        snapshot = Snapshot(uri, 1, language.id, code[:start] + code[end + 1 :].rstrip("\n") + "\n")
        yield Hole(f"{language.id}/{name}", snapshot, start, code[start + 1 : end])


def _languages() -> list[Language]:
    folder = files(__package__) / "holes"
    names = sorted(entry.name.removesuffix(".txt") for entry in folder.iterdir() if entry.name.endswith(".txt"))
    return [LANGUAGES[name] for name in names]


def _holes_of(language: Language) -> Iterator[Hole]:
    return parse((files(__package__) / "holes" / f"{language.id}.txt").read_text("utf-8"), language)
