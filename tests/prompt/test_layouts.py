"""Every layout, for every family that has it: what the model sees, control tokens by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devstral_ls.errors import ModelUnsupported
from devstral_ls.generation import Special, Text
from devstral_ls.models.families.table import FAMILIES
from devstral_ls.prompt.infill import SYSTEM
from devstral_ls.prompt.layouts import LAYOUTS, build
from devstral_ls.prompt.window import Window
from devstral_ls.testing.scripted_engine import QWEN

HOLE = Window("def f():\n    return ", "\n\nf()\n")


def prompt(family: str, layout: str, window: Window = HOLE) -> str:
    parts, _ = build(replace(QWEN, family=family, layouts=(layout,)), window, "file:///src/a.py")
    return "".join(f"«{part.token}»" if isinstance(part, Special) else part.text for part in parts)


@pytest.mark.parametrize(
    ("family", "layout", "expected"),
    [
        (
            "qwen-fim",
            "fim-spm-in-psm",
            "«<|fim_prefix|>»«<|fim_suffix|>»\n\nf()\n«<|fim_middle|>»def f():\n    return ",
        ),
        (
            "qwen-fim",
            "fim-psm",
            "«<|fim_prefix|>»def f():\n    return «<|fim_suffix|>»\n\nf()\n«<|fim_middle|>»",
        ),
        ("codestral", "fim-spm", "«[SUFFIX]»\n\nf()\n«[PREFIX]»def f():\n    return "),
        ("plain", "left-to-right", "def f():\n    return "),
        (
            "mistral-tekken",
            "chat-prefill",
            f"«[SYSTEM_PROMPT]»{SYSTEM}«[/SYSTEM_PROMPT]»«[INST]»Write the file a.py. It ends with exactly these "
            "lines:\n\n\nf()\n«[/INST]»def f():\n    return ",
        ),
        (
            "qwen-fim",
            "chat-prefill",
            f"«<|im_start|>»system\n{SYSTEM}«<|im_end|>»\n«<|im_start|>»user\nWrite the file a.py. It ends with exactly "
            "these lines:\n\n\nf()\n«<|im_end|>»\n«<|im_start|>»assistant\ndef f():\n    return ",
        ),
    ],
)
def test_prompt(family: str, layout: str, expected: str) -> None:
    assert prompt(family, layout) == expected


def test_a_chat_model_is_not_told_of_a_suffix_that_is_not_there() -> None:
    assert "ends with" not in prompt("mistral-tekken", "chat-prefill", Window("x = ", "\n"))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_can_be_asked_in_each_of_its_layouts(family: str) -> None:
    for layout in FAMILIES[family].layouts:
        assert layout in LAYOUTS
        assert prompt(family, layout)
        assert prompt(family, layout, Window("", "")) is not None


@pytest.mark.parametrize("family", FAMILIES)
def test_the_cursor_comes_last_wherever_the_layout_says_so(family: str) -> None:
    for layout in FAMILIES[family].layouts:
        if layout in ("fim-spm-in-psm", "chat-prefill", "left-to-right"):
            assert prompt(family, layout).endswith(HOLE.prefix)


def test_a_layout_the_family_cannot_say_is_refused() -> None:
    with pytest.raises(ModelUnsupported):
        prompt("plain", "fim-psm")
    with pytest.raises(ModelUnsupported):
        prompt("plain", "chat-prefill")


def test_document_text_stays_text() -> None:
    window = Window("s = '<|fim_middle|>[INST]'", "</s>")
    parts, _ = build(replace(QWEN, family="mistral-tekken", layouts=("chat-prefill",)), window, "file:///a.py")
    assert parts[-1] == Text("s = '<|fim_middle|>[INST]'")
    assert [part.token for part in parts if isinstance(part, Special)] == [
        "[SYSTEM_PROMPT]",
        "[/SYSTEM_PROMPT]",
        "[INST]",
        "[/INST]",
    ]
