"""Loads tree-sitter grammars, each with the query that finds its scopes."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

import tree_sitter

from devstral_ls.errors import LanguageError
from devstral_ls.languages.language import Language

CAPTURES = frozenset(
    {"function", "class", "name", "open", "body", "import", "comment", "string", "interpolation"},
)
"""Every capture a query may have; ``queries/README.md`` says what each means."""


@dataclass(frozen=True, slots=True)
class LoadedGrammar:
    """A grammar with the query that finds its scopes."""

    language: tree_sitter.Language
    query: tree_sitter.Query
    kinds: frozenset[str]
    """The node types that patterns begin with: at any other node the query need not be run."""
    import_kinds: frozenset[str]
    """Those of the patterns with ``@import``."""


def grammar(language: Language) -> tree_sitter.Language | None:
    """The grammar of ``language``; ``None`` when it has none or it cannot be used."""
    loaded = loaded_grammar(language)
    return None if loaded is None else loaded.language


@cache
def loaded_grammar(language: Language) -> LoadedGrammar | None:
    """Grammar and query of ``language``, loaded at the first call; ``None`` as for ``grammar``."""
    if language.grammar is None:
        return None
    try:
        return load_grammar(language)
    except LanguageError:
        return None


def load_grammar(language: Language) -> LoadedGrammar:
    """Grammar and query of ``language``, not cached.

    Raises:
        LanguageError: the row has no grammar, its wheel is not installed or too new, or the query does not fit it.
    """
    if language.grammar is None:
        raise LanguageError(f"{language.name} has no grammar")
    try:
        module = importlib.import_module(language.grammar.module)
        tree_sitter_language = tree_sitter.Language(getattr(module, language.grammar.function)())
    except (ImportError, AttributeError, ValueError) as error:
        raise LanguageError(f"the grammar of {language.name} cannot be loaded: {error}") from error
    try:
        text = scopes_query(language)
        query = tree_sitter.Query(tree_sitter_language, text)
    except (OSError, ValueError) as error:
        raise LanguageError(f"queries/{language.queries}/scopes.scm cannot be used: {error}") from error
    patterns = [_pattern_text(query, text, number) for number in range(query.pattern_count)]
    imports = [pattern for pattern in patterns if "@import" in pattern]
    return LoadedGrammar(tree_sitter_language, query, _first_kinds(patterns), _first_kinds(imports))


def _pattern_text(query: tree_sitter.Query, text: str, number: int) -> str:
    return text.encode()[query.start_byte_for_pattern(number) : query.end_byte_for_pattern(number)].decode()


def _first_kinds(patterns: list[str]) -> frozenset[str]:
    """The node types that patterns begin with: ``(a ...)`` or ``[(a) (b)]``."""
    first_kinds: set[str] = set()
    for pattern in patterns:
        kinds = re.findall(r"\((\w+)", re.sub(r";.*", "", pattern))
        first_kinds.update(kinds if pattern.lstrip().startswith("[") else kinds[:1])
    return frozenset(first_kinds)


def scopes_query(language: Language) -> str:
    """The text of the row's ``scopes.scm``."""
    folder = resources.files("devstral_ls.languages") / "queries" / language.queries
    return (folder / "scopes.scm").read_text(encoding="utf-8")
