"""``DocumentTree``: the syntax tree of one open document, kept up to date from its changes."""

from __future__ import annotations

from devstral_ls.languages.grammars import loaded_grammar
from devstral_ls.languages.language import Language
from devstral_ls.languages.syntax.incremental import PARSE_SECONDS, EditedTree, parse_region, tree_of_trial
from devstral_ls.languages.syntax.region import region_around
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.languages.table import language_of
from devstral_ls.text import DocumentChange, Snapshot, Span

MAX_PARSED_CHARS = 512 * 1024
"""Longer texts get no tree: a fresh parse runs at about 10 MB a second and holds the event loop."""

RETRY_VERSIONS = 100
"""So many versions after a parse that took too long the document is tried again."""


class DocumentTree:
    """The tree of one open document. Made once for a document, told of every change of it, and dropped with it.

    Of a long text two trees are kept: that of the part around the cursor, for suggestions, and that of all of it, for
    offers of code actions.

    Args:
        parse_seconds: the longest a parse may take.
    """

    def __init__(self, parse_seconds: float = PARSE_SECONDS) -> None:
        self._parse_seconds = parse_seconds
        self._now: Snapshot | None = None
        """The document as it was told last."""
        self._whole: EditedTree | None = None
        self._part: EditedTree | None = None
        self._failed_at: int | None = None
        """The version at which parsing took too long."""

    def changed(self, change: DocumentChange) -> None:
        """Take note of a change; nothing is parsed before a tree is asked for."""
        if change.before is not self._now:  # not told of what came before it
            self._whole = self._part = None
        self._whole = self._whole and self._whole.then(change.edits)
        self._part = self._part and self._part.then(change.edits)
        self._now = change.after

    def of(self, snapshot: Snapshot, offset: int | None = None) -> Syntax | None:
        """The tree of ``snapshot``, made from the last one by what was changed since where there is one.

        With ``offset``, the place of a cursor: of a long text only the part around it. ``None``: no usable grammar, a text
        above ``MAX_PARSED_CHARS``, or one that takes too long to parse.
        """
        language = language_of(snapshot.language, snapshot.uri)
        grammar = loaded_grammar(language)
        part = None if offset is None else region_around(snapshot.text, offset, language)
        if self._now is None or (snapshot is not self._now and snapshot.version >= self._now.version):
            self._now, self._whole, self._part = snapshot, None, None  # a text that no change has led to
        is_now = snapshot is self._now
        if grammar is None or (part is None and len(snapshot.text) > MAX_PARSED_CHARS) or self._is_too_slow(snapshot):
            self._whole = self._part = None
            return None
        kept = self._kept(part, language)
        is_same = kept is not None and (kept.syntax.snapshot is snapshot or (is_now and kept.replaced is None))
        if kept is not None and is_same and kept.syntax.part == part:
            return kept.syntax
        syntax = parse_region(snapshot, language, grammar, kept if is_now else None, self._parse_seconds, part)
        if syntax is None:
            self._failed_at = snapshot.version
        if is_now:
            self._keep(part, None if syntax is None else EditedTree(syntax))
        return syntax

    def tried(self, change: DocumentChange, offset: int) -> Syntax | None:
        """The tree of ``change.after``, a text that the document could have, around ``offset``; it is not kept.

        ``None`` where the document has no tree, or that of the text takes too long.
        """
        kept = self._part or self._whole
        if kept is None:
            return None
        if change.before is not self._now:  # the document has moved on
            last, part = kept.syntax, region_around(change.after.text, offset, kept.syntax.language)
            return parse_region(change.after, last.language, last.grammar, None, self._parse_seconds, part)
        return tree_of_trial(kept.then(change.edits), change.after, offset, self._parse_seconds)

    def _is_too_slow(self, snapshot: Snapshot) -> bool:
        failed_at = self._failed_at
        return failed_at is not None and failed_at <= snapshot.version < failed_at + RETRY_VERSIONS

    def _kept(self, part: Span | None, language: Language) -> EditedTree | None:
        kept = self._whole if part is None else self._part
        return kept if kept is not None and kept.syntax.language is language else None

    def _keep(self, part: Span | None, kept: EditedTree | None) -> None:
        if part is not None:
            self._part = kept
        else:
            self._whole = kept


def parse_once(snapshot: Snapshot, parse_seconds: float = PARSE_SECONDS) -> Syntax | None:
    """The tree of a text that is looked at once; ``None`` as in ``DocumentTree.of``."""
    return DocumentTree(parse_seconds).of(snapshot)
