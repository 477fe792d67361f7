"""The family of a model whose file we do not have: from what its engine tells, by the same table as for files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from devstral_ls.models.families.table import FAMILIES, Family

PLAIN = FAMILIES["plain"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an engine tells of its model; None where it says nothing of it."""

    tokens: frozenset[str] = frozenset()
    """Those of ``SENTINELS`` (or all) that are one control token of the model."""
    architecture: str | None = None
    tokenizer_model: str | None = None
    """As GGUF files name it: ``gpt2`` is a BPE vocabulary, ``llama`` one of SentencePiece."""
    tokenizer_pre: str | None = None
    n_vocab: int | None = None
    chat_template: str | None = None


def _names(family: Family) -> set[str]:
    names = {*family.tokens, *family.stops}
    if family.fim is not None:
        names |= {name for name in (family.fim.prefix, family.fim.suffix, family.fim.middle) if name}
    if family.chat is not None:
        names |= set(family.chat.specials)
    return names


SENTINELS = frozenset(name for family in FAMILIES.values() for name in _names(family) if not name.startswith("role:"))
"""Every control token a family is known by, is asked with, or ends with."""


def reserved_of(family: Family) -> frozenset[str]:
    """The control tokens that document text must never become: the family's own, or all we know for a family we do not."""
    return frozenset(_names(family)) if family is not PLAIN else SENTINELS


def family_by(evidence: Evidence) -> Family:
    """The first family that ``evidence`` speaks for; ``plain`` if it speaks for none."""
    return next((family for family in FAMILIES.values() if _fits(family, evidence)), PLAIN)


def _fits(family: Family, evidence: Evidence) -> bool:
    """As ``Family.matches``. What the engine does not say fits where the tokens decide already; the columns that tell
    families with the same tokens apart (architecture, pre-tokenizer, vocabulary size) must be said.
    """
    by_tokens = bool(family.tokens)
    template = evidence.chat_template
    return (
        family.tokens == tuple(token for token in family.tokens if token in evidence.tokens)
        and (not family.architectures or evidence.architecture in family.architectures)
        and (not family.tokenizer_pres or evidence.tokenizer_pre in family.tokenizer_pres)
        and (not family.vocabulary_sizes or evidence.n_vocab in family.vocabulary_sizes)
        and (not family.tokenizer_models or evidence.tokenizer_model in (None, *family.tokenizer_models))
        and (family.template in template if template is not None else by_tokens or not family.template)
    )


NAMES: Mapping[str, str] = {
    "mamba-codestral": "mamba-codestral",
    "codestral-mamba": "mamba-codestral",
    "devstral": "mistral-tekken",
    "codestral": "codestral",
    "qwen2.5-coder": "qwen-fim",
    "qwen3-coder": "qwen-fim",
    "starcoder2": "starcoder-fim",
    "starcoder": "starcoder-1-fim",
    "codegemma": "codegemma",
    "codellama": "codellama",
    "code-llama": "codellama",
    "deepseek-coder": "deepseek-coder",
    "seed-coder": "seed-coder",
    "mellum": "mellum",
    "codegeex4": "codegeex4",
    "opencoder": "opencoder",
}
"""Fragments of the names models are served by, first match wins. The last resort, where the engine tells nothing else:
a name is what somebody typed, so it is said in the status that it was believed."""


def family_by_name(name: str) -> Family:
    """The family a model's name suggests; ``plain`` if it suggests none."""
    lowered = name.lower()
    return next((FAMILIES[family] for fragment, family in NAMES.items() if fragment in lowered), PLAIN)
