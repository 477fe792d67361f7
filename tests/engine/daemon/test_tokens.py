"""What is remembered of texts and their ids."""

from __future__ import annotations

import gc
import sys

import pytest

from devstral_ls.engine.daemon.backends.llama_server_api import tokens_of
from devstral_ls.engine.daemon.tokens import PromptTokens
from devstral_ls.errors import GenerationFailed

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
