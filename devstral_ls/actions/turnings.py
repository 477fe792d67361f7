"""Where an answer could have gone on otherwise: for one that repeats the code and repairs nothing."""

from __future__ import annotations

from devstral_ls.actions.answer import FENCE
from devstral_ls.actions.asking import Answer


def turnings(opened: str, answer: Answer) -> list[str]:
    """Beginnings of answers that leave ``answer``, begun with ``opened``, at one token each, the likeliest first.

    Those of them that only end the code earlier, or differ in white space, are left out.
    """
    heard, before = answer.heard, opened
    found: list[tuple[float, str]] = []
    for token, told, likely in zip(heard.tokens, heard.logprobs, heard.alternatives, strict=True):
        if FENCE in before[len(opened) :]:
            break
        found += [
            (other - told, before + text)
            for text, other in likely
            if text.strip() and FENCE[0] not in text and text.strip() != token.strip()
        ]
        before += token
    return [begun for _, begun in sorted(found, key=lambda one: -one[0])]
