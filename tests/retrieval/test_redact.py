"""Secrets never reach a prompt; what only looks like one stays."""

from __future__ import annotations

import time

import pytest

from devstral_ls.retrieval.redact import redacted, redacted_around, redacted_document, redacted_part, secrets
from devstral_ls.text import Snapshot, Span
from tests.retrieval import ordinary_lines, secret_corpus, wider_secrets
from tests.retrieval.secret_formats import LOOK_ALIKES, SECRETS
from tests.retrieval.secret_makers import Case, leaks

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
        'password="' * 20_000,
        'password="' + "a\\" * 60_000,
        "token: " * 30_000,
        "key=value;" * 20_000,
        "mysql -p" + " -p" * 50_000,
        "auth('a', " * 20_000,
        "login a password " * 12_000,
        "https://a:" * 20_000,
        "name: password\nvalue: " * 9_000,
        'variable "password" { default ' * 6_000,
        "a:5432:b:c:" * 18_000,
        "sk-" + "a1" * 100_000,
        "eyJ" * 60_000,
        "-----BEGIN PRIVATE KEY-----\n" + ("Ab1/" * 16 + "\n") * 3_000,
        "A1b2" * 50_000,
        ("secret" + " " * 60) * 3_000,
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


# --- many secrets, many ordinary lines ---

KNOWN_MISSES = {
    "wider 48": "a word with digits and a sign as the second argument of a call that tells nothing",
    "wider 81": "the option -k of openssl",
    "wider 83": "the option -p of 7z",
    "wider 84": "user%password of smbclient",
    "wider 93": "prose in a comment",
    "wider 96": "a column of an INSERT",
    "wider 116": "a PIN",
}
"""Of the cases of all corpora those that are not recognized, and what they are."""

MAX_CHANGED = 0.01
"""The part of ordinary lines that may be changed."""


ALL = [*secret_corpus.CASES, *wider_secrets.WIDER]


def test_the_corpora_are_large_enough() -> None:
    assert len(secret_corpus.CASES) == len({one.name for one in secret_corpus.CASES}) == 200
    assert len({one.name.rstrip(" 12345") for one in secret_corpus.CASES}) == 40
    assert len(set(ordinary_lines.LINES)) >= 400
    assert len(ordinary_lines.BY_LANGUAGE) >= 11


@pytest.mark.parametrize("half", [secret_corpus.TUNED, secret_corpus.HELD_OUT], ids=["tuned", "held out"])
def test_at_least_95_percent_of_realistic_secrets_are_kept_in(half: list[Case]) -> None:
    missed = {one.name for one in half if leaks(one, redacted(one.text))}
    assert missed <= KNOWN_MISSES.keys()
    assert len(missed) <= 0.05 * len(half)


def test_what_is_not_recognized_is_listed() -> None:
    assert {one.name for one in ALL if leaks(one, redacted(one.text))} == KNOWN_MISSES.keys()


@pytest.mark.parametrize("half", [ordinary_lines.TUNED, ordinary_lines.HELD_OUT], ids=["tuned", "held out"])
def test_at_most_1_percent_of_ordinary_lines_are_changed(half: list[str]) -> None:
    changed = [line for line in half if redacted(line) != line]
    assert len(changed) <= MAX_CHANGED * len(half), changed


def test_a_secret_among_ordinary_lines_is_kept_in_and_they_stay() -> None:
    around = [line for line in ordinary_lines.TUNED if redacted(line) == line]
    for number, case in enumerate(ALL):
        if case.name in KNOWN_MISSES:
            continue
        above, below = "\n".join(around[number % 150 :][:8]), "\n".join(around[number % 130 :][:8])
        shown = redacted(f"{above}\n{case.text}\n{below}\n")
        assert not leaks(case, shown), case.name
        assert shown.startswith(f"{above}\n"), case.name
        assert shown.endswith(f"\n{below}\n"), case.name


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_every_offset_stays_and_a_second_time_changes_nothing(case: Case) -> None:
    text = case.text.replace("\n", "\r\n")
    shown = redacted(text)
    assert len(shown) == len(text)
    assert [at for at, char in enumerate(shown) if char in "\r\n"] == [
        at for at, char in enumerate(text) if char in "\r\n"
    ]
    assert redacted(shown) == shown


def test_a_secret_in_front_of_the_name_it_is_compared_with_is_taken_out() -> None:
    assert redacted(f'if ("{PASSWORD}" === user.password) {{') == f'if ("{"x" * len(PASSWORD)}" === user.password) {{'
    assert redacted('if ("required" == password) {') == 'if ("required" == password) {'


def test_letters_that_grow_in_lower_case_move_nothing() -> None:
    text = f"# İİİİ\nt = 1\n# İ\npassword = '{PASSWORD}'\n"
    assert redacted(text) == text.replace(PASSWORD, "x" * len(PASSWORD))


# --- redacted first, cut then ---

PRIVATE_KEY = "\n".join(
    ["-----BEGIN RSA PRIV" + "ATE KEY-----", *SECRETS["rsa"][1].split("\n") * 20, "-----END RSA PRIV" + "ATE KEY-----"]
)
LONG = [one for one in ALL if len(one.secret) >= 16 and one.name not in KNOWN_MISSES]


@pytest.mark.parametrize("case", LONG, ids=lambda case: case.name)
def test_a_piece_cut_through_a_secret_has_no_half_of_it(case: Case) -> None:
    text = f"x = 1\n{case.text}\ny = 2\n"
    middle = text.index(case.secret) + len(case.secret) // 2
    for piece in (Span(0, middle), Span(middle, len(text)), Span(middle - 4, middle + 4)):
        shown = redacted_part(text, piece)
        assert len(shown) == len(piece)
        assert not leaks(case, shown)


def test_a_piece_from_the_middle_of_a_private_key_shows_nothing_of_it() -> None:
    text = f"a = 1\nkey = '''\n{PRIVATE_KEY}\n'''\nb = 2\n"
    start = text.index(PRIVATE_KEY) + len(PRIVATE_KEY) // 2 + 7
    assert set(redacted_part(text, Span(start, start + 300))) == {"x", "\n"}


def test_a_piece_of_a_very_long_line_shows_no_half_of_a_key() -> None:
    case = next(one for one in secret_corpus.CASES if one.name == "json 2")
    text = ",".join(f'{{"id":{number},"token":"{case.secret}"}}' for number in range(3_000))
    for start in range(50_000, 50_100, 5):
        assert not leaks(case, redacted_part(text, Span(start, start + 400)))


def test_a_document_is_redacted_at_the_cursor_and_where_imports_are() -> None:
    line = "x = call(1, 2, 3)\n"
    text = f"import a  # '{GITHUB}'\n{line * 900}t = '{GITHUB}'\n{line}"
    snapshot = Snapshot("file:///a.py", 3, "python", text)
    offset = len(text) - 4
    shown = redacted_document(snapshot, [Span(offset - 800, len(text)), Span(0, 8)], offset)
    assert shown is not None
    assert shown.text == text.replace(GITHUB, "x" * len(GITHUB))
    assert (shown.version, shown.line_starts) == (3, snapshot.line_starts)


def test_a_document_without_secrets_stays_the_same_value() -> None:
    snapshot = Snapshot("file:///a.py", 1, "python", "token = tokens[0]\n")
    assert secrets(snapshot.text) == []
    assert redacted_document(snapshot, [Span(0, 18)], 18) is snapshot


def test_a_document_is_not_shown_with_the_cursor_in_a_secret() -> None:
    text = f"x = 1\nt = '{GITHUB}'\n"
    inside = text.index(GITHUB) + 20
    assert redacted_document(Snapshot("file:///a.py", 1, "python", text), [Span(0, 8)], inside) is None
