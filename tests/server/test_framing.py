from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstral_ls.server.rpc.framing import Frames, framed


def bodies(*chunks: bytes) -> list[bytes]:
    frames = Frames()
    return [body for chunk in chunks for body in frames.feed(chunk)]


def test_a_message_in_one_piece() -> None:
    assert bodies(framed(b"{}")) == [b"{}"]


@given(st.lists(st.binary(max_size=40).map(lambda data: json.dumps(data.hex()).encode()), max_size=4), st.data())
def test_messages_in_any_pieces(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(framed(message) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert bodies(*pieces) == messages


@pytest.mark.parametrize(
    "garbage",
    [
        b"Content-Length: many\r\n\r\n{}",
        b"Content-Length: -5\r\n\r\n{}",
        b"Content-Length: 99999999999999\r\n\r\n{}",
        b"Content-Length: 9999999999\r\n\r\n{}",
        b"a library prints here\n",
        b"\r\n\r\n\r\n",
        b"\xff\xfe\x00",
        b"Content-Length: 5\r\n" + b"x" * 20_000,
        b"x" * 100_000,
    ],
)
def test_garbage_does_not_cost_the_next_message(garbage: bytes) -> None:
    assert bodies(garbage + framed(b"{}")) == [b"{}"]
    assert bodies(garbage, framed(b"{}")) == [b"{}"]


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 2\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n",
        b"content-length:2\r\n\r\n",
    ],
)
def test_other_headers(header: bytes) -> None:
    assert bodies(header + b"{}") == [b"{}"]


def test_memory_does_not_grow_with_garbage() -> None:
    frames = Frames()
    for _ in range(100):
        assert list(frames.feed(b"x" * 10_000)) == []
    assert len(frames._buffer) < 20_000
