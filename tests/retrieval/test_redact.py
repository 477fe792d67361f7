"""Secrets never reach a prompt; what only looks like one stays."""

from __future__ import annotations

import time

import pytest

from devstral_ls.retrieval.redact import redacted, redacted_around
from tests.retrieval.secret_formats import LOOK_ALIKES, SECRETS

MAX_WRONG = 0.02
"""The part of the look-alikes that may be taken for secrets."""


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_taken_out_and_the_code_keeps_its_shape(name: str) -> None:
    code, secret = SECRETS[name]
    text = f"def f():\n    {code.replace('{}', secret)}\n    return 1\n"
    without = redacted(text)
    for line in secret.split("\n"):
        assert len(line) < 5 or line not in without
        assert len(line) < 24 or line[-16:] not in without
    assert len(without) == len(text)
    assert [i for i, c in enumerate(without) if c == "\n"] == [i for i, c in enumerate(text) if c == "\n"]
    assert without.startswith("def f():\n    ")
    assert without.endswith("\n    return 1\n")


def test_there_are_enough_of_both() -> None:
    assert len(SECRETS) >= 60
    assert len(set(LOOK_ALIKES)) >= 200


def test_what_only_looks_like_a_secret_stays() -> None:
    wrong = [text for text in LOOK_ALIKES if redacted(text) != text]
    assert len(wrong) <= MAX_WRONG * len(LOOK_ALIKES), wrong


def test_nothing_of_ordinary_code_changes() -> None:
    text = "class Token:\n    kind: str\n\ndef key(token: Token) -> str:\n    return token.kind\n"
    assert redacted(text) == text


@pytest.mark.parametrize("name", SECRETS)
def test_taking_out_twice_changes_nothing(name: str) -> None:
    code, secret = SECRETS[name]
    once = redacted(code.replace("{}", secret))
    assert redacted(once) == once


GITHUB = SECRETS["github"][1]
PASSWORD = SECRETS["password"][1]


@pytest.mark.parametrize(
    "code",
    [
        f"t = '{GITHUB}▮'",  # at its end
        f"t = '{GITHUB[:20]}▮{GITHUB[20:]}'",  # inside
        f"t = '{GITHUB[:12]}▮",  # its beginning, typed a moment ago
        f"db_password = '{PASSWORD}▮'",
    ],
)
def test_nothing_is_asked_in_a_secret(code: str) -> None:
    assert redacted_around(*code.split("▮")) is None


def test_a_secret_elsewhere_leaves_the_text_at_the_cursor() -> None:
    before, after = redacted_around(f"t = '{GITHUB}'\nclient = ", f"\nu = '{GITHUB}'\n") or ("", "")
    assert before == f"t = '{'x' * len(GITHUB)}'\nclient = "
    assert after == f"\nu = '{'x' * len(GITHUB)}'\n"


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000,
        "password" * 20_000,
        "-----BEGIN PRIVATE KEY-----" * 5_000,
        "x://" * 40_000,
        "_" * 100_000,
        "='" * 90_000,
    ],
)
def test_hostile_text_takes_bounded_time(text: str) -> None:
    start = time.monotonic()
    redacted(text)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("name", ["pem", "openssh"])
@pytest.mark.parametrize("n_lines", [1, 3])
def test_the_end_of_a_private_key_is_taken_out_where_its_beginning_was_cut_off(name: str, n_lines: int) -> None:
    end = "-----END RSA PRIVATE KEY-----" if name == "pem" else "-----END OPENSSH PRIVATE KEY-----"
    line = "MIIEpAIBAAKCAQEA7Vw3bN0Zy5kq0rQ8h1dXfKcQm2uYpTzLsG4WjRvE9oHnB6aC"
    text = f"{line}\n" * n_lines + f"{end}\n\nclient = 1\n"
    assert redacted(text) == ("x" * len(line) + "\n") * n_lines + f"{end}\n\nclient = 1\n"
    assert redacted("def f():\n    return 1\n" + text).startswith("def f():\n    return 1\nxxxx")
