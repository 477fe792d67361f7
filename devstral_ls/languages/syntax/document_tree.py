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

    Of a long text two trees are stored: that of the region around the cursor, for suggestions, and that of all of it, for
    offers of code actions.

    Args:
        parse_seconds: the longest a parse may take.
    """

    def __init__(self, parse_seconds: float = PARSE_SECONDS) -> None:
        self._parse_seconds = parse_seconds
        self._now: Snapshot | None = None
        """The document as it was told last."""
        self._whole: EditedTree | None = None
        self._region: EditedTree | None = None
        self._whole_failed_at: int | None = None
        """The version at which it took too long to parse all of it ..."""
        self._region_failed_at: int | None = None
        """... or a region."""

    def changed(self, change: DocumentChange) -> None:
        """Take note of a change; nothing is parsed before a tree is asked for."""
        if change.before is not self._now:  # not told of what came before it
            self._whole = self._region = None
        self._whole = self._whole and self._whole.then(change.edits)
        self._region = self._region and self._region.then(change.edits)
        self._now = change.after

    def of(self, snapshot: Snapshot, offset: int | None = None) -> Syntax | None:
        """The tree of ``snapshot``, made from the last one by what was changed since where there is one.

        With ``offset``, the place of a cursor: of a long text only the region around it. ``None``: no usable grammar, a text
        above ``MAX_PARSED_CHARS``, or one that takes too long to parse.
        """
        language = language_of(snapshot.language, snapshot.uri)
        grammar = loaded_grammar(language)
        region = None if offset is None else region_around(snapshot.text, offset, language)
        if offset is not None and region is None:
            self._region = None  # the text is short now
        if self._now is None or (snapshot is not self._now and snapshot.version >= self._now.version):
            self._now, self._whole, self._region = snapshot, None, None  # a text that no change has led to
        is_now = snapshot is self._now
        is_too_long = region is None and len(snapshot.text) > MAX_PARSED_CHARS
        if grammar is None or is_too_long or self._is_too_slow(snapshot, region):
            self._replace(region, None)
            return None
        earlier = self._earlier(region, language)
        is_same = earlier is not None and (earlier.syntax.snapshot is snapshot or (is_now and earlier.replaced is None))
        if earlier is not None and is_same and earlier.syntax.region == region:
            return earlier.syntax
        syntax = parse_region(snapshot, language, grammar, earlier if is_now else None, self._parse_seconds, region)
        if syntax is None and region is None:
            self._whole_failed_at = snapshot.version
        elif syntax is None:
            self._region_failed_at = snapshot.version
        if is_now:
            self._replace(region, None if syntax is None else EditedTree(syntax))
        return syntax

    def tried(self, change: DocumentChange, offset: int) -> Syntax | None:
        """The tree of ``change.after``, a text that the document could have, around ``offset``; it is not stored.

        ``None`` where the document has no tree, or that of the text takes too long.
        """
        earlier = self._region or self._whole
        if earlier is None:
            return None
        if change.before is not self._now:  # the document has moved on
            last, region = earlier.syntax, region_around(change.after.text, offset, earlier.syntax.language)
            return parse_region(change.after, last.language, last.grammar, None, self._parse_seconds, region)
        return tree_of_trial(earlier.then(change.edits), change.after, offset, self._parse_seconds)

    def _is_too_slow(self, snapshot: Snapshot, region: Span | None) -> bool:
        failed_at = self._whole_failed_at if region is None else self._region_failed_at
        return failed_at is not None and failed_at <= snapshot.version < failed_at + RETRY_VERSIONS

    def _earlier(self, region: Span | None, language: Language) -> EditedTree | None:
        earlier = self._whole if region is None else self._region
        return earlier if earlier is not None and earlier.syntax.language is language else None

    def _replace(self, region: Span | None, earlier: EditedTree | None) -> None:
        if region is not None:
            self._region = earlier
        else:
            self._whole = earlier


def parse_once(snapshot: Snapshot, parse_seconds: float = PARSE_SECONDS) -> Syntax | None:
    """The tree of a text that is looked at once; ``None`` as in ``DocumentTree.of``."""
    return DocumentTree(parse_seconds).of(snapshot)
