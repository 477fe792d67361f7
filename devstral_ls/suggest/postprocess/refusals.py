"""Answers that are not worth showing, whole or from some point on: steps of ``postprocess``."""

from __future__ import annotations

import re

from devstral_ls.suggest.postprocess.draft import Draft
from devstral_ls.suggest.trace import NothingToShow, Reason

MIN_SAME_WORDS = 6
"""An answer of so many words that are all the same is a loop; numbers may repeat."""

MIN_REPEATED_LINE = 8
"""Characters of a line that may not simply repeat the line above it."""

MIN_SURE = 2
"""Letters and digits that must be left of an answer of which the model was not sure."""

_PROSE = re.compile(
    r"\s*(?:Here(?:'s| is| are)|This (?:code|function|method|class|will|is)|The (?:code|function|following|above|"
    r"missing)|Sure[,!]|Certainly|I(?:'m| am|'ll| will| have)|Note(?: that|:)|In this|You can|To (?:complete|fix|"
    r"implement))\b[^(){}=;]*\s[^(){}=;]*\Z"
)
"""How an answer in words begins, as whole lines without a sign of code."""


_ENDS_STATEMENT = frozenset(")]};,\"'")
"""Behind these, as behind white space, a comment may begin; ``$#`` and ``${x#y}`` of a shell, ``$#a`` of Perl and the ``#``
of an address are none."""


def refuse_prose(draft: Draft) -> Draft:
    """A model that talks about the code does not write it: nothing from the first such line on."""
    place = draft.place
    if place.language.loose_brackets or place.in_comment or place.in_string:
        return draft
    lines = draft.text.split("\n")
    for n, line in enumerate(lines):
        talks = _PROSE.match(line) if n or not place.line_before.strip() else None
        if talks is not None:
            if not "".join(lines[:n]).strip():
                raise NothingToShow(Reason.PROSE)
            return draft.with_text("\n".join(lines[:n]))
    return draft


def refuse_what_was_removed(draft: Draft) -> Draft:
    """What the user has just deleted is not put in again."""
    removed, text = draft.place.removed.strip(), draft.text.strip()
    if removed and text and (text.startswith(removed) or removed.startswith(text)):
        raise NothingToShow(Reason.UNDOES_EDIT)
    return draft


def refuse_repetition(draft: Draft) -> Draft:
    """Not the line above once more, and not one word again and again."""
    place = draft.place
    whole = (place.line_before + draft.text).strip()
    above = next((line.strip() for line in reversed(place.lines_above) if line.strip()), "")
    if place.follows_accepted and "\n" in whole and draft.text.strip() == place.line_before.strip():
        raise NothingToShow(Reason.REPETITION)
    if "\n" not in whole and whole == above and len(whole) >= MIN_REPEATED_LINE:
        raise NothingToShow(Reason.REPETITION)
    words = re.findall(r"[^\W\d]\w*", draft.text)
    if len(words) >= MIN_SAME_WORDS and len(set(words)) == 1:
        raise NothingToShow(Reason.REPETITION)
    return draft


def refuse_comment_behind_code(draft: Draft) -> Draft:
    """A finished statement is not remarked on by itself; of what follows a comment there, nothing is known to fit."""
    place = draft.place
    mark = place.language.line_comment
    if mark is None or place.invoked or place.in_comment or place.in_string or not place.line_before.strip():
        return draft
    lead = len(draft.text) - len(draft.text.lstrip(" \t"))
    behind = (place.line_before + draft.text[:lead])[-1]
    if draft.text.startswith(mark, lead) and (behind.isspace() or behind in _ENDS_STATEMENT):
        raise NothingToShow(Reason.COMMENT)
    return draft


def refuse_stub(draft: Draft) -> Draft:
    """What is left of an answer that was cut because the model was not sure must say something; words of a comment do
    not, without the rest of the sentence.
    """
    if draft.unsure and (draft.place.in_comment or sum(c.isalnum() for c in draft.text) < MIN_SURE):
        raise NothingToShow(Reason.UNSURE)
    return draft
