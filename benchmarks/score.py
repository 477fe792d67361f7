"""Scores of an answer: pure functions of the text before and after the hole, the part cut out, and the answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

import tree_sitter
from rapidfuzz.distance import Levenshtein

from devstral_ls.languages.lexing import scan_brackets
from devstral_ls.languages.syntax.document_tree import parse_once
from devstral_ls.languages.table import language_of
from devstral_ls.text import Snapshot

MIN_REPEATED = 4
"""Least characters of code that count as a repeat of what follows; closing brackets may repeat."""

_CLOSERS = " \t)]};,:"


@dataclass(frozen=True, slots=True)
class Answer:
    """The text written into a hole."""

    text: str
    n_replaced: int = 0
    """Characters after the cursor that it replaces."""


def document(before: str, answer: Answer, after: str) -> str:
    """The file with ``answer`` in the hole."""
    return before + answer.text + after[answer.n_replaced :]


def effective(answer: Answer, after: str) -> str:
    """The part of ``answer`` that fills the hole, without what replaces equal text."""
    replaced = after[: answer.n_replaced]
    return answer.text.removesuffix(replaced) if replaced else answer.text


def is_exact(before: str, middle: str, after: str, answer: Answer) -> bool:
    """True when the file is as it was, but for white space at the ends of lines."""
    return _tidy(document(before, answer, after)) == _tidy(before + middle + after)


def first_line(text: str) -> str:
    """The first line, without trailing space. An answer is never stripped at its front."""
    return text.split("\n", 1)[0].rstrip()


def edit_similarity(one: str, other: str) -> float:
    """100 x (1 - Levenshtein distance / length of the longer), both right-stripped."""
    one, other = one.rstrip(), other.rstrip()
    longer = max(len(one), len(other))
    return 100.0 * (1 - Levenshtein.distance(one, other) / longer) if longer else 100.0


def repeats_suffix(before: str, answer: str, after: str) -> bool:
    """True when the answer repeats the text after the cursor: the next line, or at its end the rest of the line."""
    lines = answer.rstrip().split("\n")
    lines[0] = before.rsplit("\n", 1)[-1] + lines[0]
    same_line, *below = after.split("\n")
    following = next((line.rstrip() for line in below if line.strip()), "")
    if _is_code(following) and any(line.rstrip() == following for line in lines):
        return True
    return _is_code(same_line) and answer.rstrip().endswith(same_line.strip())


def _is_code(line: str) -> bool:
    return len(line.strip(_CLOSERS)) >= MIN_REPEATED


def over_generation(answer: str, middle: str) -> float:
    """Length of the answer divided by that of the part cut out."""
    return len(answer.strip()) / max(1, len(middle.strip()))


def n_errors(text: str, language: str) -> int | None:
    """Number of syntax errors in ``text``; None when there is no grammar."""
    syntax = parse_once(Snapshot("file:///scored", 1, language, text), 10.0)
    return None if syntax is None else _errors(syntax.tree.root_node)


def _errors(root: tree_sitter.Node) -> int:
    found, waiting = 0, [root]
    while waiting:
        node = waiting.pop()
        found += node.is_error or node.is_missing
        if node.has_error:
            waiting += node.children
    return found


def is_valid(before: str, after: str, answer: Answer, language: str) -> bool:
    """True when the file parses at least as well with the answer as without.

    When there is nothing below the cursor, brackets that are open at the file's end are closed first in both: without
    them a parser finds errors all over the file, whatever the answer.
    """
    texts = before + after, document(before, answer, after)
    if not after.strip():
        row = language_of(language, "")
        texts = tuple(f"{text}\n{scan_brackets(text, row).due}" for text in texts)
    was, now = (n_errors(text, language) for text in texts)
    return was is None or now is None or now <= was


def undoes(answer: str, deleted: str) -> bool:
    """True when the answer restores the last deletion."""
    return bool(deleted.strip()) and answer.startswith(deleted)


def cut_at_repeat(answer: str, after: str) -> str:
    """The answer up to the first line that equals the next line of the document: the least trim of a plain client."""
    following = next((line.rstrip() for line in after.split("\n")[1:] if line.strip()), "")
    if not following.strip(_CLOSERS):
        return answer
    lines = answer.split("\n")
    end = next((n for n, line in enumerate(lines) if n and line.rstrip() == following), len(lines))
    return "\n".join(lines[:end])


def _tidy(text: str) -> str:
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).rstrip()
