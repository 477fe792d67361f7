"""What an OpenAI-compatible server tells: little. So it is tried: its tokenizer, one token, a conversation."""

from __future__ import annotations

from typing import Any

from devstral_ls.engine.client import tokens_in
from devstral_ls.engine.dialects import DIALECTS, Dialect
from devstral_ls.engine.http import Http
from devstral_ls.engine.probing.found import Found, accepted, bos_of, model_info, refuse, reserved_names
from devstral_ls.engine.remote_options import RemoteOptions
from devstral_ls.errors import EngineUnavailable, GenerationFailed, ModelNotFound
from devstral_ls.models.families.evidence import (
    PLAIN,
    SENTINELS,
    Evidence,
    family_by_evidence,
    family_by_name,
    reserved_of,
)
from devstral_ls.models.families.table import FAMILIES, Family

_CONTEXT_TOKENS = 8192
"""Where neither the server nor ``model.contextTokens`` says it."""

_NOT_HERE = (404, 405, 501)
"""Statuses of an endpoint a server does not have."""


async def ask(http: Http, options: RemoteOptions) -> Found:
    """The model behind ``http`` that the options name, or its first; raises as ``probe``."""
    name, context = await _model(http, options)
    if options.dialect != "openai-chat":
        ids = await _tokenizer(http, name)
        if ids is not None and await _takes(http, "openai", name, await ids("x")):
            found = await _by_ids(http, name, context, ids)
        elif await _takes(http, "openai-text", name, "x"):
            found = _by_text(name, context)
        else:
            found = None
        # A model of no known kind does better in a conversation, if it has any, than left to right.
        known = found is not None and found.model.family != PLAIN.id
        if found is not None and (known or not await _takes(http, "openai-chat", name, _HELLO)):
            return found
    return _by_messages(name, context)


_HELLO = [{"role": "user", "content": "x"}]


async def _model(http: Http, options: RemoteOptions) -> tuple[str, int]:
    """Its name, and the tokens of context it has."""
    status, said = await http.get_json("/v1/models")
    refuse(status)
    listed = said.get("data") if isinstance(said, dict) else None
    models = [model for model in listed if isinstance(model, dict)] if isinstance(listed, list) else []
    names = [str(model.get("id")) for model in models]
    if not names and options.remote_model is None:
        raise ModelNotFound("the engine names no model", hint="Set engine.remoteModel to the name it is served by.")
    name = options.remote_model or names[0]
    if names and name not in names:
        raise ModelNotFound(
            f"the engine has no model {name!r}", hint=f"engine.remoteModel may be: {', '.join(names[:5])[:200]}."
        )
    longest = models[names.index(name)].get("max_model_len") if names else None
    wished = _CONTEXT_TOKENS if isinstance(options.context_tokens, str) else options.context_tokens
    return name, min(longest, wished) if isinstance(longest, int) and longest > 0 else wished


async def _tokenizer(http: Http, name: str) -> Any:
    """A function from text to ids, or None where the server has none."""

    async def ids(text: str, *, front: bool = False) -> list[int]:
        body = {"model": name, "prompt": text, "add_special_tokens": front}
        status, content = await http.fetch("POST", "/tokenize", body)
        refuse(status)
        if status != 200:
            raise GenerationFailed(f"the tokenizer answers with status {status}")
        return tokens_in(content)

    try:
        return ids if await ids("x") else None
    except GenerationFailed:
        return None


async def _takes(http: Http, dialect: str, name: str, prompt: Any) -> bool:
    """Does the server take such a prompt? One token is generated to find out."""
    row = DIALECTS[dialect]
    key = "messages" if row.prompt == "messages" else "prompt"
    body = {"model": name, key: prompt, "max_tokens": 1, "temperature": 0, "stream": False}
    status, content = await http.fetch("POST", row.completion, body)
    refuse(status)
    if status == 200:
        return True
    if status in (*_NOT_HERE, 400, 422):
        return False
    raise row.error(status, content)


async def _by_ids(http: Http, name: str, context: int, ids: Any) -> Found:
    specials = await accepted(SENTINELS, ids)
    tokens = frozenset(specials)
    family = family_by_evidence(Evidence(tokens=tokens))
    bos = await bos_of(await ids("x", front=True), await ids("x"), specials, ids)
    return _found(
        DIALECTS["openai"],
        family,
        name,
        context,
        tokens,
        bos=bos,
        specials=specials,
        space_prefix=len(await ids("\n")) > 1,
        note="" if family is not PLAIN else "its kind is not known: asked left to right",
    )


def _by_text(name: str, context: int) -> Found:
    """Nothing can be verified without a tokenizer: the name is all there is."""
    family = family_by_name(name)
    guessed = f"its kind was guessed from its name: {family.title}"
    note = guessed if family is not PLAIN else "its kind is not known: asked left to right"
    return _found(DIALECTS["openai-text"], family, name, context, reserved_of(family), note=note)


def _by_messages(name: str, context: int) -> Found:
    family = FAMILIES["chat-endpoint"]
    note = "it is asked by conversation, the slowest way: it has no completions, or its kind is not known"
    return _found(DIALECTS["openai-chat"], family, name, context, family.tokens, note=note)


def _found(
    dialect: Dialect, family: Family, name: str, context: int, tokens: Any, *, bos: str | None = None, **more: Any
) -> Found:
    if not name:
        raise EngineUnavailable("the engine's model has no name")
    return Found(
        dialect=dialect,
        model=model_info(name.rpartition("/")[2] or name, family, tokens, context, bos),
        remote_model=name,
        software="OpenAI-compatible",
        reserved=reserved_names(family, tokens, bos) if dialect.prompt != "text" else reserved_of(family),
        slots=8,
        **more,
    )
