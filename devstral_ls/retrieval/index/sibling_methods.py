"""Finds definitions similar to the one around the cursor in other files of its package: the same method of another class,
or a class that shares a name in its header.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from devstral_ls.code_context import Definition, EnclosingDefinition
from devstral_ls.languages.table import language_of
from devstral_ls.retrieval.index.library import Library
from devstral_ls.retrieval.index.lookup import MAX_ALIKE, is_test_file
from devstral_ls.retrieval.index.names import NameTable

MAX_FILES = 24
"""Files read for one query; each may have to be parsed."""

MAX_FOUND = 2
"""The first is an example, the second shows what varies."""

MAX_LINES, MAX_CHARACTERS = 24, 700
"""Of one definition; the rest of a longer one is not a useful example."""

_WORD = re.compile(r"[^\W\d]\w*")

_KEYWORDS = frozenset(
    [
        "abstract",
        "class",
        "data",
        "enum",
        "export",
        "extends",
        "final",
        "fn",
        "for",
        "fun",
        "impl",
        "implements",
        "interface",
        "internal",
        "object",
        "open",
        "private",
        "protected",
        "pub",
        "public",
        "sealed",
        "static",
        "struct",
        "template",
        "trait",
        "type",
        "typename",
        "where",
        "default",
        "metaclass",
        "str",
        "int",
    ]
)
"""Words in headers that are not names."""


def sibling_definitions(
    library: Library, names: NameTable, path: str, like: EnclosingDefinition
) -> Iterator[tuple[str, str]]:
    """Path and text of definitions similar to ``like``, files with a similar name first.

    For a method they are the methods of the same name, of classes that share a name in the header if that of ``like``
    has any; for a class they are the signatures of classes that share a name.
    """
    shared = _names(like.header) - {like.container}
    files = _files(library, names, path, like.name)
    if not shared and len(files) > MAX_ALIKE:
        return
    n_siblings = 0
    for file in files:
        text = _in_file(library, file, like, shared)
        if text:
            yield file, text
            n_siblings += 1
        if n_siblings == MAX_FOUND:
            return


def _files(library: Library, names: NameTable, path: str, name: str) -> list[str]:
    """The files in the folder of ``path`` that define ``name``; for an empty name all of its language."""
    folder, language = os.path.dirname(path), language_of("", path)
    if name:
        candidates = [file for file in names.files_with(name, 200) if os.path.dirname(file) == folder]
    else:
        candidates = list(library.files_in(folder, language))
    same_kind = [
        file
        for file in set(candidates) - {path}
        if language_of("", file).queries == language.queries and is_test_file(file) == is_test_file(path)
    ]
    return sorted(same_kind, key=lambda file: (-_shared_words(file, path), file))[:MAX_FILES]


def _in_file(library: Library, file: str, like: EnclosingDefinition, shared: set[str]) -> str:
    definitions = library.outline(file).definitions
    classes = {
        definition.name: definition
        for definition in definitions
        if definition.kind == "class" and (not shared or shared & (_names(_header(definition)) - {definition.name}))
    }
    if not like.name:
        return next((class_.signature for class_ in classes.values() if shared), "")
    for definition in definitions:
        is_same_method = definition.name == like.name and definition.kind == "function"
        if is_same_method and definition.container in classes:
            return _text(library, definition, _header(classes[definition.container]))
    return ""


def _text(library: Library, method: Definition, header: str) -> str:
    text = library.lines(method.path, method.line, min(method.n_lines, MAX_LINES))
    if len(text) > MAX_CHARACTERS:
        text = text[: text.rfind("\n", 0, MAX_CHARACTERS) + 1].rstrip()
    return text and f"{header}\n{text}"


def _header(definition: Definition) -> str:
    """The line with the name of the class, which decorators may precede."""
    lines = definition.signature.split("\n")
    named = (line for line in lines if re.search(rf"\b{re.escape(definition.name)}\b", line))
    return next(named, lines[0]).removesuffix(" ...")


def _names(header: str) -> set[str]:
    return set(_WORD.findall(header)) - _KEYWORDS


def _shared_words(first: str, second: str) -> int:
    """The number of words that two file names share."""
    words = (set(re.findall(r"[a-z]+", os.path.basename(path).lower())) for path in (first, second))
    return len(set.intersection(*words))
