"""One generation with a model that only evaluates and samples: what it says, why it ends, what it evaluates again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from devstral_ls.engine.daemon.backends.backend import End, Event, Piece, Progress
from devstral_ls.engine.daemon.backends.ctransformers.decoder import Decoder
from devstral_ls.errors import GenerationFailed, PromptTooLong
from devstral_ls.generation import FinishReason, GenerationRequest
from tests.engine.daemon.ctransformers.byte_model import ByteModel


def run(model: ByteModel, prompt: str = "abc", max_tokens: int = 20, **more: Any) -> list[Event]:
    request = GenerationRequest((), **{"max_tokens": max_tokens, **more})
    return list(Decoder(model, model.tokenize(prompt), request).events())


def text_and_finish(events: Sequence[Event]) -> tuple[str, FinishReason]:
    end = events[-1]
    assert isinstance(end, End)
    return "".join(event.text for event in events if not isinstance(event, Progress)), end.finish


def end_of(events: Sequence[Event]) -> Any:
    end = events[-1]
    assert isinstance(end, End)
    assert end.usage is not None
    return end.usage


STOP, LENGTH = FinishReason.STOP, FinishReason.LENGTH


@pytest.mark.parametrize(
    ("says", "more", "text", "finish"),
    [
        ("hello", {}, "hello", STOP),
        ("hello", {"max_tokens": 2}, "he", LENGTH),
        ("hello", {"stop": ("llo",)}, "he", STOP),
        ("hello", {"stop": ("lx", "o")}, "hell", STOP),
        ("hello", {"stop": ("lox",)}, "hello", STOP),
        ("hell", {"stop": ("ll!",)}, "hell", STOP),
        ("é漢😀", {}, "é漢😀", STOP),
        ("é漢", {"max_tokens": 3}, "é\ufffd", LENGTH),
        (" x", {"begins_with": "return"}, "return x", STOP),
        ("!", {"begins_with": "r"}, "return!", STOP),
        ("", {"begins_with": "é"}, "é", STOP),
        ("y" * 99, {"max_tokens": 1000}, "y" * 61, LENGTH),
        ("hello", {"time_limit_ms": -1}, "h", LENGTH),
        ("hello", {"max_tokens": 0}, "", LENGTH),
    ],
)
def test_what_is_said_and_why_it_ends(says: str, more: dict[str, Any], text: str, finish: FinishReason) -> None:
    assert text_and_finish(run(ByteModel(says), **more)) == (text, finish)


def test_a_long_prompt_is_evaluated_in_batches_that_are_told() -> None:
    events = run(ByteModel("", batch=8), "x" * 20)
    progress = [event for event in events if isinstance(event, Progress)]
    assert [(event.processed, event.cached) for event in progress] == [(8, 0), (16, 0), (20, 0)]
    assert end_of(events).prompt_tokens == 20


def test_each_token_is_told_with_its_id_also_where_its_text_is_held_back() -> None:
    pieces = [event for event in run(ByteModel("é!"), stop=("!?",)) if isinstance(event, Piece)]
    assert [(piece.text, piece.token, piece.n_generated) for piece in pieces] == [
        ("", 3 + 0xC3, 1),
        ("é", 3 + 0xA9, 2),
        ("", 3 + ord("!"), 3),
    ]


def test_what_was_evaluated_is_not_evaluated_again() -> None:
    model = ByteModel("yes")
    run(model, "abcdef")
    assert end_of(run(model, "abcdxy")).cached_tokens == 4


def test_a_prompt_without_room() -> None:
    with pytest.raises(PromptTooLong):
        run(ByteModel(), "x" * 64)


def test_an_answer_that_no_token_can_begin() -> None:
    model = ByteModel()
    model.pieces = [b"", b"", b"", b"x"]
    with pytest.raises(GenerationFailed, match="no token to begin"):
        run(model, "", begins_with="y")
