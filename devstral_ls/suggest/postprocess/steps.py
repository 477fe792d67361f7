"""From what the model wrote to what is worth showing: ``STEPS``, small pure functions, in order.

Each takes a ``Draft`` and gives one back, or raises ``NothingToShow`` with the reason. An answer is never stripped at
its front: leading spaces are part of it (of 1,033 single-line answers 20 still compiled after ``strip()``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from devstral_ls.languages.lexing import CLOSERS, OPENERS, QUOTES, only_closing, scan_brackets
from devstral_ls.suggest.postprocess.draft import CursorContext, Draft
from devstral_ls.suggest.postprocess.refusals import (
    refuse_comment_behind_code,
    refuse_prose,
    refuse_repetition,
    refuse_stub,
    refuse_what_was_removed,
)
from devstral_ls.suggest.stops import cut
from devstral_ls.suggest.trace import NothingToShow, Reason
from devstral_ls.text import unix_newlines

MIN_OVERLAP = 3
"""Characters of code (not closers) that must agree before an answer's end counts as a repeat of the suffix."""

_OPERATORS = re.compile(r"[\s+\-*/%=<>&|^!~,.:?]+\Z")
"""What needs something behind it."""

_CLOSING_ONLY = " \t)]};,"
"""A line of these alone comes again by right."""


def postprocess(draft: Draft, decisions: list[str] | None = None) -> Draft:
    """``draft`` after all steps; never blank. The names of the steps that changed it go to ``decisions``.

    Raises:
        NothingToShow: with the reason.
    """
    if not draft.text.strip() and draft.unsure:
        raise NothingToShow(Reason.UNSURE)
    if not draft.text:
        raise NothingToShow(Reason.EMPTY)
    for step in STEPS:
        last, draft = draft, step(draft)
        if decisions is not None and (draft.text, draft.n_replaced) != (last.text, last.n_replaced):
            decisions.append(step.__name__.replace("_", "-"))
    if not draft.text.strip():
        raise NothingToShow(Reason.BLANK)
    return draft


def unix_line_ends(draft: Draft) -> Draft:
    r"""Work with ``\n`` inside; the document's own line ends come back when the suggestion is made."""
    return draft.with_text(unix_newlines(draft.text))


def cut_where_the_stream_stops(draft: Draft) -> Draft:
    """The same cut as while streaming, for an answer that ended by itself before a line end came."""
    if draft.place.fills_gap and draft.complete:
        ends_in_line = draft.text.rpartition("\n")[2].strip()  # the one that goes on behind the cursor
        return draft if ends_in_line else draft.with_text(draft.text.partition("\n")[0])
    text = cut(draft.text + "\n", draft.place)
    return draft if text is None or len(text) >= len(draft.text) else replace(draft, text=text, complete=True)


def drop_half_line(draft: Draft) -> Draft:
    """What the token limit or the time cut in two is not shown: of several lines the last one, of one the last word."""
    if draft.complete:
        return draft
    if draft.place.fills_gap and "\n" in draft.text:
        return replace(draft, text=draft.text[: draft.text.index("\n")], complete=True)
    if "\n" not in draft.text:
        whole = re.sub(r"\w+\Z", "", draft.text)
        return draft.with_text(whole) if whole.strip() else draft
    return draft.with_text(draft.text[: draft.text.rindex("\n")])


def drop_open_end(draft: Draft) -> Draft:
    """What was cut because the model was not sure does not end inside a call or a string that the user has to close: of
    several lines the last ones go, of one the end from the opener on; the brace of a single header may stay.
    """
    place, text = draft.place, draft.text
    if not draft.unsure or place.in_comment or place.in_string or place.language.loose_brackets:
        return draft
    lead = len(text) - len(text.lstrip())
    while _is_open(text, place):
        at = text.rfind("\n", lead)
        text = text[: at if at >= 0 else max(text.rfind(c) for c in (*OPENERS, *QUOTES))]
        text = _OPERATORS.sub("", text)
    return draft.with_text(text)


def _is_open(text: str, place: CursorContext) -> bool:
    scan = place.scan(text)
    line = re.sub(r"\\.", "", text[text.rfind("\n") + 1 :])
    in_quotes = any(line.count(quote) % 2 for quote in place.language.quotes)
    is_header = text.endswith("{") and "\n" not in text.lstrip()
    return scan.in_string or in_quotes or bool(scan.due[is_header:])


def take_off_fence(draft: Draft) -> Draft:
    """Code inside a Markdown fence is the code; a fence behind the code ends it. Not where fences are the text itself."""
    if draft.place.language.loose_brackets or draft.place.in_comment or draft.place.in_string:
        return draft
    text = re.sub(r"\A\s*```[\w+#-]*\n", "", draft.text)
    fence = re.search(r"^[ \t]*```[\w+#-]*[ \t]*$", text, re.MULTILINE)
    return draft.with_text(text if fence is None else text[: fence.start()].rstrip("\n"))


def stop_at_what_follows(draft: Draft) -> Draft:
    """Nothing from the first line on that is the next line of the document already."""
    below = draft.place.next_line.rstrip()
    if not below:
        return draft
    first, *more = draft.text.split("\n")
    if (draft.place.line_before + first).rstrip() == below and not draft.place.line_after.strip():
        raise NothingToShow(Reason.REPEATS_SUFFIX)
    for n, line in enumerate(more):
        if line.rstrip() == below and line.strip(_CLOSING_ONLY):
            return draft.with_text("\n".join([first, *more[:n]]))
    return draft


def fit_what_follows(draft: Draft) -> Draft:
    """What follows the cursor on its line is not written twice.

    Closers and the quote behind the cursor were put there for what is open before it; those that the answer closes by
    itself are replaced: ``f(▮)`` and ``x) + 1``. So is what the answer ends with anyway: ``▮ + y`` and ``x + y``.
    """
    after = draft.place.line_after.rstrip()
    if not after:
        return draft
    place = draft.place
    text = draft.text.rstrip()
    closed = [c for _, c in place.scan(text).closing]
    n_replaced = _n_closed(after, closed)
    n_replaced += _n_punctuation(after[n_replaced:], text) if n_replaced else 0
    n_surplus = len(closed) + _n_without_opener(place)
    for n in range(min(len(after), len(text)), n_replaced, -1):  # what the answer ends with is no longer than it
        common = after[:n]
        if text.endswith(common) and _is_overlap(common) and len(place.scan(common).closing) <= n_surplus:
            n_replaced = n
            break
    return replace(draft, n_replaced=n_replaced)


def leave_common_end(draft: Draft) -> Draft:
    """What would be replaced by the same is left: ``print(▮)`` and ``x, y)`` give ``x, y``.

    Unless the answer closes something before it comes to its end.
    """
    text = draft.text.rstrip()
    replaced = draft.place.line_after[: draft.n_replaced]
    if not replaced or not text.endswith(replaced):
        return draft
    text = text[: -len(replaced)]
    if draft.place.scan(text).closing:
        return draft
    if not text.strip():
        raise NothingToShow(Reason.REPEATS_SUFFIX)
    return replace(draft, text=text, n_replaced=0)


def _n_without_opener(place: CursorContext) -> int:
    """How many closers behind the cursor close nothing that is open before it: the answer must open for them, or take
    their place.
    """
    due = list(place.before.due)
    n = 0
    for _, closer in place.scan(place.line_after).closing:
        if closer in due:
            due.remove(closer)
        else:
            n += closer in CLOSERS
    return n


def _n_punctuation(after: str, text: str) -> int:
    """How many characters of ``after``, a statement's last ones, the answer ends with as well."""
    end = after[: len(after) - len(after.lstrip(":;, "))].rstrip()
    return len(end) if end and text.endswith(end) else 0


def _is_overlap(common: str) -> bool:
    return only_closing(common) or len(common.strip()) >= MIN_OVERLAP


def _n_closed(after: str, closed: list[str]) -> int:
    """How many characters of ``after``, which begins with closers, the answer has ``closed`` itself."""
    n = 0
    for at, c in enumerate(after):
        if closed and c == closed[0]:
            closed = closed[1:]
            n = at + 1
        elif not c.isspace():
            break
    return n


def cut_at_surplus_closer(draft: Draft) -> Draft:
    """Cut before a closer for which nothing is open, neither in the answer nor before the cursor."""
    place = draft.place
    if place.language.loose_brackets or place.in_comment:
        return draft
    rest = scan_brackets(place.line_after[draft.n_replaced :], place.language)
    available = list(place.before.due)
    written = place.scan(draft.text)
    opened = list(written.due)
    for _, closer in rest.closing:
        for given in (opened, available):
            if closer in given:
                given.remove(closer)
                break
    for at, closer in written.closing:
        if closer in (place.quote, place.outer):
            continue
        if closer in available:
            available.remove(closer)
        elif "\n" not in draft.text[:at] and closer != "}":
            # Further down, or a brace, the opener may be above the lines we look at.
            return fit_what_follows(replace(draft, text=draft.text[:at], n_replaced=0))
    return draft


def no_space_after_bracket(draft: Draft) -> Draft:
    """``f(▮)`` and `` x`` give ``f(x)``: a space there comes from how tokens are cut, hardly ever from the style."""
    place = draft.place
    if place.line_before.endswith(("(", "[")) and not place.language.loose_brackets and not place.in_string:
        return draft.with_text(draft.text.lstrip(" "))
    return draft


def drop_trailing_space(draft: Draft) -> Draft:
    """White space at the end of a line shows nothing and is in the way."""
    follows = draft.place.line_after[draft.n_replaced :]
    if follows.startswith((")", "]", ";", ",")):
        return draft.with_text(draft.text.rstrip(" \t"))
    if follows.strip():
        return draft  # `{▮}`: what stands before the closer is part of the answer
    return draft.with_text(draft.text.rstrip())


STEPS: tuple[Callable[[Draft], Draft], ...] = (
    unix_line_ends,
    take_off_fence,
    refuse_prose,
    refuse_what_was_removed,
    drop_half_line,
    drop_open_end,
    cut_where_the_stream_stops,
    stop_at_what_follows,
    fit_what_follows,
    cut_at_surplus_closer,
    leave_common_end,
    no_space_after_bracket,
    drop_trailing_space,
    refuse_comment_behind_code,
    refuse_stub,
    refuse_repetition,
)
