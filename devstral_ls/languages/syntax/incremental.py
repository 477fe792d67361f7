"""Trees made from earlier trees and what was edited since; that is told, never looked for: no texts are compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import tree_sitter

from devstral_ls.languages.grammars import LoadedGrammar
from devstral_ls.languages.language import Language
from devstral_ls.languages.syntax.offsets import encode
from devstral_ls.languages.syntax.parsing import parse_bytes
from devstral_ls.languages.syntax.region import head_region, region_around
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.text import Edit, Replacement, Snapshot, Span, apply

MAX_TRIED_CHARS = 128 * 1024
"""A longer text is not parsed only to try what could stand in it: 14 ms for 20,000 lines, and more where it is broken."""

PARSE_SECONDS = 0.3
"""The longest a parse may hold the event loop. Ordinary text of ``MAX_PARSED_CHARS`` takes a third of it; some grammars
need minutes for half a megabyte of unclosed tags."""


@dataclass(frozen=True, slots=True)
class EditedTree:
    """A tree, and what was replaced in its text since it was made."""

    syntax: Syntax
    replaced: Replacement | None = None
    """``None``: nothing."""

    def then(self, edits: Iterable[Edit]) -> EditedTree:
        """With ``edits`` made as well."""
        return replace(self, replaced=Replacement.of(edits, self.replaced))


def with_edits(
    syntax: Syntax, edits: Sequence[Edit], offset: int, parse_seconds: float = PARSE_SECONDS
) -> Syntax | None:
    """The tree of ``syntax``'s text with ``edits`` done, around ``offset``; that of ``syntax`` where they change nothing.

    ``None`` where it takes too long, or the text is too long to be parsed for a trial.
    """
    if not any(edit.text or edit.span for edit in edits):
        return syntax
    before = syntax.snapshot
    # Not by ``Snapshot.edited``: the lines of a trial are not needed.
    after = Snapshot(before.uri, before.version, before.language, reduce(apply, edits, before.text))
    return tree_of_trial(EditedTree(syntax).then(edits), after, offset, parse_seconds)


def tree_of_trial(earlier: EditedTree, after: Snapshot, offset: int, seconds: float) -> Syntax | None:
    """The tree of ``after``, a text that the text of ``earlier`` has become, around ``offset``; ``None`` where that takes too long."""
    region = _same_region(earlier, after.text, offset)
    if region is None and len(after.text) > MAX_TRIED_CHARS:
        return None
    last = earlier.syntax
    return parse_region(after, last.language, last.grammar, earlier, seconds, region)


def _same_region(earlier: EditedTree, text: str, offset: int) -> Span | None:
    """The region of ``text`` that the earlier tree has of its own; another around ``offset`` where an edit reaches out of it."""
    last, replaced = earlier.syntax, earlier.replaced
    if last.region is None:
        return region_around(text, offset, last.language) if len(text) > MAX_TRIED_CHARS else None
    start, end = last.region.start, last.region.end
    if replaced is None or (start <= replaced.start and replaced.old_end <= end):
        end += 0 if replaced is None else replaced.delta
        if start <= offset <= end:
            return Span(start, end)
    return region_around(text, offset, last.language)


def parse_region(
    snapshot: Snapshot,
    language: Language,
    grammar: LoadedGrammar,
    earlier: EditedTree | None,
    seconds: float,
    region: Span | None,
) -> Syntax | None:
    """The tree of ``region`` of ``snapshot``; ``None`` when it takes longer than ``seconds``."""
    text = snapshot.text if region is None else snapshot.of(region)
    data = encode(text)
    edited = None if earlier is None else _edited(earlier, data, region or Span(0, len(snapshot.text)))
    tree = parse_bytes(grammar.language, data, edited, seconds)
    if tree is None:
        return None
    head = _head(snapshot, language, grammar, earlier, seconds) if region is not None and region.start else None
    return Syntax(snapshot, language, tree, grammar, data, region, head)


def _head(
    snapshot: Snapshot, language: Language, grammar: LoadedGrammar, earlier: EditedTree | None, seconds: float
) -> Syntax | None:
    """The tree of the beginning: the last one as long as nothing in it was edited."""
    last = None if earlier is None else earlier.syntax.head
    if (
        earlier is not None
        and last is not None
        and (earlier.replaced is None or earlier.replaced.start >= len(last.text))
    ):
        return last
    region = head_region(snapshot.text, language)
    data = encode(snapshot.of(region))
    tree = parse_bytes(grammar.language, data, None, seconds)
    return None if tree is None else Syntax(snapshot, language, tree, grammar, data, region)


def _edited(earlier: EditedTree, data: bytes, region: Span) -> tree_sitter.Tree | None:
    """A copy of the last tree, told what changed; the last one stays as it is, since requests may still hold it.

    ``None`` where it is no use for ``region``, which begins elsewhere or behind an edit.
    """
    last, replaced = earlier.syntax, earlier.replaced
    old = last.region or Span(0, len(last.snapshot.text))
    if replaced is None:
        replaced = Replacement(old.end, old.end, old.end)
    if region.start != old.start or replaced.start < old.start:
        return None
    if replaced.old_end > old.end or region.end != old.end + replaced.delta:  # it ends at another place than it did
        replaced = Replacement(min(replaced.start, old.end, region.end), old.end, region.end)
    start = last.offsets.to_byte(replaced.start)
    old_end = last.offsets.to_byte(replaced.old_end)
    new_end = len(data) - (len(last.data) - old_end)
    tree = last.tree.copy()
    point = _point(data, start)
    tree.edit(
        start, old_end, new_end, point, _point(last.data, old_end, start, point), _point(data, new_end, start, point)
    )
    return tree


def _point(data: bytes, at: int, known: int = 0, known_point: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    """Row and column, both from 0 and in bytes, of a byte offset; counted from one already known before it."""
    rows = data.count(b"\n", known, at)
    if not rows:
        return known_point[0], known_point[1] + at - known
    return known_point[0] + rows, at - data.rfind(b"\n", known, at) - 1
