"""What is remembered, and what goes first."""

from __future__ import annotations

from devstral_ls.suggest.cache import Answer, SuggestionCache
from devstral_ls.text import Snapshot


def at(text: str) -> tuple[Snapshot, int]:
    return Snapshot("file:///a.py", 1, "python", text), len(text)


def test_looking_through_all_answers_uses_none_of_them() -> None:
    cache = SuggestionCache(max_entries=2)
    cache.put(*at("a = "), "", Answer("1", "one", 0))
    cache.put(*at("b = "), "", Answer("2", "two", 0))
    assert cache.find(*at("c = "), "") is None
    cache.put(*at("d = "), "", Answer("3", "three", 0))
    assert cache.find(*at("a = "), "") is None
    assert cache.find(*at("b = "), "") is not None


def test_an_answer_that_is_typed_through_is_used() -> None:
    cache = SuggestionCache(max_entries=2)
    cache.put(*at("a = "), "", Answer("1", "one", 0))
    cache.put(*at("b = "), "", Answer("2", "two", 0))
    found = cache.find(*at("a = o"), "")
    assert found is not None
    assert (found.answer.text, found.typed) == ("ne", 1)
    cache.put(*at("c = "), "", Answer("3", "three", 0))
    assert cache.find(*at("b = "), "") is None
    assert cache.find(*at("a = "), "") is not None
