"""How an answer comes to begin with what it must, however it is cut into pieces."""

from __future__ import annotations

import pytest

from devstral_ls.engine.daemon.answer_prefix import AnswerPrefix, EchoedPrefix, PromptPrefix


def read(lead: AnswerPrefix, text: str, n_characters: int) -> str:
    said = ""
    for at in range(0, len(text), n_characters):
        said += lead.feed(text[at : at + n_characters])
        if lead.closed:
            return said
    return said + lead.rest()


@pytest.mark.parametrize("n_characters", [1, 3, 1000])
@pytest.mark.parametrize(
    ("wanted", "says", "middle"),
    [
        ("x = ", "x = 1", "1"),
        ("    return ", "    return a + b\n", "a + b\n"),
        ("    return ", "return a + b", "a + b"),  # the indentation is missing
        ("def f():\n    ", "def f():\n    return 1", "return 1"),
        ("def f():\n    ", "def f():\n\treturn 1", "return 1"),  # other white space
        ("x = ", "```python\nx = 1\n```\nThat is it.", "1\n"),
        ("x = ", "\n```\nx = 1\ny = 2\n```", "1\ny = 2\n"),
        ("x = ", "1", "1"),  # nothing repeated: only what was missing
        ("x = foo(", "y)", "y)"),
        ("x = foo(", "x = foo(y)", "y)"),
        ("x = ", "x", ""),  # broken off inside the repeated line
        ("x = ", "", ""),
        ("", "import os", "import os"),
        ("s = ", "s = '```'\n", "'```'\n"),
        ("s = ", "```\ns = '```'\n``\n```", "'```'\n``\n"),
        ("# ", "# a\n```\nb", "a\n```\nb"),  # no fence was opened
    ],
)
def test_what_is_repeated_is_found(wanted: str, says: str, middle: str, n_characters: int) -> None:
    assert read(EchoedPrefix(wanted), says, n_characters) == wanted + middle


@pytest.mark.parametrize(("wanted", "says"), [("ret", "urn 1"), ("", "x"), ("ret", "")])
def test_what_stands_in_the_prompt_is_put_in_front(wanted: str, says: str) -> None:
    assert read(PromptPrefix(wanted), says, 2) == wanted + says


def test_an_answer_that_never_begins_is_not_kept_for_ever() -> None:
    lead = EchoedPrefix("x = ")
    assert any(lead.feed("`" * 10) for _ in range(100))
