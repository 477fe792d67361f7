"""What is remembered, and what goes first."""

from __future__ import annotations

from devstral_ls.suggest.cache import Answer, Recalled, SuggestionCache, cache_key
from devstral_ls.text import Snapshot


def put(cache: SuggestionCache, text: str, answer: Answer) -> None:
    cache.put(cache_key(Snapshot("file:///a.py", 1, "python", text), len(text), ""), len(text), answer)


def find(cache: SuggestionCache, text: str) -> Recalled | None:
    snapshot = Snapshot("file:///a.py", 1, "python", text)
    return cache.find(snapshot, len(text), cache_key(snapshot, len(text), ""))


def test_looking_through_all_answers_uses_none_of_them() -> None:
    cache = SuggestionCache(max_entries=2)
    put(cache, "a = ", Answer("1", "one", 0))
    put(cache, "b = ", Answer("2", "two", 0))
    assert find(cache, "c = ") is None
    put(cache, "d = ", Answer("3", "three", 0))
    assert find(cache, "a = ") is None
    assert find(cache, "b = ") is not None


def test_an_answer_that_is_typed_through_is_used() -> None:
    cache = SuggestionCache(max_entries=2)
    put(cache, "a = ", Answer("1", "one", 0))
    put(cache, "b = ", Answer("2", "two", 0))
    found = find(cache, "a = o")
    assert found is not None
    assert (found.answer.text, found.typed) == ("ne", 1)
    put(cache, "c = ", Answer("3", "three", 0))
    assert find(cache, "b = ") is None
    assert find(cache, "a = ") is not None
