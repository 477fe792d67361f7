"""What other programs and files say is shown as one harmless line, wherever it comes from."""

from __future__ import annotations

import pytest

from devstral_ls.engine.status import EngineStatus
from devstral_ls.errors import MAX_DISPLAYED, EngineUnavailable, ModelLoadFailed, displayable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Qwen2.5-Coder (7B), Q4_K_M", "Qwen2.5-Coder (7B), Q4_K_M"),
        ("modèle 漢字 😀 מודל", "modèle 漢字 😀 מודל"),
        ("a\ud800b", "a\ufffdb"),
        ("a\x1b[31mb\x07", "a\ufffd[31mb\ufffd"),
        ("gguf\u202egpj", "gguf\ufffdgpj"),
        ("a\u200bb\u2066c\u200f\ufeff", "a\ufffdb\ufffdc\ufffd\ufffd"),
        ("one\ntwo\rthree\u2028four\x85five\tsix\xa0seven", "one two three four five six seven"),
        ("", ""),
    ],
)
def test_a_foreign_text_is_one_line_without_tricks(text: str, shown: str) -> None:
    assert displayable(text) == shown
    assert displayable(text).isprintable()


def test_it_is_no_longer_than_can_be_read() -> None:
    assert len(displayable("x" * 10_000)) == MAX_DISPLAYED
    assert displayable("abcdef", 3) == "ab…"


HOSTILE = "\u202eevil\x1b]0;title\x07\r\nSecond: line\ud800"


def test_no_error_and_no_status_repeats_it_raw() -> None:
    error = ModelLoadFailed(f"the engine said {HOSTILE}", hint=f"try {HOSTILE}")
    status = EngineStatus("failed", model=HOSTILE, engine=HOSTILE, message=HOSTILE, hint=HOSTILE)
    shown = (error.message, error.hint, status.model, status.engine, status.message, status.hint)
    assert all(text and text.isprintable() for text in shown)
    assert EngineUnavailable("x").hint == EngineUnavailable.hint
