"""Probing a llama-server: ``/props``, ``/v1/models``, and its tokenizer."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from devstral_ls.engine.daemon.backends.backend import BackendInfo
from devstral_ls.engine.daemon.backends.llama_server_api import tokens_of
from devstral_ls.engine.daemon.backends.remote.dialects import DIALECTS
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
from devstral_ls.errors import EngineUnavailable
from devstral_ls.models.families.control_tokens import is_ordinary
from devstral_ls.models.families.evidence import SENTINELS, Evidence, family_by_evidence

_VOCABULARIES = {1: "llama", 2: "gpt2"}
"""llama.cpp's ``llama_vocab_type``, by the names of GGUF files."""

_FALLBACK_CONTEXT = 4096


async def probe(http: Http, options: RemoteOptions) -> Probed:
    """The model of the llama-server behind ``http``; raises as ``probing.probe``."""
    status, props = await http.get_json("/props")
    refuse(status)
    if status != 200 or not isinstance(props, dict):
        raise EngineUnavailable("the engine does not speak as llama-server does", hint="Check engine.dialect.")
    meta = await _meta(http)

    async def ids(text: str, *, special: bool = True, front: bool = False) -> list[int]:
        body = {"content": text, "add_special": front, "parse_special": special}
        status, content = await http.fetch("POST", "/tokenize", body)
        refuse(status)
        return tokens_of(content)

    specials = await accepted_specials(SENTINELS, ids)
    tokens = frozenset(specials)
    template = props.get("chat_template")
    evidence = Evidence(
        tokens=tokens,
        tokenizer_model=_VOCABULARIES.get(_number(meta.get("vocab_type"))),
        n_vocab=_number(meta.get("n_vocab")) or None,
        chat_template=template if isinstance(template, str) else None,
    )
    family = family_by_evidence(evidence)
    bos = await bos_of(await ids("x", front=True), await ids("x"), specials, ids)
    per_slot = props.get("default_generation_settings")
    context = _number(per_slot.get("n_ctx") if isinstance(per_slot, dict) else None) or _FALLBACK_CONTEXT
    return Probed(
        dialect=DIALECTS["llama-server"],
        model=remote_model_info(_name(props, options), family, tokens, context, bos),
        info=BackendInfo(
            software="llama-server",
            context_tokens=context,
            slots=max(1, min(_number(props.get("total_slots")) or 1, 64)),
            bos=bos,
            specials=specials,
            reserved=reserved_names(bos, *_reported_tokens(props), template=template),
            space_prefix=len(await ids("\n", special=False)) > 1,
        ),
        remote_model=options.remote_model,
        note="" if family.id != "plain" else UNKNOWN_FAMILY,
    )


async def _meta(http: Http) -> dict[str, Any]:
    _, listed = await http.get_json("/v1/models")
    try:
        meta = listed["data"][0]["meta"]
    except (TypeError, KeyError, IndexError):
        return {}
    return meta if isinstance(meta, dict) else {}


def _reported_tokens(props: dict[str, Any]) -> list[str]:
    """The control tokens that the server names."""
    names = (props.get("bos_token"), props.get("eos_token"))
    return [name for name in names if isinstance(name, str) and not is_ordinary(name)]


def _name(props: dict[str, Any], options: RemoteOptions) -> str:
    named = options.remote_model or props.get("model_alias") or props.get("model_path") or "model"
    return PurePosixPath(str(named).replace("\\", "/")).name.removesuffix(".gguf")[:80]


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
