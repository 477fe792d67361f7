"""What asking an engine comes to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field

from devstral_ls.engine.client import EngineClient
from devstral_ls.engine.dialects import Dialect
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.http import Http
from devstral_ls.engine.schedule import Schedule
from devstral_ls.engine.sizing import prompt_budget
from devstral_ls.errors import EngineBusy, EngineUnavailable
from devstral_ls.generation import ModelInfo
from devstral_ls.models.families.evidence import reserved_of
from devstral_ls.models.families.table import Family, layouts_with

_AT_ONCE = 8
"""Requests while we ask."""

Tokenize = Callable[[str], Awaitable[list[int]]]
"""The ids of a text in which control tokens count as such, without BOS."""


@dataclass(frozen=True, slots=True)
class Found:
    """A remote engine, and how to speak to it."""

    dialect: Dialect
    model: ModelInfo
    remote_model: str | None
    """What the engine calls the model; None where it has but one."""
    software: str
    """What it is, for people."""
    specials: Mapping[str, int] = field(default_factory=dict)
    reserved: Collection[str] = ()
    space_prefix: bool = False
    slots: int = 4
    note: str = ""
    """What the user should know of how the model is asked."""


def client_of(found: Found, endpoint: Endpoint, http: Http) -> EngineClient:
    """The client that speaks to it."""
    return EngineClient(
        endpoint,
        found.model,
        specials=found.specials,
        reserved=found.reserved,
        space_prefix=found.space_prefix,
        schedule=Schedule(found.slots),
        dialect=found.dialect,
        remote_model=found.remote_model,
        http=http,
    )


def refuse(status: int) -> None:
    """Raise what a status means that speaks of us or of the moment, not of the path asked for."""
    if status in (401, 403):
        raise EngineUnavailable(
            "the engine does not know our key",
            hint="Set engine.apiKeyEnv to the name of the environment variable that holds the key.",
        )
    if status in (429, 503):
        raise EngineBusy("the engine is loading or busy")
    if 300 <= status < 400:
        raise EngineUnavailable(
            "the engine sends us elsewhere, and we do not go", hint="Set engine.baseUrl to the address it means."
        )


def model_info(name: str, family: Family, tokens: Collection[str], context_tokens: int, bos: str | None) -> ModelInfo:
    """The model as the middle wants to know it; asked as a model on a GPU is."""
    return ModelInfo(
        name=name,
        family=family.id,
        layouts=layouts_with(family, tokens),
        context_tokens=context_tokens,
        prompt_budget=prompt_budget(0.0, -1, context_tokens),
        bos=bos,
    )


def reserved_names(family: Family, tokens: Collection[str], bos: str | None) -> frozenset[str]:
    """The control tokens that text must never become, of those the model has."""
    return (reserved_of(family) & frozenset(tokens)) | ({bos} if bos else frozenset())


async def accepted(names: Collection[str], tokenize: Tokenize) -> dict[str, int]:
    """Those of ``names`` that are one token, with their ids: what the tokenizer says, not what a table believes."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def ids(name: str) -> list[int]:
        async with room:
            return await tokenize(name)

    ordered = sorted(names)
    asked = [asyncio.create_task(ids(name)) for name in ordered]
    try:
        found = await asyncio.gather(*asked)
    finally:  # where one fails the others are still under way
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    return {name: tokens[0] for name, tokens in zip(ordered, found, strict=True) if len(tokens) == 1}


_BOS_NAMES = ("<s>", "<bos>", "<|begin_of_text|>", "<｜begin▁of▁sentence｜>", "<[begin▁of▁sentence]>", "<|endoftext|>")
"""What models call the token in front of everything."""


async def bos_of(with_bos: list[int], without: list[int], specials: dict[str, int], tokenize: Tokenize) -> str | None:
    """The token in front of a text that the engine prepares by itself; ``specials`` gets its id."""
    if len(with_bos) <= len(without) or with_bos[-len(without) :] != without:
        return None
    first = with_bos[0]
    specials |= await accepted(_BOS_NAMES, tokenize)
    known = next((name for name, token in specials.items() if token == first), f"<bos {first}>")
    specials[known] = first
    return known
