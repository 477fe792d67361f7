"""What a header says, on files made here; and what is said of files that are no good."""

from __future__ import annotations

import random
import time
from pathlib import Path

import gguf
import pytest

from devstral_ls.errors import ModelCorrupt, ModelError, ModelNotFound, ModelUnsupported
from devstral_ls.models.gguf.header import read_header, split_parts
from devstral_ls.models.gguf.tensor_types import FILE_TYPES, TENSOR_TYPES
from devstral_ls.testing import gguf_files
from devstral_ls.testing.gguf_files import BYTE, CONTROL, NORMAL, USER_DEFINED


@pytest.mark.parametrize("architecture", ["llama", "mistral3"])
def test_a_devstral_header_is_read_whole(tmp_path: Path, architecture: str) -> None:
    header = read_header(gguf_files.write_devstral_shaped(tmp_path / "m.gguf", architecture))
    assert (header.architecture, header.tokenizer_model, header.tokenizer_pre) == (architecture, "gpt2", "tekken")
    assert (header.n_layers, header.n_embd, header.n_heads, header.n_kv_heads) == (2, 160, 4, 2)
    assert (header.head_dim, header.head_dim_v) == (32, 32)
    assert header.n_heads * header.head_dim != header.n_embd
    assert (header.bos_id, header.eos_id, header.add_bos) == (1, 2, True)
    assert header.quantisation == "F32"
    assert header.context_length == 4096
    assert header.n_vocab == 289
    assert header.weights_bytes == header.n_params * 4
    assert header.weights_bytes < header.file_size
    assert header.control_tokens["[SYSTEM_PROMPT]"] == 17
    assert {text: header.control_tokens[text] for text in ("[INST]", "[/INST]", "[PREFIX]", "[SUFFIX]")} == {
        "[INST]": 3,
        "[/INST]": 4,
        "[PREFIX]": 14,
        "[SUFFIX]": 16,
    }


def test_the_kv_cache_of_a_token_counts_keys_and_values_of_all_layers(tmp_path: Path) -> None:
    header = read_header(gguf_files.write_devstral_shaped(tmp_path / "m.gguf"))
    assert header.kv_bytes_per_token == 2 * 2 * 32 * 2 * 2


def test_devstrals_real_shape_takes_163840_bytes_a_token(tmp_path: Path) -> None:
    keys = {
        "llama.block_count": 40,
        "llama.embedding_length": 5120,
        "llama.attention.head_count": 32,
        "llama.attention.head_count_kv": 8,
        "llama.attention.key_length": 128,
        "llama.attention.value_length": 128,
    }
    assert read_header(gguf_files.write_header(tmp_path / "m.gguf", keys)).kv_bytes_per_token == 163_840


def test_heads_may_differ_from_layer_to_layer(tmp_path: Path) -> None:
    keys = {"llama.block_count": 3, "llama.attention.head_count_kv": [2, 0, 4]}
    header = read_header(gguf_files.write_header(tmp_path / "m.gguf", keys))
    assert (header.n_kv_heads, header.kv_heads_total) == (4, 6)


def test_ordinary_tokens_are_not_kept(tmp_path: Path) -> None:
    header = read_header(gguf_files.write_qwen_fim(tmp_path / "m.gguf"))
    assert set(header.control_tokens) == set(gguf_files.QWEN_CONTROL)
    assert not header.add_bos


def test_a_header_of_devstrals_size_is_read_in_a_moment(tmp_path: Path) -> None:
    path = gguf_files.write_big_vocabulary(tmp_path / "m.gguf")
    started = time.process_time()
    header = read_header(path)
    assert time.process_time() - started < 1.0  # about 0.04 when the machine is quiet
    assert (header.n_vocab, len(header.control_tokens)) == (131_072, 1000)
    assert header.control_tokens["<SPECIAL_999>"] == 999


def test_a_header_larger_than_the_first_window_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = gguf_files.write_devstral_shaped(tmp_path / "m.gguf")
    whole = read_header(path)
    monkeypatch.setattr("devstral_ls.models.gguf.reader.WINDOWS", (64, 1000, 4000, 1 << 20))
    assert read_header(path) == whole
    monkeypatch.setattr("devstral_ls.models.gguf.reader.WINDOWS", (64, 1000))
    with pytest.raises(ModelCorrupt, match="its header is larger than"):
        read_header(path)


def test_fim_ids_are_read_under_their_new_and_their_old_keys(tmp_path: Path) -> None:
    keys = {
        "tokenizer.ggml.fim_pre_token_id": 1,
        "tokenizer.ggml.suffix_token_id": 2,
        "tokenizer.ggml.fim_sep_token_id": 0xFFFFFFFF,
    }
    vocabulary = [("a", NORMAL), ("<pre>", NORMAL), ("<suf>", NORMAL)]
    header = read_header(gguf_files.write_header(tmp_path / "m.gguf", keys, vocabulary=vocabulary))
    assert header.fim_ids == {"prefix": 1, "suffix": 2}
    assert header.control_tokens == {"<pre>": 1, "<suf>": 2}


def test_code_llamas_unmarked_sentinels_are_found(tmp_path: Path) -> None:
    more = [("▁<PRE>x", NORMAL), ("▁<PRE>", NORMAL), ("▁<SUF>", NORMAL), ("▁<MID>", NORMAL)]
    header = read_header(gguf_files.write_spm_llama(tmp_path / "m.gguf", more_tokens=more))
    first = header.n_vocab - 3
    assert [header.control_tokens[text] for text in ("▁<PRE>", "▁<SUF>", "▁<MID>")] == [first, first + 1, first + 2]
    assert header.add_bos
    assert header.add_space_prefix


def test_a_sentence_piece_vocabulary_has_bos_and_eos_even_if_the_file_does_not_say(tmp_path: Path) -> None:
    vocabulary = [("<unk>", NORMAL), ("<s>", CONTROL), ("</s>", CONTROL), ("<0x00>", BYTE), ("<tool>", USER_DEFINED)]
    keys = {"tokenizer.ggml.model": "llama"}
    header = read_header(gguf_files.write_header(tmp_path / "m.gguf", keys, vocabulary=vocabulary))
    assert (header.bos_id, header.eos_id) == (1, 2)
    assert header.control_tokens == {"<s>": 1, "</s>": 2, "<tool>": 4}


@pytest.mark.parametrize(
    ("keys", "quantisation"),
    [({"general.file_type": 15}, "Q4_K_M"), ({"general.file_type": 15 + 1024}, "Q4_K_M"), ({}, "F32")],
)
def test_the_quantisation_has_the_name_people_use(tmp_path: Path, keys: dict[str, int], quantisation: str) -> None:
    assert read_header(gguf_files.write_header(tmp_path / "m.gguf", keys)).quantisation == quantisation


def test_version_2_is_read_as_3_is(tmp_path: Path) -> None:
    path = gguf_files.with_version(gguf_files.write_devstral_shaped(tmp_path / "m.gguf"), 2)
    assert read_header(path).version == 2


def test_the_tables_are_those_of_the_gguf_package() -> None:
    assert {number: (row.name, row.block, row.size) for number, row in TENSOR_TYPES.items()} == {
        kind.value: (kind.name, *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()
    }
    names = {kind.value: kind.name.removeprefix("ALL_").removeprefix("MOSTLY_") for kind in gguf.LlamaFileType}
    del names[gguf.LlamaFileType.GUESSED]
    assert names == FILE_TYPES


def test_nothing_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.gguf", tmp_path / "a\0b", Path(__file__) / "none.gguf"):
        with pytest.raises(ModelNotFound, match="there is no such file"):
            read_header(path)


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt, match="it is a folder"):
        read_header(tmp_path)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = gguf_files.write_header(tmp_path / "m.gguf", {})
    monkeypatch.setattr("devstral_ls.models.gguf.header.read_raw_header", refuse)
    with pytest.raises(ModelCorrupt, match="it cannot be read: Permission denied") as caught:
        read_header(path)
    assert caught.value.hint == "Check its permissions."


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"import os\n" * 50, "it is a text file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12", "it is a Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "it is a web page"),
        (b"PK\x03\x04" + bytes(60), "it is a ZIP archive"),
        (b"tjgg\x03\0\0\0", "it is an old GGJT file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "it is not a GGUF file"),
        (b"GG", "it is a text file"),
        (b"GGUF", "the file ends inside its header"),
        (b"GGUF\x03\0\0\0", "the file ends inside its header"),
    ],
)
def test_other_files_are_called_by_their_names(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt, match=says) as caught:
        read_header(path)
    assert "m.gguf" in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("version", "says"),
    [(0x03000000, "big-endian"), (1, "GGUF version 1 is not supported"), (4, "GGUF version 4 is not supported")],
)
def test_other_versions_are_not_supported(tmp_path: Path, version: int, says: str) -> None:
    path = gguf_files.with_version(gguf_files.write_header(tmp_path / "m.gguf", {}), version)
    with pytest.raises(ModelUnsupported, match=says):
        read_header(path)


@pytest.mark.parametrize(
    ("keys", "error", "says"),
    [
        ({"general.architecture": None}, ModelCorrupt, "names no architecture"),
        ({"general.type": "adapter"}, ModelUnsupported, "its type is 'adapter'"),
        ({"general.architecture": "clip"}, ModelUnsupported, "holds no language model"),
        ({"llama.block_count": None}, ModelUnsupported, "layers, width or weights are missing"),
        ({"llama.block_count": "two"}, ModelCorrupt, "'llama.block_count' is 'two', not a number"),
        ({"llama.block_count": 4_000_000_000}, ModelCorrupt, "not a number"),
        ({"llama.block_count": 2_000_000_000}, ModelCorrupt, "claims 2000000000 layers"),
        ({"llama.attention.head_count_kv": [1]}, ModelCorrupt, "not a number for each of 2 layers"),
        ({"tokenizer.ggml.bos_token_id": 7}, ModelCorrupt, "is 7, but there are only 0 tokens"),
        ({"tokenizer.ggml.tokens": [1, 2]}, ModelCorrupt, "not an array of strings"),
        ({"tokenizer.ggml.tokens": ["a"], "tokenizer.ggml.token_type": [1, 1]}, ModelCorrupt, "does not fit 1 tokens"),
        ({"general.alignment": 33}, ModelCorrupt, "not a power of two"),
        ({"tokenizer.chat_template": 3}, ModelCorrupt, "is 3, not a string"),
    ],
)
def test_a_header_that_makes_no_sense(tmp_path: Path, keys: dict[str, object], error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        read_header(gguf_files.write_header(tmp_path / "m.gguf", keys))


@pytest.mark.parametrize("n_bytes", [1, 1000, 1_000_000])
def test_a_file_cut_off_in_its_weights_is_shorter_than_its_header_says(tmp_path: Path, n_bytes: int) -> None:
    path = gguf_files.truncated(gguf_files.write_devstral_shaped(tmp_path / "m.gguf"), n_bytes)
    with pytest.raises(ModelCorrupt, match="the file is shorter than its header says") as caught:
        read_header(path)
    assert "cut off" in caught.value.hint


def test_a_file_cut_off_anywhere_in_its_header_is_corrupt(tmp_path: Path) -> None:
    path = gguf_files.write_header(tmp_path / "m.gguf", {}, vocabulary=[("a", NORMAL), ("<s>", CONTROL)])
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelCorrupt):
            read_header(path)


@pytest.mark.parametrize("claim", [2**63 - 1, 2**64 - 1, 2**32, 10**6])
def test_counts_that_cannot_be_true_cost_nothing(tmp_path: Path, claim: int) -> None:
    path = gguf_files.write_header(tmp_path / "m.gguf", {}, vocabulary=[("token", NORMAL)] * 3)
    whole = path.read_bytes()
    places = (8, 16, whole.index(b"tokenizer.ggml.tokens") + 21 + 8, whole.index(b"\x05\0\0\0\0\0\0\0token"))
    for place in places:
        path.write_bytes(whole[:place] + claim.to_bytes(8, "little") + whole[place + 8 :])
        with pytest.raises(ModelCorrupt):
            read_header(path)


def _complaint(path: Path) -> str:
    try:
        read_header(path)
    except (ModelCorrupt, ModelUnsupported) as error:
        return error.message
    return ""


def test_no_mutation_of_a_header_does_anything_else_than_fail_clearly(tmp_path: Path) -> None:
    path = gguf_files.write_header(
        tmp_path / "m.gguf",
        {"tokenizer.ggml.model": "llama", "general.name": "x", "llama.attention.head_count_kv": [2, 2]},
        vocabulary=[("<unk>", NORMAL), ("<s>", CONTROL), ("</s>", CONTROL), ("▁<PRE>", NORMAL)],
    )
    whole = path.read_bytes()
    chance = random.Random(20)  # the same mutations each time
    messages = []
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data) - 1024)] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        path.write_bytes(data)
        messages.append(_complaint(path))
    assert all("\n" not in message and len(message) < 500 for message in messages)
    assert 0 < messages.count("") < 2000


def _split(tmp_path: Path, n_parts: int) -> list[Path]:
    paths = [tmp_path / f"big-{number:05}-of-{n_parts:05}.gguf" for number in range(1, n_parts + 1)]
    for number, path in enumerate(paths):
        gguf_files.write_header(path, {"split.no": number, "split.count": n_parts})
    return paths


def test_the_parts_of_a_split_model_are_counted_together(tmp_path: Path) -> None:
    paths = _split(tmp_path, 3)
    header = read_header(paths[0])
    assert header.n_params == 3 * 4 * 64
    assert header.file_size == sum(path.stat().st_size for path in paths)
    assert split_parts(paths[0]) == tuple(paths)
    assert split_parts(tmp_path / "one.gguf") == (tmp_path / "one.gguf",)


def test_a_split_model_with_a_missing_or_short_part_is_corrupt(tmp_path: Path) -> None:
    paths = _split(tmp_path, 3)
    with pytest.raises(ModelUnsupported, match="name the first of its 3 files"):
        read_header(paths[1])
    gguf_files.truncated(paths[2], 100)
    with pytest.raises(ModelCorrupt, match="shorter than its header says"):
        read_header(paths[0])
    paths[2].unlink()
    with pytest.raises(ModelCorrupt, match=r"'big-00003-of-00003.gguf' is missing"):
        read_header(paths[0])
    with pytest.raises(ModelError, match="its name does not end in -00001-of-00003"):
        read_header(paths[0].rename(tmp_path / "renamed.gguf"))
