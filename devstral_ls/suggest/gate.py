"""Whether to ask at all, and for one line or many; no model is needed to know.

The cheap questions come first (``declined``), those that need the syntax tree after (``declined_in``). A request that
the user made by a key is only held back where nothing may be asked at all.
"""

from __future__ import annotations

import re

from devstral_ls.generation import ModelInfo
from devstral_ls.languages.scopes import CursorScope
from devstral_ls.languages.table import Language
from devstral_ls.settings import InlineSettings, Settings
from devstral_ls.suggest.brackets import only_closing
from devstral_ls.suggest.exclusion import is_excluded
from devstral_ls.suggest.trace import InlineQuery, Reason
from devstral_ls.text import Snapshot, Span

MAX_LINE = 4_000
"""Characters; longer lines are data or minified code, where nobody waits for a suggestion."""

_WORD = re.compile(r"\w")


def declined(query: InlineQuery, language: Language, settings: Settings) -> Reason | None:
    """Why this query is not worth the model's time, by settings and by the line it stands on."""
    if is_excluded(query.snapshot.uri, settings.privacy):
        return Reason.EXCLUDED
    if query.invoked:
        return None
    if not settings.inline.enable:
        return Reason.DISABLED
    if _is_disabled(language, query.snapshot, settings.inline):
        return Reason.LANGUAGE_DISABLED
    return _declined_by_line(query.snapshot, query.offset)


def declined_by(query: InlineQuery, model: ModelInfo) -> Reason | None:
    """Why not with this model."""
    return Reason.TOO_SLOW if model.slow and not query.invoked else None


def declined_in(query: InlineQuery, scope: CursorScope, settings: InlineSettings) -> Reason | None:
    """Why not in this scope."""
    if scope.in_comment and not settings.in_comments and not query.invoked:
        return Reason.IN_COMMENT
    return None


def wants_lines(scope: CursorScope, snapshot: Snapshot, offset: int, settings: InlineSettings) -> bool:
    """Are several lines wanted here?"""
    if settings.multiline != "auto":
        return settings.multiline == "always"
    return scope.block_due and not _after(snapshot, offset).strip()


def _declined_by_line(snapshot: Snapshot, offset: int) -> Reason | None:
    line = snapshot.line_span(snapshot.line_at(offset))
    if len(line) > MAX_LINE:
        return Reason.TOO_LONG_LINE
    after = snapshot.of(Span(min(offset, line.end), line.end))
    if _WORD.match(after):
        return Reason.MID_WORD
    return None if only_closing(after) else Reason.TEXT_AFTER_CURSOR


def _after(snapshot: Snapshot, offset: int) -> str:
    return snapshot.text[offset : snapshot.line_span(snapshot.line_at(offset)).end]


def _is_disabled(language: Language, snapshot: Snapshot, settings: InlineSettings) -> bool:
    names = {snapshot.language, language.id, *language.aliases}
    return not names.isdisjoint(settings.disabled_languages)
