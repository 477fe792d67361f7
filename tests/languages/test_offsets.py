from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devstral_ls.languages.syntax.offsets import Offsets, encode

TEXTS = st.text(st.sampled_from("ab\n\r é漢😀\u0301\ud800\udc00\0"), max_size=60).map(lambda text: text * 60)


@given(TEXTS, st.integers(0, 10_000))
def test_there_and_back_is_the_same_offset(text: str, at: int) -> None:
    data, at = encode(text), min(at, len(text))
    offsets = Offsets(text, data)
    assert offsets.to_byte(at) == len(encode(text[:at]))
    assert offsets.to_char(offsets.to_byte(at)) == at


@given(TEXTS, st.integers(0, 40_000))
def test_a_byte_inside_a_character_counts_as_its_start(text: str, byte: int) -> None:
    data = encode(text)
    byte = min(byte, len(data))
    offsets = Offsets(text, data)
    at = offsets.to_char(byte)
    assert offsets.to_byte(at) <= byte
    assert at == len(text) or offsets.to_byte(at + 1) > byte
