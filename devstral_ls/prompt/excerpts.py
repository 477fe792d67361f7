"""Related code of other files in a prompt: what goes in, how much of it, and how it is written."""

from __future__ import annotations

from collections.abc import Sequence

from devstral_ls.code_context import SOURCES, Excerpt
from devstral_ls.generation import Prompt, Special, Text
from devstral_ls.languages.language import Language
from devstral_ls.models.families.formats import FimFormat
from devstral_ls.prompt.window import CHARACTERS_PER_TOKEN

SHARE = 0.25
"""The most of the prompt's budget that excerpts may take: two or three signatures of 256 tokens, twenty of 2,048."""

MIN_BUDGET = 240
"""Tokens: with less, every line of the document itself is worth more."""

_AROUND = 14
"""Characters besides path and text: control tokens, comment marks, line ends."""


def room(prompt_budget: int) -> int:
    """Characters for excerpts in a prompt of so many tokens."""
    return int(prompt_budget * SHARE * CHARACTERS_PER_TOKEN) if prompt_budget >= MIN_BUDGET else 0


def n_tokens(excerpts: Sequence[Excerpt]) -> int:
    """What ``excerpts`` take of the prompt's budget, about."""
    return int(sum(map(_cost, _by_file(excerpts))) / CHARACTERS_PER_TOKEN)


def choose(candidates: Sequence[Excerpt], n_characters: int, shown: str) -> tuple[Excerpt, ...]:
    """The most useful ones that fit, in an order that does not depend on their usefulness: stable sources first.

    ``shown`` is what the prompt has anyway; an excerpt that stands there is left out.
    """
    chosen: list[Excerpt] = []
    for one in sorted(candidates, key=lambda e: (-e.rank, SOURCES.index(e.source), e.path, e.text)):
        if any(one.text in other.text and one.path == other.path for other in chosen) or one.text in shown:
            continue
        if sum(map(_cost, _by_file([*chosen, one]))) <= n_characters:
            chosen.append(one)
    return tuple(sorted(chosen, key=lambda e: (SOURCES.index(e.source), e.path, e.text)))


def as_comments(excerpts: Sequence[Excerpt], language: Language) -> str:
    """As comments of the language, for the top of the file; nothing in a language without comments."""
    lines: list[str] = []
    for one in _by_file(excerpts):
        lines += [f"From {one.path}:", *one.text.split("\n")]
    if language.line_comment:
        return "".join(f"{language.line_comment} {line}".rstrip() + "\n" for line in lines) + "\n"
    if language.block_comment:
        opener, closer = language.block_comment
        return f"{opener}\n" + "".join(f"{line.replace(closer, '')}\n" for line in lines) + f"{closer}\n\n"
    return ""


def as_files(excerpts: Sequence[Excerpt], fim: FimFormat, path: str) -> Prompt:
    """As files in front of the one at ``path``, whose name comes last, each behind the family's control token."""
    if not isinstance(fim.file, Special):
        return ()
    parts: list[Special | Text] = [Special(fim.repository), Text("project\n")] if fim.repository else []
    for one in _by_file(excerpts):
        parts += [fim.file, Text(f"{one.path}\n{one.text}\n")]
    if not fim.names_own_file:
        parts += [fim.file, Text(f"{path.rpartition('/')[2]}\n")]
    return tuple(parts)


def as_text(excerpts: Sequence[Excerpt], mark: str, path: str) -> str:
    """As files in front of the one at ``path``, each behind ``mark``, which is ordinary text for the family."""
    files = "".join(f"{mark}{one.path}\n{one.text}\n\n" for one in _by_file(excerpts))
    return f"{files}{mark}{path.rpartition('/')[2]}\n"


def as_quotes(excerpts: Sequence[Excerpt]) -> str:
    """As a part of a question, in plain text: a fence would invite the answer to have one."""
    return "".join(f"File {one.path}:\n{one.text}\n\n" for one in _by_file(excerpts))


def _by_file(excerpts: Sequence[Excerpt]) -> list[Excerpt]:
    """One for each file, in the order of the first of it."""
    files: dict[str, Excerpt] = {}
    for one in excerpts:
        known = files.get(one.path)
        text = one.text if known is None else f"{known.text}\n{one.text}"
        files[one.path] = Excerpt(one.source, one.path, text)
    return list(files.values())


def _cost(one: Excerpt) -> int:
    return len(one.path) + len(one.text) + _AROUND + 3 * one.text.count("\n")
