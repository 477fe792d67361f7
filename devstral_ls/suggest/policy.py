"""Whether to ask at all, and for one line or many; no model is needed to know.

What is cheap to tell comes first (``declined``), what needs the syntax tree after (``declined_in``). A manual request is
only declined where the model must not be asked at all.
"""

from __future__ import annotations

import re

from devstral_ls.generation import ModelInfo
from devstral_ls.languages.language import Language
from devstral_ls.languages.lexing import only_closing
from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.languages.table import language_of
from devstral_ls.retrieval.visibility import Visibility, is_excluded_by_name
from devstral_ls.settings.tree import InlineSettings, Settings
from devstral_ls.suggest.trace import InlineQuery, Reason
from devstral_ls.text import Snapshot, Span

MAX_LINE = 4_000
"""Characters; longer lines are data or minified code, where no suggestion is wanted."""

MIN_LINES_TOKENS = 32
"""Tokens of three short lines: with a smaller cap, what is asked for as a block ends in its middle."""

_WORD = re.compile(r"\w")

_DATA_CHARS = 160
"""Characters before the cursor that tell data from code: two lines."""

_DATA_SHARE = 0.8
"""Of them are numbers and what stands between numbers, in data."""

_NUMBERS = re.compile(r"\b(?:0x)?[\da-fA-F.]*\d[\da-fA-F.]*\b[\s,;+\-\[\](){}]*")
_ENCODED = re.compile(r"[A-Za-z0-9+/=]{100}\Z")
"""Base64 and the like; identifiers have underscores and end before that."""


_HIDDEN = {
    Visibility.EXCLUDED: Reason.EXCLUDED,
    Visibility.IGNORED: Reason.IGNORED,
    Visibility.UNKNOWN: Reason.UNDECIDED,
}


def hidden(visibility: Visibility) -> Reason | None:
    """Why a document of this visibility must not be shown to a model; ``None`` where it may be."""
    return None if visibility is Visibility.VISIBLE else _HIDDEN[visibility]


def declined(query: InlineQuery, settings: Settings) -> Reason | None:
    """Why no suggestion is made, by the settings and by the cursor's line; ``None`` where one may be."""
    language = language_of(query.snapshot.language, query.snapshot.uri)
    if is_excluded_by_name(query.snapshot.uri, settings.privacy.exclude):  # the rest of it is decided for each prompt
        return Reason.EXCLUDED
    if query.invoked:
        return None
    if not settings.inline.enable:
        return Reason.DISABLED
    if _is_disabled(language, query.snapshot, settings.inline):
        return Reason.LANGUAGE_DISABLED
    return _declined_by_line(query.snapshot, query.offset)


def declined_by(query: InlineQuery, model: ModelInfo) -> Reason | None:
    """Why this model is not asked; ``None`` where it may be."""
    return Reason.TOO_SLOW if model.slow and not query.invoked else None


def declined_in(query: InlineQuery, scope: CursorScope, settings: InlineSettings) -> Reason | None:
    """Why no suggestion is made in this scope; ``None`` where one may be."""
    if query.invoked:
        return None
    if scope.in_comment and not settings.in_comments:
        return Reason.IN_COMMENT
    if scope.in_string and not settings.in_strings:
        return Reason.IN_STRING
    return Reason.IN_DATA if _is_data(query.snapshot, query.offset) else None


def declined_after(query: InlineQuery, removed: str) -> Reason | None:
    """Why no suggestion is made after the last key deleted ``removed``, if that is a few characters and not lines."""
    return Reason.JUST_DELETED if removed and "\n" not in removed and not query.invoked else None


def min_confidence(settings: InlineSettings, strictness: float) -> float:
    """How sure the model must be, 0 to 1: the setting times ``strictness``, which alone never makes it more than 0.5."""
    least = settings.min_confidence
    return min(least * strictness, max(least, 0.5))


def may_prefetch(model: ModelInfo, settings: Settings) -> bool:
    """True when the model may be used before a request is made: not where it is slow, and not where it may cost money."""
    inline = settings.inline
    return inline.enable and inline.prefetch and not model.slow and settings.engine.kind == "managed"


def wants_lines(scope: CursorScope, snapshot: Snapshot, offset: int, settings: InlineSettings) -> bool:
    """True where a suggestion of several lines is wanted."""
    if settings.multiline != "auto":
        return settings.multiline == "always"
    return scope.block_due and not _after(snapshot, offset).strip()


def is_gap(query: InlineQuery, scope: CursorScope, settings: InlineSettings) -> bool:
    """True where code is missing at the cursor, and only what follows tells how many lines.

    That is on a blank line among the statements of a definition; and, for a manual request, where code follows on the
    line. Not at the end of a line, where the statement alone is meant. A model that reads what follows ends there by itself.
    """
    if settings.multiline != "auto" or scope.in_comment or scope.in_string:
        return False
    snapshot, offset = query.snapshot, query.offset
    line = snapshot.line_span(snapshot.line_at(offset))
    if not only_closing(snapshot.text[offset : line.end]):
        return query.invoked
    return bool(scope.scopes) and not snapshot.of(line).strip()


def can_afford_lines(model: ModelInfo, settings: InlineSettings) -> bool:
    """True when the model was measured to be quick enough for several lines, or the user always wants them."""
    return settings.multiline == "always" or model.lines_tokens >= MIN_LINES_TOKENS


def _declined_by_line(snapshot: Snapshot, offset: int) -> Reason | None:
    line = snapshot.line_span(snapshot.line_at(offset))
    if len(line) > MAX_LINE:
        return Reason.TOO_LONG_LINE
    after = snapshot.of(Span(min(offset, line.end), line.end))
    if _WORD.match(after):
        return Reason.MID_WORD
    return None if only_closing(after) else Reason.TEXT_AFTER_CURSOR


def _is_data(snapshot: Snapshot, offset: int) -> bool:
    """True where numbers or encoded bytes stand before the cursor, on this line and the ones above."""
    before = snapshot.text[max(0, offset - _DATA_CHARS) : offset]
    if len(before) < _DATA_CHARS:
        return False
    return _ENCODED.search(before) is not None or sum(map(len, _NUMBERS.findall(before))) > _DATA_SHARE * _DATA_CHARS


def _after(snapshot: Snapshot, offset: int) -> str:
    return snapshot.text[offset : snapshot.line_span(snapshot.line_at(offset)).end]


def _is_disabled(language: Language, snapshot: Snapshot, settings: InlineSettings) -> bool:
    names = {snapshot.language, language.id, *language.aliases}
    return not names.isdisjoint(settings.disabled_languages)
