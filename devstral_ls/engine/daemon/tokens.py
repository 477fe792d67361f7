"""From prompt parts to token ids: control tokens become ids only where a part says so, never out of document text."""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Collection, Mapping
from itertools import pairwise
from typing import Protocol

from cachetools import LRUCache

from devstral_ls.engine.daemon.prompt_text import ControlNames, sendable
from devstral_ls.errors import ModelUnsupported
from devstral_ls.generation import Prompt, Special


class Tokenize(Protocol):
    """``Backend.tokenize``."""

    def __call__(self, text: str, *, parse_special: bool = False) -> Awaitable[list[int]]:
        """The ids of ``text``; with ``parse_special`` names of control tokens become their ids."""
        ...


_MAX_CACHED_IDS = 1 << 17
"""Of recent texts: what follows the cursor, instructions and excerpts come again with every key. What stands before it
does not, and fills this up: some 600 windows of a CPU."""


class PromptTokens:
    """The ids of prompts, of one model."""

    def __init__(
        self,
        tokenize: Tokenize,
        *,
        specials: Mapping[str, int] = {},
        reserved: Collection[str] = (),
        space_prefix: bool = False,
        cuts_always: bool = False,
    ) -> None:
        """Of the model: ``specials``, the ids of control tokens as far as they are known; ``reserved``, the names of those
        that text must never become; ``space_prefix``, True when its tokenizer puts a space in front of each text
        (SentencePiece): a text in the middle of a prompt must not get one. ``cuts_always``, True when the ids of
        ``reserved`` are not all known: their names are cut in every text, and not only where an id shows up.
        """
        self._tokenize = tokenize
        self._specials = dict(specials)
        self._reserved = set(reserved)
        self._names = ControlNames(self._reserved)
        self._forbidden = {specials[name] for name in reserved if name in specials}
        self._cuts_always = cuts_always
        # Four bytes an id instead of 40 for an int in a tuple, or this would be most of what a server grows by.
        self._texts: LRUCache[str, array[int]] = LRUCache(_MAX_CACHED_IDS, getsizeof=len)
        self._space_prefix = space_prefix
        self._n_front: int | None = None

    async def ids(self, prompt: Prompt, bos: str | None = None) -> list[int]:
        """The ids of ``prompt``, with ``bos`` in front unless it begins with it.

        Raises:
            ModelUnsupported: a control token the model does not have.
        """
        ids: list[int] = []
        if bos is not None and prompt[:1] != (Special(bos),):
            ids.append(await self.special(bos))
        for part in prompt:
            if isinstance(part, Special):
                ids.append(await self.special(part.token))
            else:
                ids += await self.text(part.text)
        return ids

    async def special(self, token: str) -> int:
        """The id of a control token.

        Raises:
            ModelUnsupported: the model has no such token.
        """
        if token not in self._specials:
            ids = await self._tokenize(token, parse_special=True)
            if len(ids) != 1:
                raise ModelUnsupported(f"{token!r} is not one token of this model but {len(ids)}")
            self._specials[token] = ids[0]
        token_id = self._specials[token]
        if token_id not in self._forbidden:
            self._forbidden.add(token_id)
            self._reserved.add(token)
            self._names = ControlNames(self._reserved)
            self._texts.clear()
        return token_id

    async def text(self, text: str) -> tuple[int, ...]:
        """The ids of ordinary text, whatever it contains."""
        if not text:
            return ()
        text = sendable(text)
        known = self._texts.get(text)
        if known is not None:
            return tuple(known)
        ids = await self._ordinary(text)
        if len(ids) <= _MAX_CACHED_IDS:
            self._texts[text] = array("i", ids)
        return ids

    async def _ordinary(self, text: str) -> tuple[int, ...]:
        """Some models file their control tokens as "user defined", which llama.cpp makes of text even with special
        parsing off. Where that happened, their names are cut into two texts.
        """
        if not self._cuts_always:
            ids = await self._bare(text)
            if self._forbidden.isdisjoint(ids):
                return ids
        return await self._in_parts(text)

    async def _in_parts(self, text: str) -> tuple[int, ...]:
        """The ids of ``text``, each name of a control token cut after its first character."""
        cuts = [0, *(at + 1 for at in self._names.starts(text)), len(text)]
        parts = [text[start:end] for start, end in pairwise(cuts)]
        ids = {part: await self._bare(part) for part in dict.fromkeys(parts)}
        return tuple(token for part in parts for token in ids[part] if token not in self._forbidden)

    async def _bare(self, text: str) -> tuple[int, ...]:
        """The ids of ``text`` alone, without the space some tokenizers put in front."""
        if not self._space_prefix:
            return tuple(await self._tokenize(text))
        # A line feed is a token of its own there, which nothing is joined to: "▁ <0x0A> text" minus "▁ <0x0A>".
        if self._n_front is None:
            self._n_front = len(await self._tokenize("\n"))
        return tuple((await self._tokenize("\n" + text))[self._n_front :])
