"""Prompts for backends that take no token ids: as one text, or as the messages of a conversation.

Such a backend finds control tokens in any text. So in what comes from a document their names are broken by a space
after the first character (``<|im_end|>`` becomes ``< |im_end|>``): to be seen, harmless, and hardly ever met.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import pairwise

from devstral_ls.generation import Prompt, Special, Text
from devstral_ls.models.families.control_tokens import LOOKS

_ROLE = "role:"
"""What the ``Special`` parts that begin a message have in front of the role; see ``formats.MESSAGES_CHAT``."""


class ControlNames:
    """Finds in texts what an engine may take for a control token: the names it was given, and what looks like one."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = {_spaced(name) for name in names if len(_spaced(name)) > 1}
        lengths: dict[str, set[int]] = {}
        for name in self._names:
            lengths.setdefault(name[:2], set()).add(len(name))
        self._lengths = {start: sorted(found) for start, found in lengths.items()}
        """By the first two characters: of a page of HTML hardly any place needs a second look."""
        firsts = {"<", *(start[0] for start in lengths)}
        self._first = re.compile(f"[{re.escape(''.join(sorted(firsts)))}]")

    def starts(self, text: str) -> list[int]:
        """Where each begins; one may begin inside of another."""
        spaced = text.replace("▁", " ")
        return [at for match in self._first.finditer(spaced) if self._is_at(text, spaced, at := match.start())]

    def harmless(self, text: str) -> str:
        """``text`` in which none can be found any more."""
        starts = self.starts(text)
        while starts:  # again: what is left of one name may make another with what stood around it
            ends = [0, *(at + 1 for at in starts), len(text)]
            text = " ".join(text[start:end] for start, end in pairwise(ends))
            starts = self.starts(text)
        return text

    def _is_at(self, text: str, spaced: str, at: int) -> bool:
        lengths = self._lengths.get(spaced[at : at + 2], ())
        if any(spaced[at : at + length] in self._names for length in lengths):
            return True
        return LOOKS.match(text, at) is not None


def _spaced(name: str) -> str:
    """``name`` as it stands in a text: SentencePiece writes a space as "▁", and one in front may be missing there."""
    return name.replace("▁", " ").lstrip(" ")


def as_text(prompt: Prompt, names: ControlNames) -> str:
    """``prompt`` as one text in which only ``Special`` parts are control tokens."""
    return "".join(_written(part, names) for part in _joined(prompt))


def _written(part: Special | Text, names: ControlNames) -> str:
    if isinstance(part, Text):
        return part.text if part.is_markup else names.harmless(sendable(part.text))
    return " " + part.token[1:] if part.token.startswith("▁") else part.token


def as_messages(prompt: Prompt, names: ControlNames) -> list[dict[str, str]]:
    """``prompt`` as messages. The engine puts them into its template and finds control tokens in the whole."""
    messages: list[dict[str, str]] = []
    for part in _joined(prompt):
        if isinstance(part, Special):
            messages.append({"role": part.token.removeprefix(_ROLE), "content": ""})
        else:
            messages = messages or [{"role": "user", "content": ""}]
            messages[-1]["content"] += names.harmless(sendable(part.text))
    return [message for message in messages if message["content"]]


def _joined(prompt: Prompt) -> Prompt:
    """``prompt`` with neighbouring texts made one: a name may stand across them."""
    parts: list[Special | Text] = []
    for part in prompt:
        last = parts[-1] if parts else None
        if isinstance(part, Text) and isinstance(last, Text) and not (part.is_markup or last.is_markup):
            parts[-1] = Text(last.text + part.text)
        else:
            parts.append(part)
    return tuple(parts)


def sendable(text: str) -> str:
    """``text`` without lone surrogates, which UTF-8 has no bytes for: each becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
