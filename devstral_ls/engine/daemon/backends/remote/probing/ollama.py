"""Probing an Ollama: ``/api/tags`` and ``/api/show``, which has the vocabulary of the model's file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from devstral_ls.engine.daemon.backends.backend import BackendInfo
from devstral_ls.engine.daemon.backends.remote.dialects import DIALECTS
from devstral_ls.engine.daemon.backends.remote.dialects.ollama import CONTEXT_TOKENS, body_for
from devstral_ls.engine.daemon.backends.remote.http import Http
from devstral_ls.engine.daemon.backends.remote.options import RemoteOptions
from devstral_ls.engine.daemon.backends.remote.probing.probed import (
    UNKNOWN_FAMILY,
    Probed,
    refuse,
    remote_model_info,
    reserved_names,
)
from devstral_ls.errors import EngineUnavailable, ModelNotFound
from devstral_ls.models.families.control_tokens import is_ordinary
from devstral_ls.models.families.evidence import (
    PLAIN,
    SENTINELS,
    Evidence,
    control_tokens_of,
    family_by_evidence,
    family_by_name,
)

_MARKED = (3, 4)
"""Control and user-defined tokens (`gguf.TokenType`)."""

_PULL = "Fetch one (`ollama pull qwen2.5-coder`) and name it in engine.remoteModel."


async def probe(http: Http, options: RemoteOptions) -> Probed:
    """The model of the Ollama behind ``http`` that the options name, or its newest; raises as ``probing.probe``."""
    name = options.remote_model or await _newest(http)
    status, shown = await http.post_json("/api/show", {"model": name, "verbose": True})
    refuse(status)
    if status == 404:
        raise ModelNotFound(f"the engine has no model {name!r}", hint=_PULL)
    if status != 200 or not isinstance(shown, dict):
        raise EngineUnavailable("the engine does not speak as Ollama does", hint="Check engine.dialect.")
    facts = shown.get("model_info")
    facts = facts if isinstance(facts, dict) else {}
    template = shown.get("template")
    control = _control_tokens(facts)
    evidence = _evidence(facts, template, control)
    family = family_by_evidence(evidence)
    note = ""
    if family is PLAIN:
        family = family_by_name(name)
        note = f"model family guessed from its name: {family.title}" if family is not PLAIN else UNKNOWN_FAMILY
    tokens = evidence.tokens if not note else control_tokens_of(family)
    context = _context(facts, evidence.architecture, options)
    return Probed(
        dialect=replace(DIALECTS["ollama"], body=body_for(context)),
        model=remote_model_info(name, family, tokens, context, None),
        info=BackendInfo(
            software="Ollama",
            context_tokens=context,
            slots=1,
            reserved=reserved_names(*control, template=template),
        ),
        remote_model=name,
        note=note,
    )


async def _newest(http: Http) -> str:
    status, listed = await http.get_json("/api/tags")
    refuse(status)
    models = listed.get("models") if isinstance(listed, dict) else None
    names = [model.get("name") for model in models if isinstance(model, dict)] if isinstance(models, list) else []
    name = next((name for name in names if isinstance(name, str) and name), None)
    if name is None:
        raise ModelNotFound("the engine has no model", hint=_PULL)
    return name


def _control_tokens(facts: dict[str, Any]) -> list[str]:
    """Those of the vocabulary, where the server gives it."""
    vocabulary, kinds = facts.get("tokenizer.ggml.tokens"), facts.get("tokenizer.ggml.token_type")
    if not isinstance(vocabulary, list):
        return []
    if not isinstance(kinds, list) or len(kinds) != len(vocabulary):
        return [name for name in vocabulary if isinstance(name, str) and name in SENTINELS]
    marked = (name for name, kind in zip(vocabulary, kinds, strict=True) if kind in _MARKED and isinstance(name, str))
    return [name for name in marked if not is_ordinary(name)]


def _evidence(facts: dict[str, Any], template: object, control: list[str]) -> Evidence:
    """From the vocabulary where the server gives it, else from the tokens in the template."""
    text = template if isinstance(template, str) else ""
    vocabulary = facts.get("tokenizer.ggml.tokens")
    if isinstance(vocabulary, list) and vocabulary:
        tokens = SENTINELS.intersection(control)
    else:
        tokens = frozenset(name for name in SENTINELS if name in text)
    return Evidence(
        tokens=tokens,
        architecture=_word(facts.get("general.architecture")),
        tokenizer_model=_word(facts.get("tokenizer.ggml.model")),
        tokenizer_pre=_word(facts.get("tokenizer.ggml.pre")),
        n_vocab=len(vocabulary) if isinstance(vocabulary, list) and vocabulary else None,
        # Ollama's own spelling of the conversation; a model without one has a template that only repeats the prompt.
        chat_template=text or None,
    )


def _context(facts: dict[str, Any], architecture: str | None, options: RemoteOptions) -> int:
    trained = facts.get(f"{architecture}.context_length")
    wanted = CONTEXT_TOKENS if isinstance(options.context_tokens, str) else options.context_tokens
    return min(wanted, trained) if isinstance(trained, int) and trained > 0 else wanted


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None
