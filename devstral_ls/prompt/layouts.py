"""LAYOUTS: the prompt layouts for infilling, by the names that families and calibration use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from devstral_ls.code_context import Excerpt
from devstral_ls.errors import ModelUnsupported
from devstral_ls.generation import ModelInfo, Prompt, Special, Text
from devstral_ls.languages.table import language_of
from devstral_ls.models.families.formats import ChatFormat, FimFormat
from devstral_ls.models.families.table import FAMILIES, Family
from devstral_ls.prompt import fim, infill, overlap
from devstral_ls.prompt.excerpts import as_comments, as_files, as_marked_text, as_quotes
from devstral_ls.prompt.healing import take_back
from devstral_ls.prompt.window import Window
from devstral_ls.uris import displayed_path


@dataclass(frozen=True, slots=True)
class Layout:
    """One prompt layout."""

    build: Callable[[Family, Window, str], Prompt]
    suffix_share: float
    """The share of the budget for the suffix: small where every key makes the engine read it again."""
    is_fim: bool = False
    """True when it uses FIM tokens, so that excerpts can be written as files."""
    build_with_excerpts: Callable[[Family, Window, str, str], Prompt] | None = None
    """For chat layouts: ``build`` with excerpts, which belong into the user message and not into the answer."""
    take_back: Callable[[str], tuple[str, str]] = take_back
    """Splits the text before the cursor into what the prompt shows and what the answer is to begin with."""


def _fim(family: Family) -> FimFormat:
    if family.fim is None:
        raise ModelUnsupported(f"{family.title}: this family has no FIM tokens")
    return family.fim


def _chat(family: Family) -> ChatFormat:
    if family.chat is None:
        raise ModelUnsupported(f"{family.title}: this family has no chat format")
    return family.chat


LAYOUTS: Mapping[str, Layout] = {
    "fim-spm-in-psm": Layout(lambda f, w, path: fim.suffix_first_in_prefix_order(_fim(f), w, path), 0.3, is_fim=True),
    "fim-spm": Layout(lambda f, w, path: fim.suffix_first(_fim(f), w, path), 0.3, is_fim=True),
    "fim-psm": Layout(lambda f, w, path: fim.prefix_first(_fim(f), w, path), 0.15, is_fim=True),
    "chat-prefill": Layout(
        lambda f, w, path: infill.chat_prefill(_chat(f), w, path),
        0.3,
        build_with_excerpts=lambda f, w, path, other_files: infill.chat_prefill(_chat(f), w, path, other_files),
    ),
    "chat-overlap": Layout(
        lambda f, w, path: overlap.chat_overlap(_chat(f), w, path),
        0.3,
        take_back=overlap.last_line,
        build_with_excerpts=lambda f, w, path, other_files: overlap.chat_overlap(_chat(f), w, path, other_files),
    ),
    "left-to-right": Layout(lambda _f, w, _path: (Text(w.prefix),) if w.prefix else (), 0.0),
}


def build(
    model: ModelInfo, window: Window, uri: str, excerpts: Sequence[Excerpt] = ()
) -> tuple[Prompt, tuple[str, ...]]:
    """The prompt for ``window`` in the model's first layout, and the strings that end an answer.

    ``excerpts`` come first, before everything that typing changes: as files where the family can write them before a
    hole; in the user message of a chat layout; else as comments at the top of the prefix.

    Raises:
        ModelUnsupported: the family does not have the layout.
    """
    family = FAMILIES[model.family]
    path = displayed_path(uri)
    layout = LAYOUTS[model.layouts[0]]
    if excerpts and layout.is_fim and family.fim is not None and family.fim.file is not None:
        if isinstance(family.fim.file, Special):
            return (*as_files(excerpts, family.fim, path), *layout.build(family, window, path)), family.stops
        window = Window(as_marked_text(excerpts, family.fim.file.text, path) + window.prefix, window.suffix)
    elif excerpts and layout.build_with_excerpts is not None:
        return layout.build_with_excerpts(family, window, path, as_quotes(excerpts)), family.stops
    elif excerpts:
        window = Window(as_comments(excerpts, language_of("", path)) + window.prefix, window.suffix)
    return layout.build(family, window, path), family.stops


def suffix_share(layout: str) -> float:
    """The share of the prompt budget, 0 to 1, that ``layout`` gives to the suffix."""
    return LAYOUTS[layout].suffix_share
