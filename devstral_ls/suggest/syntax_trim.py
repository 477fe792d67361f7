"""The last cut: a suggestion ends where the file parses at least as well with it as without.

What is open at the cursor or in the suggestion, and closed nowhere, counts as closed behind it: somebody who types a
header has not typed its end either, and a parser that misses a bracket sees errors where there are none. Without a grammar, in comments and in strings nothing is known, and nothing is cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from devstral_ls.languages.syntax.tree import SyntaxTrees, n_errors
from devstral_ls.suggest.draft import CursorContext, Draft
from devstral_ls.suggest.refusals import NothingToShow
from devstral_ls.suggest.trace import InlineQuery, Reason, Trace
from devstral_ls.text import Edit, Snapshot, Span, apply

MAX_CUTS = 8
"""So many ends are tried; what does not parse after that is broken at its beginning."""

SECONDS = 0.01
"""For all of them: nobody waits longer for a comma, and nothing else is done meanwhile."""

NEAR = 4_000
"""Characters before and behind the suggestion whose errors count."""

BROKEN = 1_000_000
"""Errors of a text that is not to be shown, more than any file has."""

_MARKS = ("@", "#[")
"""How a decorator, an annotation or an attribute begins."""

_ENDED = (";", "{", "}", ",", ":")

_ENDS = re.compile(r"[\w)\]}\"'`;]+(?=\W|\Z)")


class SyntaxTrim:
    """Tries suggestions in the trees of their documents.

    Args:
        trees: of the documents.
        clock: seconds.
    """

    def __init__(self, trees: SyntaxTrees, clock: Callable[[], float]) -> None:
        self._trees = trees
        self._clock = clock

    def cut(self, draft: Draft, query: InlineQuery, trace: Trace) -> Draft:
        """``draft`` up to the last point where the file parses as well as before; as it is where nobody can tell.

        Raises:
            NothingToShow: there is none, and nobody insists.
        """
        place = draft.place
        if place.in_comment or place.in_string or place.language.loose_brackets:
            return draft
        until = self._clock() + SECONDS
        before: int | None = None
        strict = 0
        found: list[tuple[str, int]] = []
        for text in _candidates(draft):
            after = self._with(draft, text, query)
            if after and before is None:  # most texts have no error, and need not be compared
                before = self._errors_of(query.snapshot, Edit(Span(query.offset, query.offset), ""), place, "")
                if before is None:
                    return draft
                strict = min(before, self._without_the_line(query, place))
            if after <= strict:
                return _cut_to(text, draft, trace)
            found.append((text, after))
            if self._clock() > until:
                break
        for text, after in found:  # what the line needs besides may come on the next one
            if before is not None and after <= before:
                return _cut_to(text, draft, trace)
        if query.invoked:
            return draft
        raise NothingToShow(Reason.BREAKS_SYNTAX)

    def _without_the_line(self, query: InlineQuery, place: CursorContext) -> int:
        """Errors of the file without what stands on the cursor's line: half a statement is one by itself."""
        snapshot = query.snapshot
        line = snapshot.line_span(snapshot.line_at(query.offset))
        return self._errors_of(snapshot, Edit(line, ""), place, "") or 0

    def _with(self, draft: Draft, text: str, query: InlineQuery) -> int:
        """Errors of the file with ``text`` in it."""
        at = query.offset
        scan = draft.place.scan(text)
        if text.rpartition("\n")[2].lstrip().startswith(_MARKS):
            return 0  # what they mark comes on the next line
        behind = [c for _, c in draft.place.scan(draft.place.line_after[draft.n_replaced :]).closing]
        due = _still_due(scan.due, behind)
        if scan.in_string or ")" in due or "]" in due:
            # All of it may go on further down, nobody can tell; what we cut ourselves must not end there.
            return 0 if text == draft.text else BROKEN
        # Where a statement's end is missing that a semicolon would make, it may be typed yet; not where more is missing:
        # what the model was not sure of.
        is_ended = draft.unsure or text.endswith(_ENDED) or draft.place.language.offside
        ends = ("",) if is_ended else ("", ";")
        span = Span(at, at + draft.n_replaced)
        fewest = BROKEN
        for end in ends:
            edit = Edit(span, text + end + due)
            fewest = min(fewest, self._errors_of(query.snapshot, edit, draft.place, text) or 0)
            if not fewest:
                break
        return fewest

    def _errors_of(self, snapshot: Snapshot, edit: Edit, place: CursorContext, written: str) -> int | None:
        """Errors near ``edit``, with the closers behind its line that are due there after ``written`` and come nowhere."""
        start, end = edit.span.start, edit.span.start + len(edit.text)
        text = apply(snapshot.text, edit)
        missing = list(place.missing)
        for _, closer in place.scan(written).closing:
            if missing and closer == missing[0]:
                del missing[0]
        if missing:
            line_end = text.find("\n", end)
            line_end = len(text) if line_end < 0 else line_end
            text = f"{text[:line_end]}\n{''.join(missing)}{text[line_end:]}"
        tried = Snapshot(snapshot.uri, snapshot.version, snapshot.language, text)
        syntax = self._trees.tried(tried, start)
        return None if syntax is None else n_errors(syntax, Span(max(0, start - NEAR), end + NEAR))


def _cut_to(text: str, draft: Draft, trace: Trace) -> Draft:
    if text == draft.text:
        return draft
    trace.decisions.append("cut-where-it-parses")
    return replace(draft, text=text)


def _still_due(due: str, behind: list[str]) -> str:
    """The closers of ``due`` that do not stand behind the cursor already."""
    for closer in behind:
        if due.startswith(closer):
            due = due[1:]
    return due


def _candidates(draft: Draft) -> Iterator[str]:
    """The text, then its shorter beginnings: whole lines, then whole words of the first line."""
    text = draft.text
    yield text
    first, *more = text.split("\n")
    cuts = ["\n".join([first, *more[:n]]) for n in range(len(more))][::-1]
    words = [first[: match.end()] for match in _ENDS.finditer(first)][::-1]
    cuts += [word for word in words if word != text and word != first]
    yield from (one for one in cuts[:MAX_CUTS] if one.strip())
