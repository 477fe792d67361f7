"""Excerpts of other files in a prompt: which ones, how much of them, and in which form."""

from __future__ import annotations

from collections.abc import Sequence

from devstral_ls.code_context import SOURCES, Excerpt
from devstral_ls.generation import Prompt, Special, Text
from devstral_ls.languages.language import Language
from devstral_ls.models.families.formats import FimFormat
from devstral_ls.prompt.window import CHARACTERS_PER_TOKEN

SHARE = 0.25
"""The largest share of the prompt's budget for excerpts: two or three signatures in 256 tokens, twenty in 2,048."""

MIN_BUDGET = 240
"""Tokens; in a smaller prompt every line of the document itself is worth more than an excerpt."""

_FRAME = 14
"""Characters of an excerpt besides path and text: control tokens, comment marks, line ends."""


def room_for_excerpts(prompt_budget: int) -> int:
    """Characters for excerpts in a prompt of ``prompt_budget`` tokens."""
    return int(prompt_budget * SHARE * CHARACTERS_PER_TOKEN) if prompt_budget >= MIN_BUDGET else 0


def excerpt_tokens(excerpts: Sequence[Excerpt]) -> int:
    """About the tokens that ``excerpts`` take of the prompt's budget."""
    return int(sum(map(_cost, _by_file(excerpts))) / CHARACTERS_PER_TOKEN)


def select_excerpts(candidates: Sequence[Excerpt], n_characters: int, shown: str) -> tuple[Excerpt, ...]:
    """The candidates of the highest rank that fit, ordered so that ranks do not move them: stable sources first.

    ``shown`` is what the prompt contains anyway; excerpts that are in it are left out.
    """
    selected: list[Excerpt] = []
    for candidate in sorted(candidates, key=lambda e: (-e.rank, SOURCES.index(e.source), e.path, e.text)):
        is_repeated = any(candidate.text in one.text and candidate.path == one.path for one in selected)
        if is_repeated or candidate.text in shown:
            continue
        if sum(map(_cost, _by_file([*selected, candidate]))) <= n_characters:
            selected.append(candidate)
    return tuple(sorted(selected, key=lambda e: (SOURCES.index(e.source), e.path, e.text)))


def as_comments(excerpts: Sequence[Excerpt], language: Language) -> str:
    """``excerpts`` as comments for the top of the document; empty in a language without comments."""
    lines: list[str] = []
    for excerpt in _by_file(excerpts):
        lines += [f"From {excerpt.path}:", *excerpt.text.split("\n")]
    if language.line_comment:
        return "".join(f"{language.line_comment} {line}".rstrip() + "\n" for line in lines) + "\n"
    if language.block_comment:
        opener, closer = language.block_comment
        return f"{opener}\n" + "".join(f"{line.replace(closer, '')}\n" for line in lines) + f"{closer}\n\n"
    return ""


def as_files(excerpts: Sequence[Excerpt], fim: FimFormat, path: str) -> Prompt:
    """``excerpts`` as files, each after the family's control token, followed by the name of the file at ``path``."""
    if not isinstance(fim.file, Special):
        return ()
    parts: list[Special | Text] = [Special(fim.repository), Text("project\n")] if fim.repository else []
    for excerpt in _by_file(excerpts):
        parts += [fim.file, Text(f"{excerpt.path}\n{excerpt.text}\n")]
    if not fim.names_own_file:
        parts += [fim.file, Text(f"{path.rpartition('/')[2]}\n")]
    return tuple(parts)


def as_marked_text(excerpts: Sequence[Excerpt], mark: str, path: str) -> str:
    """The same for families whose ``mark`` before a file is ordinary text."""
    files = "".join(f"{mark}{excerpt.path}\n{excerpt.text}\n\n" for excerpt in _by_file(excerpts))
    return f"{files}{mark}{path.rpartition('/')[2]}\n"


def as_quotes(excerpts: Sequence[Excerpt]) -> str:
    """``excerpts`` as part of a user message, in plain text: with fences the answers would have them, too."""
    return "".join(f"File {excerpt.path}:\n{excerpt.text}\n\n" for excerpt in _by_file(excerpts))


def _by_file(excerpts: Sequence[Excerpt]) -> list[Excerpt]:
    """The excerpts of each file joined into one, in the order of their first ones."""
    files: dict[str, Excerpt] = {}
    for excerpt in excerpts:
        earlier = files.get(excerpt.path)
        text = excerpt.text if earlier is None else f"{earlier.text}\n{excerpt.text}"
        files[excerpt.path] = Excerpt(excerpt.source, excerpt.path, text)
    return list(files.values())


def _cost(excerpt: Excerpt) -> int:
    return len(excerpt.path) + len(excerpt.text) + _FRAME + 3 * excerpt.text.count("\n")
