"""Fill-in-the-middle prompts: the family's tokens around prefix and suffix, in the order of the layout."""

from __future__ import annotations

from devstral_ls.generation import Prompt, Special, Text
from devstral_ls.models.families.formats import FimFormat
from devstral_ls.prompt.window import Window


def suffix_first(fim: FimFormat, window: Window, path: str) -> Prompt:
    """``<SUF>suffix<PRE>prefix(<MID>)``, for families trained suffix-first; typing keeps the KV cache."""
    middle = (Special(fim.middle),) if fim.middle else ()
    return (
        *_header(fim, path),
        Special(fim.suffix),
        *_text(window.suffix),
        Special(fim.prefix),
        *_text(window.prefix),
        *middle,
    )


def prefix_first(fim: FimFormat, window: Window, path: str) -> Prompt:
    """``<PRE>prefix<SUF>suffix<MID>``, the usual order; every key makes the engine read the suffix again."""
    middle = (Special(fim.middle),) if fim.middle else ()
    return (
        *_header(fim, path),
        Special(fim.prefix),
        *_text(window.prefix),
        Special(fim.suffix),
        *_text(window.suffix),
        *middle,
    )


def suffix_first_in_prefix_order(fim: FimFormat, window: Window, path: str) -> Prompt:
    """``<PRE><SUF>suffix<MID>prefix``: the suffix-first variant that prefix-first families were trained with.

    From the Code Llama paper (arXiv 2308.12950, section 2.3, after Bavarian et al., arXiv 2207.14255); the best of
    all measured layouts on Qwen2.5-Coder (``models.md``).
    """
    middle = (Special(fim.middle),) if fim.middle else ()
    return (
        *_header(fim, path),
        Special(fim.prefix),
        Special(fim.suffix),
        *_text(window.suffix),
        *middle,
        *_text(window.prefix),
    )


def _text(text: str) -> Prompt:
    return (Text(text),) if text else ()


def _header(fim: FimFormat, path: str) -> Prompt:
    """What the family puts before the FIM tokens: the name of the file, or a line of plain text."""
    name = path.rpartition("/")[2]
    if fim.header:
        return (Text(fim.header.format(path=name, language=name.rpartition(".")[2])),)
    if fim.names_own_file and fim.file is not None:
        return (fim.file, Text(f"{name}\n"))
    return ()
