"""From what the model wrote to what is worth showing: ``STEPS``, small pure functions, in order.

Each takes a ``Draft`` and gives one back, or raises ``NothingToShow`` with the reason. An answer is never stripped at
its front: leading spaces are part of it (of 1,033 single-line answers 20 still compiled after ``strip()``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from devstral_ls.suggest.brackets import OPENERS, only_closing, unmatched
from devstral_ls.suggest.draft import Draft
from devstral_ls.suggest.stops import cut
from devstral_ls.suggest.trace import Reason

MIN_OVERLAP = 3
"""Characters of code (not closers) that must agree before an answer's end counts as a repeat of the suffix."""

MIN_REPEATED_LINE = 8
"""Characters of a line that may not simply repeat the line above it."""


class NothingToShow(Exception):
    """The answer holds nothing worth showing."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def postprocess(draft: Draft) -> Draft:
    """``draft`` after all steps; never blank.

    Raises:
        NothingToShow: with the reason.
    """
    if not draft.text:
        raise NothingToShow(Reason.EMPTY)
    for step in STEPS:
        draft = step(draft)
    if not draft.text.strip():
        raise NothingToShow(Reason.BLANK)
    return draft


def unix_line_ends(draft: Draft) -> Draft:
    r"""Work with ``\n`` inside; the document's own line ends come back when the suggestion is made."""
    return draft.with_text(draft.text.replace("\r\n", "\n").replace("\r", "\n"))


def cut_where_the_stream_stops(draft: Draft) -> Draft:
    """The same cut as while streaming, for an answer that ended by itself before a line end came."""
    text = cut(draft.text + "\n", draft.place)
    return draft if text is None or len(text) >= len(draft.text) else replace(draft, text=text, complete=True)


def drop_half_line(draft: Draft) -> Draft:
    """Of several lines, one that the token limit cut in two is not shown."""
    if draft.complete or "\n" not in draft.text:
        return draft
    return draft.with_text(draft.text[: draft.text.rindex("\n")])


def stop_at_what_follows(draft: Draft) -> Draft:
    """Nothing from the first line on that is the next line of the document already."""
    below = [line.rstrip() for line in draft.place.lines_below if line.strip()]
    if not below:
        return draft
    first, *more = draft.text.split("\n")
    if (draft.place.line_before + first).rstrip() == below[0] and not draft.place.line_after.strip():
        raise NothingToShow(Reason.REPEATS_SUFFIX)
    for n, line in enumerate(more):
        if line.strip() and line.rstrip() == below[0]:
            return draft.with_text("\n".join([first, *more[:n]]))
    return draft


def drop_overlap(draft: Draft) -> Draft:
    """What follows the cursor on its line is not written again: ``print(▮)`` and ``x, y)`` give ``x, y``."""
    after = draft.place.line_after.rstrip()
    if not after or not draft.text:
        return draft
    *lines, last = draft.text.split("\n")
    for start in range(len(last)):
        tail = last[start:].rstrip()
        if tail and after.startswith(tail) and (only_closing(tail) or len(tail) >= MIN_OVERLAP):
            if only_closing(tail) and _opened_inside("\n".join([*lines, last[:start]]), tail):
                continue
            text = "\n".join([*lines, last[:start]])
            if not text.strip():
                raise NothingToShow(Reason.REPEATS_SUFFIX)
            return draft.with_text(text)
    return draft


def _opened_inside(before: str, tail: str) -> bool:
    """Do the closers of ``tail`` belong to brackets that the answer itself opened?"""
    _, due = unmatched(before)
    closers = [c for c in tail if c in OPENERS.values()]
    return bool(closers) and len(due) >= len(closers)


def replace_closed_tail(draft: Draft) -> Draft:
    """An answer that goes on behind an auto-closed bracket takes its place: ``f(▮)`` and ``x) + 1``."""
    after = draft.place.line_after
    if not after.strip() or not only_closing(after) or "\n" in draft.text:
        return draft
    closing, _ = unmatched(draft.text)
    closers = [draft.text[i] for i in closing]
    wanted = [c for c in after if c in OPENERS.values()]
    if not closers or closers[: len(wanted)] != wanted[: len(closers)]:
        return draft
    if len(closers) < len(wanted):
        n_replaced = _index_of_nth(after, wanted[: len(closers)]) + 1
    else:
        n_replaced = len(after.rstrip())
    if draft.text.endswith(after[:n_replaced]):
        return draft.with_text(draft.text[:-n_replaced])
    return replace(draft, n_replaced=n_replaced)


def _index_of_nth(after: str, closers: list[str]) -> int:
    at = -1
    for closer in closers:
        at = after.index(closer, at + 1)
    return at


def cut_at_surplus_closer(draft: Draft) -> Draft:
    """Cut before a closer for which nothing is open, neither in the answer nor on the lines before the cursor."""
    place = draft.place
    _, due = unmatched("\n".join([*place.lines_above, place.line_before]))
    closing_after, _ = unmatched(place.line_after[draft.n_replaced :])
    closing, _ = unmatched(draft.text)
    available = list(due)
    for closer in (place.line_after[draft.n_replaced :][i] for i in closing_after):
        if closer in available:
            available.remove(closer)
    for at in closing:
        closer = draft.text[at]
        if closer in available:
            available.remove(closer)
        elif "\n" not in draft.text[:at] and closer != "}":
            # Further down, or a brace, the opener may be above the lines we look at.
            return replace(draft, text=draft.text[:at], n_replaced=0)
    return draft


def no_space_after_bracket(draft: Draft) -> Draft:
    """``f(▮)`` and `` x`` give ``f(x)``: a space there comes from how tokens are cut, hardly ever from the style."""
    if draft.place.line_before.endswith(("(", "[")):
        return draft.with_text(draft.text.lstrip(" "))
    return draft


def drop_trailing_space(draft: Draft) -> Draft:
    """White space at the end shows nothing and is in the way."""
    return draft.with_text(draft.text.rstrip())


def refuse_repetition(draft: Draft) -> Draft:
    """Not the line above once more, and not one word again and again."""
    place = draft.place
    whole = (place.line_before + draft.text).strip()
    above = next((line.strip() for line in reversed(place.lines_above) if line.strip()), "")
    if "\n" not in whole and whole == above and len(whole) >= MIN_REPEATED_LINE:
        raise NothingToShow(Reason.REPETITION)
    words = draft.text.split()
    if len(words) >= 8 and len(set(words)) <= 2:
        raise NothingToShow(Reason.REPETITION)
    return draft


STEPS: tuple[Callable[[Draft], Draft], ...] = (
    unix_line_ends,
    drop_half_line,
    cut_where_the_stream_stops,
    stop_at_what_follows,
    drop_overlap,
    replace_closed_tail,
    cut_at_surplus_closer,
    no_space_after_bracket,
    drop_trailing_space,
    refuse_repetition,
)
