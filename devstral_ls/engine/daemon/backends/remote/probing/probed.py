"""What probing a server comes to, and the questions all kinds of servers are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from devstral_ls.engine.daemon.backends.backend import BackendInfo
from devstral_ls.engine.daemon.backends.remote.dialects import Dialect
from devstral_ls.engine.tuning.sizing import prompt_budget
from devstral_ls.errors import EngineBusy, EngineUnavailable, displayable
from devstral_ls.generation import ModelInfo
from devstral_ls.models.families.control_tokens import named_in
from devstral_ls.models.families.evidence import CONTROL_NAMES
from devstral_ls.models.families.table import Family, layouts_with
from devstral_ls.models.gguf.vocabulary import MAX_CONTROL_BYTES, MAX_CONTROL_TOKENS

_AT_ONCE = 8
"""Requests to a tokenizer at once while probing."""

_MAX_NAME = 80
"""Characters of a model's name that are shown."""

UNKNOWN_FAMILY = "model family not known: prompted left to right"
"""The note on a model that no row of the family table fits."""

Tokenize = Callable[[str], Awaitable[list[int]]]
"""The ids of a text in which names of control tokens become their ids, without BOS."""


@dataclass(frozen=True, slots=True)
class Probed:
    """A remote server, and how to talk to it."""

    dialect: Dialect
    model: ModelInfo
    info: BackendInfo
    remote_model: str | None
    """The server's name for the model; None where it has but one."""
    note: str = ""
    """For people: how the model is prompted, where that is not what they would expect."""


def refuse(status: int) -> None:
    """Raise the error of a status that says something of our key or of the moment, whatever path was requested.

    Raises:
        EngineUnavailable: our key is refused, or the server redirects.
        EngineBusy: it is loading or busy.
    """
    if status in (401, 403):
        raise EngineUnavailable(
            "the engine refuses our key",
            hint="Set engine.apiKeyEnv to the name of the environment variable that holds the key.",
        )
    if status in (429, 503):
        raise EngineBusy("the engine is loading or busy")
    if 300 <= status < 400:
        raise EngineUnavailable(
            "the engine redirects us elsewhere, which is not followed",
            hint="Set engine.baseUrl to the address it means.",
        )


def remote_model_info(
    name: str, family: Family, tokens: Collection[str], context_tokens: int, bos: str | None
) -> ModelInfo:
    """The model as suggestions and actions see it, with the prompt budget of a model on a GPU."""
    return ModelInfo(
        name=displayable(name, _MAX_NAME),
        family=family.id,
        layouts=layouts_with(family, tokens),
        context_tokens=context_tokens,
        prompt_budget=prompt_budget(0.0, -1, context_tokens),
        bos=bos,
    )


def reserved_names(*reported: str | None, template: object = None) -> frozenset[str]:
    """The control tokens that document text must never become: those of all families (the model may be another than it is
    taken for), those that the server reports, and whatever may be one in its chat template.
    """
    in_template = named_in(template) if isinstance(template, str) else frozenset()
    return CONTROL_NAMES | in_template | {name[:MAX_CONTROL_BYTES] for name in reported[:MAX_CONTROL_TOKENS] if name}


async def accepted_specials(names: Collection[str], tokenize: Tokenize) -> dict[str, int]:
    """Those of ``names`` that the server's tokenizer makes one token of, with their ids."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def ids(name: str) -> list[int]:
        async with room:
            return await tokenize(name)

    ordered = sorted(names)
    tasks = [asyncio.create_task(ids(name)) for name in ordered]
    try:
        answers = await asyncio.gather(*tasks)
    finally:  # where one fails the others are still running
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return {name: tokens[0] for name, tokens in zip(ordered, answers, strict=True) if len(tokens) == 1}


_BOS_NAMES = ("<s>", "<bos>", "<|begin_of_text|>", "<｜begin▁of▁sentence｜>", "<[begin▁of▁sentence]>", "<|endoftext|>")
"""Names of the token that stands in front of every prompt."""


async def bos_of(with_bos: list[int], without: list[int], specials: dict[str, int], tokenize: Tokenize) -> str | None:
    """The token that the server puts in front of a text by itself, or None; its id is added to ``specials``."""
    if len(with_bos) <= len(without) or with_bos[-len(without) :] != without:
        return None
    first = with_bos[0]
    specials |= await accepted_specials(_BOS_NAMES, tokenize)
    known = next((name for name, token in specials.items() if token == first), f"<bos {first}>")
    specials[known] = first
    return known
