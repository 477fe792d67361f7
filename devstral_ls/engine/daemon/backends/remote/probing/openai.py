"""Probing an OpenAI-compatible server: it says little of itself, so its tokenizer, a completion and a chat are tried."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from devstral_ls.engine.daemon.backends.backend import BackendInfo
from devstral_ls.engine.daemon.backends.llama_server_api import tokens_of
from devstral_ls.engine.daemon.backends.remote.dialects import DIALECTS, Dialect
from devstral_ls.engine.daemon.backends.remote.http import Http
from devstral_ls.engine.daemon.backends.remote.options import RemoteOptions
from devstral_ls.engine.daemon.backends.remote.probing.probed import (
    UNKNOWN_FAMILY,
    Probed,
    accepted_specials,
    bos_of,
    refuse,
    remote_model_info,
    reserved_names,
)
from devstral_ls.errors import EngineUnavailable, GenerationFailed, ModelNotFound
from devstral_ls.models.families.control_tokens import control_names
from devstral_ls.models.families.evidence import (
    PLAIN,
    SENTINELS,
    Evidence,
    control_tokens_of,
    family_by_evidence,
    family_by_name,
)
from devstral_ls.models.families.table import FAMILIES, Family

_CONTEXT_TOKENS = 8192
"""Where neither the server nor ``model.contextTokens`` gives it."""

_NOT_HERE = (404, 405, 501)
"""Statuses of an endpoint a server does not have."""


async def probe(http: Http, options: RemoteOptions) -> Probed:
    """The model behind ``http`` that the options name, or its first; raises as ``probing.probe``."""
    name, context = await _model(http, options)
    if options.dialect != "openai-chat":
        ids = await _tokenizer(http, name)
        if ids is not None and await _takes(http, "openai", name, await ids("x")):
            probed = await _by_ids(http, name, context, ids)
        elif await _takes(http, "openai-text", name, "x"):
            probed = _by_text(name, context)
        else:
            probed = None
        # A model of no known kind does better in a conversation, if it has any, than left to right.
        known = probed is not None and probed.model.family != PLAIN.id
        if probed is not None and (known or not await _takes(http, "openai-chat", name, _HELLO)):
            return probed
    return _by_messages(name, context)


_HELLO = [{"role": "user", "content": "x"}]


async def _model(http: Http, options: RemoteOptions) -> tuple[str, int]:
    """The model's name, and its context in tokens."""
    status, answer = await http.get_json("/v1/models")
    refuse(status)
    listed = answer.get("data") if isinstance(answer, dict) else None
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
    wanted = _CONTEXT_TOKENS if isinstance(options.context_tokens, str) else options.context_tokens
    return name, min(longest, wanted) if isinstance(longest, int) and longest > 0 else wanted


async def _tokenizer(http: Http, name: str) -> Any:
    """A function from text to ids, or None where the server has none."""

    async def ids(text: str, *, front: bool = False) -> list[int]:
        body = {"model": name, "prompt": text, "add_special_tokens": front}
        status, content = await http.fetch("POST", "/tokenize", body)
        refuse(status)
        if status != 200:
            raise GenerationFailed(f"the tokenizer answers with status {status}")
        return tokens_of(content)

    try:
        return ids if await ids("x") else None
    except GenerationFailed:
        return None


async def _takes(http: Http, dialect: str, name: str, prompt: Any) -> bool:
    """True when the server takes such a prompt; one token is generated to find out."""
    row = DIALECTS[dialect]
    key = "messages" if row.capabilities.prompt == "messages" else "prompt"
    body = {"model": name, key: prompt, "max_tokens": 1, "temperature": 0, "stream": False}
    status, content = await http.fetch("POST", row.completion, body)
    refuse(status)
    if status == 200:
        return True
    if status in (*_NOT_HERE, 400, 422):
        return False
    raise row.error(status, content)


async def _by_ids(http: Http, name: str, context: int, ids: Any) -> Probed:
    specials = await accepted_specials(SENTINELS, ids)
    tokens = frozenset(specials)
    family = family_by_evidence(Evidence(tokens=tokens))
    bos = await bos_of(await ids("x", front=True), await ids("x"), specials, ids)
    return _probed(
        DIALECTS["openai"],
        family,
        name,
        context,
        tokens,
        bos=bos,
        reported=await _reported_tokens(http),
        specials=specials,
        space_prefix=len(await ids("\n")) > 1,
        note="" if family is not PLAIN else UNKNOWN_FAMILY,
    )


async def _reported_tokens(http: Http) -> frozenset[str]:
    """The control tokens that vLLM names, where it was started with ``--enable-tokenizer-info-endpoint``."""
    status, answer = await http.get_json("/tokenizer_info")
    added = answer.get("added_tokens_decoder") if status == 200 and isinstance(answer, dict) else None
    found = added.values() if isinstance(added, dict) else ()
    names = (one.get("content") if isinstance(one, dict) else one for one in found)
    return control_names(name for name in names if isinstance(name, str))


def _by_text(name: str, context: int) -> Probed:
    """Without a tokenizer nothing can be verified: the family is guessed from the name."""
    family = family_by_name(name)
    guessed = f"model family guessed from its name: {family.title}"
    note = guessed if family is not PLAIN else UNKNOWN_FAMILY
    return _probed(DIALECTS["openai-text"], family, name, context, control_tokens_of(family), note=note)


def _by_messages(name: str, context: int) -> Probed:
    family = FAMILIES["chat-endpoint"]
    note = (
        "prompted by chat messages, the slowest way: the server has no completions, or the model's family is not known"
    )
    return _probed(DIALECTS["openai-chat"], family, name, context, family.tokens, note=note)


def _probed(
    dialect: Dialect,
    family: Family,
    name: str,
    context: int,
    tokens: Collection[str],
    *,
    bos: str | None = None,
    reported: Collection[str] = (),
    note: str = "",
    **tokenizer: Any,
) -> Probed:
    if not name:
        raise EngineUnavailable("the engine's model has no name")
    return Probed(
        dialect=dialect,
        model=remote_model_info(name.rpartition("/")[2] or name, family, tokens, context, bos),
        info=BackendInfo(
            software="OpenAI-compatible",
            context_tokens=context,
            slots=8,
            bos=bos,
            reserved=reserved_names(bos, *reported),
            **tokenizer,
        ),
        remote_model=name,
        note=note,
    )
