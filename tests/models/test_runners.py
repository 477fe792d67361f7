"""Which library can run a file, and why the others cannot; what ``model inspect`` says of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import pytest

from devstral_ls.errors import ModelUnsupported
from devstral_ls.models.families import formats
from devstral_ls.models.families.table import FAMILIES
from devstral_ls.models.gguf.header import GgufHeader, read_header
from devstral_ls.models.inspection import CHAT_FORMAT_NAMES, inspection, parameters_text
from devstral_ls.models.runners import LLAMA_CPP_ARCHITECTURES, RUNNERS, check_runner
from devstral_ls.testing import gguf_files


@pytest.fixture
def spm(tmp_path: Path) -> GgufHeader:
    """What both engines can run."""
    return read_header(gguf_files.write_spm_llama(tmp_path / "spm.gguf"))


def test_both_run_a_small_llama_with_sentencepiece(spm: GgufHeader) -> None:
    assert {name: runner.objection(spm) for name, runner in RUNNERS.items()} == {
        "llama.cpp": None,
        "ctransformers": None,
    }
    check_runner("ctransformers", spm)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"architecture": "mistral3"}, "architecture 'llama' only, not 'mistral3'"),
        ({"version": 4}, "up to version 3, not 4"),
        ({"head_dim": 48}, "width / heads = 128 / 4, but here it is 48"),
        ({"tokenizer_model": "gpt2"}, "SentencePiece vocabularies ('llama') only, not 'gpt2'"),
        ({"tensor_types": frozenset({"F32", "IQ4_XS"})}, "does not know the tensor type IQ4_XS"),
        ({"tensor_types": frozenset({"BF16", "MXFP4"})}, "does not know the tensor types BF16, MXFP4"),
    ],
)
def test_what_ctransformers_cannot_run(spm: GgufHeader, change: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelUnsupported) as caught:
        check_runner("ctransformers", replace(spm, **change))
    assert says in caught.value.message
    assert '"llama.cpp"' in caught.value.hint


@pytest.mark.parametrize("architecture", ["llama", "mistral3"])
def test_devstral_is_llama_cpps(tmp_path: Path, architecture: str) -> None:
    header = read_header(gguf_files.write_devstral_shaped(tmp_path / "m.gguf", architecture))
    check_runner("llama.cpp", header)
    with pytest.raises(ModelUnsupported, match="ctransformers cannot run"):
        check_runner("ctransformers", header)


def test_a_file_that_nobody_knows(spm: GgufHeader) -> None:
    with pytest.raises(ModelUnsupported, match="does not know the architecture 'new'") as caught:
        check_runner("llama.cpp", replace(spm, architecture="new"))
    assert caught.value.hint == "Use another model file."


def test_the_architectures_are_names_of_the_gguf_package() -> None:
    assert set(gguf.MODEL_ARCH_NAMES.values()) >= LLAMA_CPP_ARCHITECTURES


@pytest.mark.parametrize(
    ("n_params", "text"), [(494_032_768, "494M"), (23_572_403_200, "23.6B"), (999_600_000, "1.0B"), (310_000, "0.31M")]
)
def test_parameters_are_said_as_people_do(n_params: int, text: str) -> None:
    assert parameters_text(n_params) == text


def test_a_devstral_file_inspected(tmp_path: Path) -> None:
    facts = inspection(read_header(gguf_files.write_devstral_shaped(tmp_path / "m.gguf")))
    assert facts["fimTokens"] == {
        "prefix": {"token": "[PREFIX]", "id": 14},
        "suffix": {"token": "[SUFFIX]", "id": 16},
    }
    assert (facts["chatFormat"], facts["layouts"][0]) == ("v7-tekken", "chat-prefill")
    assert facts["controlTokens"]["[SYSTEM_PROMPT]"] == 17
    assert facts["engines"]["llama.cpp"] == {"can": True, "reason": None}
    assert facts["engines"]["ctransformers"]["can"] is False
    assert facts["kvBytesPerToken"] == 512


def test_fim_tokens_that_only_the_files_keys_name(tmp_path: Path) -> None:
    keys = {"tokenizer.ggml.fim_pre_token_id": 1, "tokenizer.ggml.model": "gpt2"}
    vocabulary = [("a", gguf_files.NORMAL), ("<PRE>", gguf_files.NORMAL)]
    header = read_header(gguf_files.write_header(tmp_path / "m.gguf", keys, vocabulary=vocabulary))
    facts = inspection(header)
    assert facts["fimTokens"] == {"prefix": {"token": "<PRE>", "id": 1}}
    assert facts["chatFormat"] is None


def test_every_chat_format_has_a_name() -> None:
    every = [value for value in vars(formats).values() if isinstance(value, formats.ChatFormat)]
    assert all(chat in CHAT_FORMAT_NAMES.values() for chat in every)
    assert all(family.chat in every for family in FAMILIES.values() if family.chat is not None)
