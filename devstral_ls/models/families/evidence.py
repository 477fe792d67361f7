"""The family of a model without a file at hand, from what its server reports, by the same table as for files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from devstral_ls.generation import Special
from devstral_ls.models.families.control_tokens import OTHER_CONTROL_TOKENS
from devstral_ls.models.families.table import FAMILIES, Family

PLAIN = FAMILIES["plain"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a server reports about its model; ``None`` for facts that it does not report."""

    tokens: frozenset[str] = frozenset()
    """The texts, of ``SENTINELS`` at least, that are single control tokens of the model."""
    architecture: str | None = None
    tokenizer_model: str | None = None
    """In GGUF's terms: ``gpt2`` is a BPE vocabulary, ``llama`` one of SentencePiece."""
    tokenizer_pre: str | None = None
    n_vocab: int | None = None
    chat_template: str | None = None


def _names(family: Family) -> set[str]:
    names = {*family.tokens, *family.stops}
    if family.fim is not None:
        fim = family.fim
        file = fim.file.token if isinstance(fim.file, Special) else None
        names |= {name for name in (fim.prefix, fim.suffix, fim.middle, fim.repository, file) if name}
    if family.chat is not None:
        answer_close = {part.token for part in family.chat.answer_close if isinstance(part, Special)}
        names |= {*family.chat.specials, *answer_close}
    return names


SENTINELS = frozenset(name for family in FAMILIES.values() for name in _names(family) if not name.startswith("role:"))
"""Every control token that a family is recognized by, is prompted with, or ends answers with."""


CONTROL_NAMES = SENTINELS | OTHER_CONTROL_TOKENS
"""Every control token of the vocabularies of all families. Where the vocabulary itself is not at hand, document text must
become none of them: a server may have another model than its name tells."""


def control_tokens_of(family: Family) -> frozenset[str]:
    """The control tokens that a model of ``family`` is supposed to have."""
    return frozenset(_names(family))


def family_by_evidence(evidence: Evidence) -> Family:
    """The first family that ``evidence`` fits; ``plain`` if it fits none."""
    return next((family for family in FAMILIES.values() if _fits(family, evidence)), PLAIN)


def _fits(family: Family, evidence: Evidence) -> bool:
    """As ``Family.matches``, for partial facts. Where the tokens already decide, a fact that is not reported fits; the
    columns that separate families with the same tokens (architecture, pre-tokenizer, vocabulary size) must be reported.
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
"""Fragments of model names and their families; the first match wins. The last resort, for servers that report nothing
else: a name is free text, so the status tells the user that the family was guessed from it."""


def family_by_name(name: str) -> Family:
    """The family that the model's name suggests; ``plain`` if it suggests none."""
    lowered = name.lower()
    return next((FAMILIES[family] for fragment, family in NAMES.items() if fragment in lowered), PLAIN)
