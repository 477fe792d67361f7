"""Which addresses may be contacted, the key that is sent, the certificates that are trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstral_ls.engine.daemon.backends.remote.guards import checked_address, key_of, trust
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.errors import SettingsError
from devstral_ls.platform.offline import OFFLINE

KEY = "sk-very-secret-4711"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.9.9.9:1/", "http://127.9.9.9:1"),
        ("http://localhost:11434/v1/", "http://localhost:11434"),
        ("http://[::1]:8080/v1", "http://[::1]:8080"),
        ("https://localhost/models/v1", "https://localhost/models"),
        ("unix:/run/engine.sock", "unix:/run/engine.sock"),
        ("unix:///run/engine.sock", "unix:/run/engine.sock"),
    ],
)
def test_this_machine_is_always_allowed(url: str, address: str) -> None:
    assert checked_address(url, allow_remote=False, environ={OFFLINE: "1"}) == address


@pytest.mark.parametrize(
    ("url", "allowed", "offline", "says"),
    [
        (None, True, "", "not set"),
        ("", True, "", "not set"),
        ("ftp://127.0.0.1", True, "", "not the address"),
        ("127.0.0.1:8080", True, "", "not the address"),
        ("http://", True, "", "not the address"),
        ("http://[::1", True, "", "not the address"),
        ("http://127.0.0.1:port", True, "", "not the address"),
        (f"https://me:{KEY}@127.0.0.1", True, "", "more than an address"),
        (f"https://127.0.0.1/?key={KEY}", True, "", "more than an address"),
        ("https://models.example.com", False, "", "another machine"),
        ("https://10.0.0.5:8000", False, "", "another machine"),
        ("https://0.0.0.0", False, "", "another machine"),
        ("https://2130706433", False, "", "another machine"),  # 127.0.0.1 in disguise: not believed
        ("https://127.1", False, "", "another machine"),
        ("https://localhost.example.com", False, "", "another machine"),
        ("https://127.0.0.1.example.com", False, "", "another machine"),
        ("http://models.example.com", True, "", "clear text"),
        ("https://models.example.com", True, "1", OFFLINE),
    ],
)
def test_what_is_refused_says_why_and_what_to_do(url: str | None, allowed: bool, offline: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        checked_address(url, allow_remote=allowed, environ={OFFLINE: offline})
    assert caught.value.hint
    assert KEY not in caught.value.message + caught.value.hint


def test_another_machine_by_https_where_it_is_allowed() -> None:
    assert checked_address("https://m.example.com/v1", allow_remote=True, environ={}) == "https://m.example.com"


def test_a_key_is_read_from_the_variable_and_shown_nowhere() -> None:
    assert key_of(None, {}) == ""
    assert key_of("MY_KEY", {"MY_KEY": f" {KEY}\n"}) == KEY
    assert KEY not in repr(Endpoint("https://m", KEY))


@pytest.mark.parametrize("value", [None, "", f"{KEY}\n\nX: 1", f"{KEY}é"])
def test_a_key_that_cannot_be_used_is_not_shown_either(value: str | None) -> None:
    with pytest.raises(SettingsError, match="MY_KEY") as caught:
        key_of("MY_KEY", {} if value is None else {"MY_KEY": value})
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_used(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match="caFile"):
        trust(Endpoint("https://m", "", str(path)))


def test_without_tls_there_is_nothing_to_trust_and_with_it_always_something() -> None:
    assert trust(Endpoint("http://127.0.0.1:1", "")) is None
    context = trust(Endpoint("https://m", ""))
    assert context is not None
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"
