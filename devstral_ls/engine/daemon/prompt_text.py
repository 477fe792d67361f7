"""Prompts for backends that take no token ids: as one text, or as the messages of a conversation.

Such a backend finds control tokens in any text. So in what comes from a document their names are broken by a space
after the first character (``<|im_end|>`` becomes ``< |im_end|>``): to be seen, harmless, and hardly ever met.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from devstral_ls.generation import Prompt, Special, Text

_GENERIC = r"<[|｜][^\s|｜<>]{1,40}[|｜]>"
"""How most models write control tokens: ``<|im_end|>``, DeepSeek's with full-width bars."""

_ROLE = "role:"
"""What the ``Special`` parts that begin a message have in front of the role; see ``formats.MESSAGES_CHAT``."""


def names_pattern(names: Collection[str]) -> re.Pattern[str]:
    """What in a text an engine may take for a control token: ``names``, and whatever looks like one."""
    # SentencePiece writes the space of its name as "▁"; the text may have either, or none.
    cores = sorted({name.lstrip("▁ ") for name in names if len(name.lstrip("▁ ")) > 1}, key=len, reverse=True)
    return re.compile("|".join([*map(re.escape, cores), _GENERIC]))


def as_text(prompt: Prompt, pattern: re.Pattern[str]) -> str:
    """``prompt`` as one text in which only ``Special`` parts are control tokens."""
    return "".join(_said(part, pattern) for part in _joined(prompt))


def _said(part: Special | Text, pattern: re.Pattern[str]) -> str:
    if isinstance(part, Text):
        return harmless(sendable(part.text), pattern)
    return " " + part.token[1:] if part.token.startswith("▁") else part.token


def harmless(text: str, pattern: re.Pattern[str]) -> str:
    """``text`` in which no control token can be found any more."""
    found = pattern.search(text)
    while found is not None:  # again: what is left of one name may make another with what stood around it
        text = pattern.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)
        found = pattern.search(text)
    return text


def as_messages(prompt: Prompt) -> list[dict[str, str]]:
    """``prompt`` as messages; the engine itself keeps their text and its control tokens apart."""
    messages: list[dict[str, str]] = []
    for part in _joined(prompt):
        if isinstance(part, Special):
            messages.append({"role": part.token.removeprefix(_ROLE), "content": ""})
        else:
            messages = messages or [{"role": "user", "content": ""}]
            messages[-1]["content"] += sendable(part.text)
    return [message for message in messages if message["content"]]


def _joined(prompt: Prompt) -> Prompt:
    """``prompt`` with neighbouring texts made one: a name may stand across them."""
    parts: list[Special | Text] = []
    for part in prompt:
        if isinstance(part, Text) and parts and isinstance(parts[-1], Text):
            parts[-1] = Text(parts[-1].text + part.text)
        else:
            parts.append(part)
    return tuple(parts)


def sendable(text: str) -> str:
    """``text`` without lone surrogates, which UTF-8 has no bytes for: each becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
