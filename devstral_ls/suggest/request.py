"""``SuggestionRequest``: a place in a document, and all that the suggestion for it depends on, as a value."""

from __future__ import annotations

from dataclasses import dataclass, replace

from devstral_ls.generation import ModelInfo, Priority
from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.languages.scopes.siblings import sibling_functions
from devstral_ls.languages.scopes.tree import scope_at
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.languages.table import language_of
from devstral_ls.prompt.layouts import suffix_share
from devstral_ls.settings.tree import InlineSettings, Settings
from devstral_ls.suggest import policy
from devstral_ls.suggest.cache import CacheKey, cache_key
from devstral_ls.suggest.postprocess.draft import CursorContext, cursor_context_at
from devstral_ls.suggest.session import DocumentSession
from devstral_ls.suggest.trace import InlineQuery
from devstral_ls.text import Span


@dataclass(frozen=True, slots=True)
class SuggestionRequest:
    """What the model is to be asked for."""

    session: DocumentSession
    """Of the document: retrieval and the cache are its own."""
    query: InlineQuery
    key: CacheKey
    scope: CursorScope
    syntax: Syntax | None
    """The tree of the query's text; ``None`` where there is none."""
    place: CursorContext
    model: ModelInfo
    settings: Settings
    siblings: tuple[Span, ...] = ()
    """Other functions of the cursor's class, the nearest first."""
    min_confidence: float = 0.0
    priority: Priority = Priority.INLINE

    @property
    def is_prefetch(self) -> bool:
        """True when no request of an editor asks for it yet."""
        return self.priority is Priority.BACKGROUND

    @property
    def may_show_first_lines(self) -> bool:
        """True when its first lines may be shown while the rest is written; a manual request waits for all of it."""
        return self.place.multiline and not self.query.invoked and not self.is_prefetch


def suggestion_request(
    session: DocumentSession,
    query: InlineQuery,
    model: ModelInfo,
    settings: Settings,
    *,
    follows_accepted: bool = False,
    removed: str = "",
) -> SuggestionRequest:
    """The request for ``query``. ``follows_accepted`` and ``removed`` are as in ``CursorContext``."""
    snapshot, offset, inline = query.snapshot, query.offset, settings.inline
    tree = session.tree
    syntax = tree.of(snapshot, offset) if query.change is None else tree.tried(query.change, offset)
    scope = scope_at(syntax, snapshot, offset)
    is_block = policy.wants_lines(scope, snapshot, offset, inline)
    is_gap = reads_suffix(model) and policy.is_gap(query, scope, inline)
    multiline = (is_block or is_gap) and policy.can_afford_lines(model, inline)
    language = language_of(snapshot.language, snapshot.uri)
    place = cursor_context_at(snapshot, offset, scope, language, multiline=multiline, syntax=syntax)
    place = replace(
        place,
        fills_gap=is_gap and multiline and bool(place.line_after.strip()),
        # Where a block is due that would take too long, its first line may follow the line end.
        follows_accepted=(follows_accepted or is_block) and not multiline,
        invoked=query.invoked,
        removed=removed,
    )
    return SuggestionRequest(
        session,
        query,
        cache_key(snapshot, offset, cache_fingerprint(model, inline)),
        scope,
        syntax,
        place,
        model,
        settings,
        sibling_functions(syntax, scope, offset) if "sibling" in inline.context else (),
    )


def cache_fingerprint(model: ModelInfo, inline: InlineSettings) -> str:
    """What an answer depends on besides the text: the model, its layout, and the settings."""
    where = (inline.in_comments, inline.in_strings, inline.context)
    limits = (inline.multiline, inline.max_tokens, inline.latency_budget_ms, inline.min_confidence, *where)
    return f"{model.name}/{model.layouts[0]}/{limits}"


def reads_suffix(model: ModelInfo) -> bool:
    """True when the model is shown what follows the cursor, so that it knows where its answer is to end."""
    return suffix_share(model.layouts[0]) > 0
