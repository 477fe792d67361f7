"""What is remembered of texts and their ids."""

from __future__ import annotations

import gc
import sys

import pytest

from devstral_ls.engine.daemon.backends.llama_server_api import tokens_of
from devstral_ls.engine.daemon.tokens import PromptTokens
from devstral_ls.errors import GenerationFailed
from devstral_ls.models.families.control_tokens import control_names

N_TOKENS = 300
"""Of a text; none of these ids is one of the small ints that Python makes once."""


async def test_what_is_remembered_is_no_object_for_each_token() -> None:
    async def tokenize(text: str, *, parse_special: bool = False) -> list[int]:
        return [int(f"{text[0]}{n:04}") for n in range(N_TOKENS)]

    tokens = PromptTokens(tokenize)
    texts = [f"{n % 9 + 1} {n}" for n in range(200)]
    gc.collect()
    before = sys.getallocatedblocks()
    asked = [len(await tokens.text(text)) for text in texts]
    gc.collect()
    assert asked == [N_TOKENS] * len(texts)
    assert sys.getallocatedblocks() - before < len(texts) * N_TOKENS / 10
    assert await tokens.text(texts[0]) == tuple(range(10_000, 10_000 + N_TOKENS))


@pytest.mark.parametrize("token", [str(1 << 31), str(-(1 << 40)), "1e400", "9" * 30, "null", '""'])
def test_what_is_no_id_is_an_answer_that_makes_no_sense(token: str) -> None:
    with pytest.raises(GenerationFailed, match="makes no sense"):
        tokens_of(f'{{"tokens": [1, {token}]}}'.encode())


def test_what_an_engine_says_is_not_repeated_at_length() -> None:
    with pytest.raises(GenerationFailed) as failed:
        tokens_of(b'{"tokens": ["%b"]}' % (b"x" * 10_000))
    assert len(failed.value.message) < 400


USER_DEFINED = {"<think>": 1, "<tool_call>": 2, "\u2581<PRE>": 3, "ö": 4}


async def user_defined(text: str, *, parse_special: bool = False) -> list[int]:
    """As llama.cpp: tokens of this type are made of any text, and SentencePiece takes "\u2581" for a space."""
    spaced, found = text.replace("\u2581", " "), list[int]()
    while spaced:
        name = next((name for name in USER_DEFINED if spaced.startswith(name.replace("\u2581", " "))), "")
        found.append(USER_DEFINED[name] if name else 1000 + ord(spaced[0]))
        spaced = spaced[len(name) or 1 :]
    return found


@pytest.mark.parametrize(
    "text", ["<think>", "a<tool_call>b", "x <PRE>", "x\u2581<PRE>", "<th<think>ink>", "<think>" * 9]
)
async def test_user_defined_tokens_are_not_made_of_text_and_no_character_is_lost(text: str) -> None:
    reserved = frozenset(USER_DEFINED) - {"ö"}
    tokens = PromptTokens(user_defined, specials=USER_DEFINED, reserved=reserved)
    ids = await tokens.text(text)
    assert "".join(chr(token - 1000) for token in ids) == text.replace("\u2581", " ")


async def test_a_letter_that_is_a_token_of_its_own_stays_one() -> None:
    tokens = PromptTokens(user_defined, specials=USER_DEFINED, reserved=control_names(USER_DEFINED))
    assert await tokens.text("schön") == tuple(await user_defined("schön"))
