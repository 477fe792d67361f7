"""What ``model inspect`` prints: the facts in a file's header, and which libraries can run it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devstral_ls.generation import Special
from devstral_ls.models.families import formats
from devstral_ls.models.families.formats import ChatFormat
from devstral_ls.models.families.table import Family, bos_token, family_of, layouts_of
from devstral_ls.models.gguf.header import GgufHeader
from devstral_ls.models.runners import RUNNERS

CHAT_FORMAT_NAMES: Mapping[str, ChatFormat] = {
    "v7-tekken": formats.TEKKEN_CHAT,
    "mistral": formats.MISTRAL_CHAT,
    "inst-text": formats.INST_TEXT_CHAT,
    "chatml": formats.CHATML,
    "gemma": formats.GEMMA_CHAT,
    "llama-3": formats.LLAMA_3_CHAT,
    "granite": formats.GRANITE_CHAT,
    "messages": formats.MESSAGES_CHAT,
}
"""The usual names of the formats."""


def inspection(header: GgufHeader) -> dict[str, Any]:
    """The facts as JSON values, the most telling first."""
    family = family_of(header)
    return {
        "path": str(header.path),
        "name": header.name,
        "ggufVersion": header.version,
        "architecture": header.architecture,
        "parameters": header.n_params,
        "parametersText": parameters_text(header.n_params),
        "quantisation": header.quantisation,
        "fileSize": header.file_size,
        "weightsBytes": header.weights_bytes,
        "tensorTypes": sorted(header.tensor_types),
        "contextLength": header.context_length,
        "layers": header.n_layers,
        "hidden": header.n_embd,
        "heads": header.n_heads,
        "kvHeads": header.n_kv_heads,
        "headDim": header.head_dim,
        "kvBytesPerToken": header.kv_bytes_per_token,
        "tokenizer": header.tokenizer_model,
        "pretokenizer": header.tokenizer_pre,
        "vocabulary": header.n_vocab,
        "bos": bos_token(header),
        "controlTokens": dict(header.control_tokens),
        "fimTokens": fim_tokens(header, family),
        "fimDenied": family.denied or None,
        "family": family.id,
        "familyTitle": family.title,
        "chatFormat": chat_format_name(header, family),
        "chatTemplate": header.chat_template is not None,
        "layouts": list(layouts_of(header)),
        "engines": runner_verdicts(header),
    }


def parameters_text(n_params: int) -> str:
    """A number of parameters in the usual short form: 494M, 23.6B."""
    if n_params >= 999_500_000:
        return f"{n_params / 1e9:.1f}B"
    return f"{n_params / 1e6:.0f}M" if n_params >= 999_500 else f"{n_params / 1e6:.2f}M"


def fim_tokens(header: GgufHeader, family: Family) -> dict[str, dict[str, Any]]:
    """Token and id by role: those that the family uses, else those that the file's own keys name."""
    by_id = {token_id: text for text, token_id in header.control_tokens.items()}
    in_keys = {role: {"token": by_id.get(token_id), "id": token_id} for role, token_id in header.fim_ids.items()}
    if family.fim is None:
        return in_keys
    fim = family.fim
    file = fim.file.token if isinstance(fim.file, Special) else None
    names = {
        "prefix": fim.prefix, "suffix": fim.suffix, "middle": fim.middle, "repository": fim.repository,
        "separator": file,
    }  # fmt: skip
    present = {role: name for role, name in names.items() if name is not None and name in header.control_tokens}
    return in_keys | {role: {"token": name, "id": header.control_tokens[name]} for role, name in present.items()}


def chat_format_name(header: GgufHeader, family: Family) -> str | None:
    """The name of the chat format; ``None`` where the family has none or the vocabulary lacks its tokens."""
    if family.chat is None or not all(token in header.control_tokens for token in family.chat.specials):
        return None
    return next((name for name, chat in CHAT_FORMAT_NAMES.items() if chat == family.chat), "other")


def runner_verdicts(header: GgufHeader) -> dict[str, dict[str, Any]]:
    """For each library whether it can run the file, and if not, the reason."""
    objections = {name: runner.objection(header) for name, runner in RUNNERS.items()}
    return {name: {"can": objection is None, "reason": objection} for name, objection in objections.items()}
