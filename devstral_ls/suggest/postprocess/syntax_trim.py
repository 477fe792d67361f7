"""The last cut: a suggestion ends where the file parses at least as well with it as without.

What is open at the cursor or in the suggestion, and closed nowhere, counts as closed behind it: where a header is being
typed its end is not typed yet either, and a parser that misses a bracket sees errors where there are none. Without a
grammar, in comments and in strings nothing is known, and nothing is cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from devstral_ls.languages.syntax.incremental import with_edits
from devstral_ls.languages.syntax.tree import Syntax, n_errors
from devstral_ls.suggest.postprocess.draft import CursorContext, Draft
from devstral_ls.suggest.trace import InlineQuery, NothingToShow, Reason, Trace
from devstral_ls.text import Edit, Span

MAX_CUTS = 8
"""Ends that are tried; what does not parse after that is broken at its beginning."""

SECONDS = 0.01
"""For all of them: a comma is not worth more waiting, and the event loop does nothing else meanwhile."""

NEAR = 4_000
"""Characters before and behind the suggestion whose errors count."""

BROKEN = 1_000_000
"""Errors of a text that is not to be shown, more than any file has."""

_MARKS = ("@", "#[")
"""How a decorator, an annotation or an attribute begins."""

_ENDED = (";", "{", "}", ",", ":")

_ENDS = re.compile(r"[\w)\]}\"'`;]+(?=\W|\Z)")


class SyntaxTrim:
    """Tries suggestions in the syntax trees of their documents.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def cut(self, draft: Draft, query: InlineQuery, syntax: Syntax | None, trace: Trace) -> Draft:
        """``draft`` up to the last point where the file parses as well as before; all of it where that is not known.

        ``syntax`` is the tree of the query's text.

        Raises:
            NothingToShow: there is none, and the request is not a manual one.
        """
        place = draft.place
        if syntax is None or place.in_comment or place.in_string or place.language.loose_brackets:
            return draft
        until = self._clock() + SECONDS
        before: int | None = None
        strict = 0
        tried: list[tuple[str, int]] = []
        for text in _candidates(draft):
            after = _errors_with(draft, text, query, syntax)
            if after and before is None:  # most texts have no error, and need not be compared
                before = _errors_near(syntax, Edit(Span(query.offset, query.offset), ""), place, "")
                if before is None:
                    return draft
                strict = min(before, _errors_without_the_line(query, place, syntax))
            if after <= strict:
                return _cut_to(text, draft, trace)
            tried.append((text, after))
            if self._clock() > until:
                break
        for text, after in tried:  # what the line needs besides may come on the next one
            if before is not None and after <= before:
                return _cut_to(text, draft, trace)
        if query.invoked:
            return draft
        raise NothingToShow(Reason.BREAKS_SYNTAX)


def _errors_without_the_line(query: InlineQuery, place: CursorContext, syntax: Syntax) -> int:
    """Errors of the file without what stands on the cursor's line: half a statement is one by itself."""
    snapshot = query.snapshot
    line = snapshot.line_span(snapshot.line_at(query.offset))
    return _errors_near(syntax, Edit(line, ""), place, "") or 0


def _errors_with(draft: Draft, text: str, query: InlineQuery, syntax: Syntax) -> int:
    """Errors of the file with ``text`` in it."""
    at = query.offset
    scan = draft.place.scan(text)
    if text.rpartition("\n")[2].lstrip().startswith(_MARKS):
        return 0  # what they mark comes on the next line
    behind = [c for _, c in draft.place.scan(draft.place.line_after[draft.n_replaced :]).closing]
    due = _still_due(scan.due, behind)
    if scan.in_string or ")" in due or "]" in due:
        # All of it may go on further down, that cannot be told; what we cut ourselves must not end there.
        return 0 if text == draft.text else BROKEN
    # Where a statement's end is missing that a semicolon would make, it may be typed yet; not where more is missing:
    # what the model was not sure of.
    is_ended = draft.unsure or text.endswith(_ENDED) or draft.place.language.offside
    span = Span(at, at + draft.n_replaced)
    fewest = BROKEN
    for end in ("",) if is_ended else ("", ";"):
        edit = Edit(span, text + end + due)
        fewest = min(fewest, _errors_near(syntax, edit, draft.place, text) or 0)
        if not fewest:
            break
    return fewest


def _errors_near(syntax: Syntax, edit: Edit, place: CursorContext, written: str) -> int | None:
    """Errors near ``edit``, with the closers behind its line that are due there after ``written`` and come nowhere."""
    start, end = edit.span.start, edit.span.start + len(edit.text)
    missing = list(place.missing)
    for _, closer in place.scan(written).closing if missing else ():
        if missing and closer == missing[0]:
            del missing[0]
    edits = [edit]
    if missing:
        text = syntax.snapshot.text
        line_end = text.find("\n", edit.span.end)
        line_end = (len(text) if line_end < 0 else line_end) + len(edit.text) - len(edit.span)
        edits.append(Edit(Span(line_end, line_end), f"\n{''.join(missing)}"))
    after = with_edits(syntax, edits, start)
    return None if after is None else n_errors(after, Span(max(0, start - NEAR), end + NEAR))


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
    """The text, then its shorter beginnings: whole lines, without blank ones at the end, then words of the first line."""
    text = draft.text
    yield text
    first, *more = text.split("\n")
    cuts = ["\n".join([first, *more[:n]]) for n in range(len(more)) if not n or more[n - 1].strip()][::-1]
    words = [first[: match.end()] for match in _ENDS.finditer(first)][::-1]
    cuts += [word for word in words if word != text and word != first]
    yield from (one for one in cuts[:MAX_CUTS] if one.strip())
