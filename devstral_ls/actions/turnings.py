"""Where an answer could have gone on otherwise: for one that repeats the code and repairs nothing."""

from __future__ import annotations

from collections.abc import Collection

from devstral_ls.actions.answer import FENCE
from devstral_ls.actions.asking import Answer


def turnings(opened: str, answer: Answer, near: Collection[int] = ()) -> list[str]:
    """Beginnings of answers that leave ``answer``, begun with ``opened``, at one token each: the likeliest first.

    Those that turn off on one of the lines ``near``, counted from the code's first one, come before the others; those
    that only say the same with other white space, or end the code earlier, are left out.
    """
    heard, before = answer.heard, opened
    found: list[tuple[bool, float, str]] = []
    for token, told, likely in zip(heard.tokens, heard.logprobs, heard.alternatives, strict=True):
        if FENCE in before[len(opened) :]:
            break
        rest = _bare((opened + answer.text)[len(before) :].partition(f"\n{FENCE}")[0])
        line = before.count("\n") - 1
        for text, other in likely:
            bare = _bare(text)
            same = rest != "" and (rest.startswith(bare) or bare.startswith(rest))
            if bare and not same and FENCE[0] not in text:
                at = line + text[: len(text) - len(text.lstrip())].count("\n")
                found.append((at in near, other - told, before + text))
        before += token
    return [begun for _, _, begun in sorted(found, key=lambda one: (not one[0], -one[1]))]


def _bare(text: str) -> str:
    return "".join(text.split())
