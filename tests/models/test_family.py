"""Which family a header belongs to, and what its row says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devstral_ls.engine.model_info import reserved_tokens
from devstral_ls.generation import Special, Text
from devstral_ls.models.families.control_tokens import control_names
from devstral_ls.models.families.table import FAMILIES, bos_token, family_of, layouts_of
from devstral_ls.models.gguf.header import GgufHeader, read_header
from devstral_ls.testing import gguf_files

FIM = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
STARCODER = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")
LAYOUTS = {"fim-spm", "fim-psm", "fim-spm-in-psm", "chat-prefill", "chat-overlap", "left-to-right"}


def header(architecture: str = "llama", *control: str, template: str = "", **fields: Any) -> GgufHeader:
    values: dict[str, Any] = {
        "path": Path("qwen-starcoder-devstral.gguf"),  # a name that must not matter
        "version": 3,
        "file_size": 0,
        "n_tensors": 1,
        "architecture": architecture,
        "name": None,
        "n_params": 0,
        "quantisation": "F32",
        "context_length": 0,
        "n_layers": 1,
        "n_embd": 1,
        "n_heads": 1,
        "n_kv_heads": 1,
        "kv_heads_total": 1,
        "head_dim": 1,
        "head_dim_v": 1,
        "n_vocab": 1000,
        "tokenizer_model": "gpt2",
        "tokenizer_pre": "default",
        "bos_id": None,
        "eos_id": None,
        "add_bos": False,
        "add_space_prefix": False,
        "chat_template": template or None,
        "fim_ids": {},
        "control_tokens": {text: number for number, text in enumerate(control)},
        "weights_bytes": 0,
    }
    return GgufHeader(**(values | fields))


INST = ("[INST]", "[/INST]")
HOLES = ("[PREFIX]", "[SUFFIX]")
SYSTEM = ("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]")
SPM = {"tokenizer_model": "llama"}


@pytest.mark.parametrize(
    ("family", "found"),
    [
        ("mistral-tekken", header("llama", *INST, *HOLES, *SYSTEM, tokenizer_pre="tekken")),
        ("mistral-tekken", header("mistral3", *INST, *HOLES, *SYSTEM, tokenizer_pre="tekken")),
        ("codestral", header("llama", *INST, *HOLES, **SPM)),
        ("mamba-codestral", header("mamba2", *INST, *HOLES, **SPM)),
        ("mistral-chat", header("llama", *INST, **SPM)),
        ("mistral-chat", header("llama", *INST, *HOLES, tokenizer_pre="tekken")),
        ("opencoder", header("llama", *FIM, "<|im_start|>", "<|im_end|>", n_vocab=96640)),
        ("qwen-fim", header("qwen2", *FIM, "<|im_start|>", "<|im_end|>")),
        ("qwen-fim", header("qwen3moe", *FIM)),
        ("codegemma", header("gemma", *FIM, "<|file_separator|>", **SPM)),
        ("granite-fim", header("granitehybrid", *FIM)),
        ("starcoder-fim", header("starcoder2", *STARCODER, "<file_sep>")),
        ("starcoder-1-fim", header("starcoder", *STARCODER, "<filename>")),
        ("starcoder-1-fim", header("llama", *STARCODER, "<filename>", tokenizer_pre="refact")),
        ("mellum", header("llama", *STARCODER, "<filename>", tokenizer_pre="mellum")),
        ("santacoder-fim", header("gpt2", "<fim-prefix>", "<fim-suffix>", "<fim-middle>")),
        ("codellama", header("llama", "▁<PRE>", "▁<SUF>", "▁<MID>", template="[INST]", **SPM)),
        ("deepseek-coder", header("llama", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>")),
        ("seed-coder", header("llama", "<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>")),
        ("codegeex4", header("chatglm", "<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>")),
        ("chatml", header("llama", "<|im_start|>", "<|im_end|>", template="{{'<|im_start|>'}}")),
        ("gemma-chat", header("gemma3", "<start_of_turn>", "<end_of_turn>", template="<start_of_turn>", **SPM)),
        (
            "llama3-chat",
            header("llama", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", template="<|start_header_id|>"),
        ),
        (
            "granite-chat",
            header("granite", "<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>", template="<|start_of_role|>"),
        ),
        ("inst-chat", header("llama", template="{{ '[INST] ' + message }}", **SPM)),
        ("plain", header("llama", "<|im_start|>", "<|im_end|>")),  # a base model that only has the tokens
        ("plain", header("gpt2")),
    ],
)
def test_the_family_follows_from_the_header(family: str, found: GgufHeader) -> None:
    assert family_of(found).id == family


def test_devstral_is_asked_by_chat_and_its_fim_tokens_are_not_trusted(tmp_path: Path) -> None:
    found = read_header(gguf_files.write_devstral_shaped(tmp_path / "m.gguf"))
    family = family_of(found)
    assert layouts_of(found) == ("chat-prefill", "fim-spm", "left-to-right")
    assert family.denied
    assert family.fim is not None
    assert family.fim.middle is None
    assert bos_token(found) == "<s>"


def test_devstrals_chat_is_v7_tekken_to_the_token() -> None:
    chat = FAMILIES["mistral-tekken"].chat
    assert chat is not None
    assert chat.ask("Be brief.", "[INST] is text here") == (
        Special("[SYSTEM_PROMPT]"),
        Text("Be brief."),
        Special("[/SYSTEM_PROMPT]"),
        Special("[INST]"),
        Text("[INST] is text here"),
        Special("[/INST]"),
    )


def test_a_family_without_a_system_role_puts_its_text_in_front() -> None:
    chat = FAMILIES["gemma-chat"].chat
    assert chat is not None
    assert Text("Be brief.\n\nHello") in chat.ask("Be brief.", "Hello")
    assert Text("Hello") in chat.ask("", "Hello")


def test_a_fim_model_without_chat_tokens_is_not_asked_by_chat(tmp_path: Path) -> None:
    assert "chat-prefill" not in layouts_of(header("qwen2", *FIM))
    whole = read_header(gguf_files.write_qwen_fim(tmp_path / "m.gguf"))
    assert layouts_of(whole) == ("fim-spm-in-psm", "fim-psm", "chat-prefill", "left-to-right")
    assert bos_token(whole) is None


def test_bos_is_there_only_if_the_model_wants_it() -> None:
    assert bos_token(header("llama", "<s>", bos_id=0, add_bos=True)) == "<s>"
    assert bos_token(header("llama", "<s>", bos_id=0, add_bos=False)) is None
    assert bos_token(header("llama", add_bos=True)) is None


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.id)
def test_every_row_is_whole(family: Any) -> None:
    assert FAMILIES[family.id] is family
    assert family.layouts
    assert set(family.layouts) <= LAYOUTS
    assert family.layouts[-1] == ("chat-overlap" if family.id == "chat-endpoint" else "left-to-right")
    if any(layout.startswith("fim") for layout in family.layouts):
        assert family.fim is not None
    if "chat-prefill" in family.layouts:
        assert family.chat is not None
    if family.fim is not None:
        sentinels = {family.fim.prefix, family.fim.suffix, family.fim.middle} - {None}
        assert sentinels <= set(family.tokens)


def test_the_last_row_takes_everything() -> None:
    assert list(FAMILIES)[-1] == "plain"
    assert family_of(header()).id == "plain"


def test_user_defined_tokens_that_are_but_text_may_stand_in_documents() -> None:
    ordinary = ["  ", "\u2581\u2581\u2581", "\n\n", "ö", "<table>", "</h1>", "<s>"]
    assert control_names([*ordinary, "<think>", "[TOOL_CALLS]", "<start_of_turn>"]) == {
        "<think>",
        "[TOOL_CALLS]",
        "<start_of_turn>",
    }


def test_a_local_vocabulary_is_kept_out_as_a_whole() -> None:
    found = header("qwen3", *FIM, "<|im_start|>", "<|im_end|>", "<tool_call>", "<think>", "<td>", "<s>", eos_id=8)
    assert {"<tool_call>", "<think>", "<|im_end|>", *FIM} <= reserved_tokens(found)
    assert "<td>" not in reserved_tokens(found)
    assert "<s>" in reserved_tokens(found)  # of this model it is the end
