"""The baselines: plain prefix-suffix-middle prompts to the same engine, and nothing done to the answer but a cut.

``raw``: the whole file, the whole answer. ``llama.vim``: 256 lines before the cursor and 64 after it, at most 128 tokens,
the first line kept: what llama.vim does by default (``n_prefix``, ``n_suffix``, ``n_predict`` of its documentation).
Holes of one line are cut to one line for both. ``raw, cut`` is ``raw`` up to the first line that follows the hole
anyway: the least a careful client does, and not one of the targets' baselines.

A file that fits into llama.vim's window gives the same prompt for both, which is asked once.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.score import cut_at_repeat
from devstral_ls.generation import Engine, GenerationRequest, ModelInfo
from devstral_ls.models.families.table import FAMILIES
from devstral_ls.prompt.layouts import LAYOUTS
from devstral_ls.prompt.window import Window

LLAMA_VIM_BEFORE, LLAMA_VIM_AFTER, N_PREDICT = 256, 64, 128

CHARACTERS_PER_TOKEN = 2.5
"""Of code, a low estimate: a file longer than the context is cut at its far ends."""

BASELINES = ("raw", "raw, cut", "llama.vim")


@dataclass(frozen=True, slots=True)
class Said:
    """The engine's answer, uncut as far as it was read."""

    text: str
    ms: float
    usage: dict[str, Any] | None


def window_of(baseline: str, before: str, after: str, context_tokens: int) -> Window:
    """The part of a file that ``baseline`` puts into the prompt."""
    if baseline == "llama.vim":
        above = before.split("\n")[-LLAMA_VIM_BEFORE - 1 :]
        below = after.split("\n")[: LLAMA_VIM_AFTER + 1]
        before, after = "\n".join(above), "\n".join(below)
    room = int((context_tokens - N_PREDICT) * CHARACTERS_PER_TOKEN)
    if len(before) + len(after) > room:
        after = after[: room // 4]
        before = before[len(after) - room :]
    return Window(before, after)


async def say(engine: Engine, window: Window, uri: str, *, one_line: bool) -> Said:
    """Generate the middle, greedy; with ``one_line`` up to the end of the first line."""
    model = engine.model
    assert model is not None
    family = FAMILIES[model.family]
    layout = plain_layout(model)
    prompt = LAYOUTS[layout].build(family, window, uri)
    request = GenerationRequest(prompt, N_PREDICT, stop=family.stops)
    text, usage = "", None
    begun = time.perf_counter()
    async with engine.generate(request) as chunks:
        async for chunk in chunks:
            text += chunk.text
            usage = chunk.usage or usage
            if one_line and "\n" in text:
                break
    return Said(text, (time.perf_counter() - begun) * 1000, asdict(usage) if usage else None)


def plain_layout(model: ModelInfo) -> str:
    """Prefix, suffix, middle; for a model without such tokens, the text before the cursor."""
    return "fim-psm" if FAMILIES[model.family].fim is not None else "left-to-right"


def kept(baseline: str, text: str, after: str, *, one_line: bool) -> str:
    """The part of the engine's answer that ``baseline`` shows."""
    if one_line or baseline == "llama.vim":
        return text.split("\n", 1)[0]
    return cut_at_repeat(text, after) if baseline == "raw, cut" else text
