"""The definitions of a whole document or file as values, for outlines, checks and signatures.

``document_symbols`` and the functions beside it walk a whole tree, which is for requests of the user and not for every
key. ``file_outline`` parses a file of the workspace for the index.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Literal

import tree_sitter

from devstral_ls.code_context import Definition, Kind
from devstral_ls.languages.grammars import loaded_grammar
from devstral_ls.languages.language import Language
from devstral_ls.languages.scopes.definitions import DefinitionNode, definitions_at, file_definitions, import_nodes
from devstral_ls.languages.scopes.tree import decorators_start, statement_start
from devstral_ls.languages.syntax.parsing import parse_bytes
from devstral_ls.languages.syntax.traversal import nodes
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.text import Span

MAX_DEFINITIONS = 2_000
"""Of one text; further ones are left out."""

MIN_STATEMENTS = 2
"""A body with fewer cannot be split."""

MAX_NODES = 30_000
"""Nodes of one file that are visited: about 10,000 lines of ordinary code, at some 2 microseconds a node."""

MAX_SIGNATURE, MAX_DOC = 300, 160
"""Characters of a signature, and of the first line of a description; longer ones are cut at the end of a word."""

MAX_IMPORT = 4_000
"""Characters of one import statement; a longer one is cut."""

MAX_CLASS = 1_200
"""Characters of a class's signature with its members."""

_WHOLE_CLASS = 400
"""A class of up to so many bytes without functions, such as a record or an enum, is its own signature."""

_DECORATORS = 200
"""Bytes of decorators that are shown with a definition."""

_BODY = re.compile(r"block|body|module|program|source_file|compound_statement|statement_list|declaration_list|_unit$")
"""What the grammars call a node whose children are statements or definitions."""

_VALUES: Mapping[str, Mapping[str, str]] = {
    "python": {"assignment": "left"},
    "javascript": {"variable_declarator": "name"},
    "typescript": {
        "variable_declarator": "name",
        "type_alias_declaration": "name",
        "function_signature": "name",
        "method_signature": "name",
        "abstract_method_signature": "name",
        "property_signature": "name",
        "public_field_definition": "name",
    },
    "go": {"type_spec": "name", "type_alias": "name", "const_spec": "name", "var_spec": "name"},
    "rust": {
        "type_item": "name",
        "const_item": "name",
        "static_item": "name",
        "function_signature_item": "name",
        "macro_definition": "name",
    },
    "java": {"variable_declarator": "name"},
    "c": {"preproc_def": "name", "preproc_function_def": "name", "type_definition": "declarator"},
    "cpp": {"preproc_def": "name", "preproc_function_def": "name", "type_definition": "declarator"},
    "csharp": {"property_declaration": "name"},
    "ruby": {"assignment": "left"},
    "php": {"const_element": "name"},
}
"""By queries folder: the types of nodes that name something which is neither function nor class, and the field with its
name.
"""

_NAME = re.compile(rb"[^\W\d][\w$]*\Z")


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition in an open document."""

    kind: Literal["function", "class"]
    name: str
    """Empty for an anonymous one."""
    span: Span
    """From the first line of its code, decorators included, to its end."""
    depth: int
    """The number of definitions around it."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a file defines and imports."""

    definitions: tuple[Definition, ...] = ()
    """In document order; without those inside functions."""
    imports: tuple[str, ...] = ()
    """The import statements, whole."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A definition of a file on its way to ``Definition``; offsets in bytes."""

    name: str
    kind: Kind
    start: int
    end: int
    header: tuple[int, int]


def document_symbols(syntax: Syntax) -> tuple[Symbol, ...]:
    """All definitions of the document in document order, outer before inner; ``MAX_DEFINITIONS`` at most."""
    definitions: dict[tuple[bool, int], DefinitionNode] = {}
    for node in nodes(syntax.tree.root_node):
        if node.type in syntax.grammar.kinds:
            definitions_at(node, syntax.grammar, definitions)
        if len(definitions) >= MAX_DEFINITIONS:
            break
    symbols: list[Symbol] = []
    open_ends: list[int] = []
    for definition in sorted(definitions.values(), key=lambda node: (node.outer.start_byte, -node.outer.end_byte)):
        while open_ends and open_ends[-1] <= definition.outer.start_byte:
            open_ends.pop()
        symbols.append(_symbol(syntax, definition, len(open_ends)))
        open_ends.append(definition.outer.end_byte)
    return tuple(symbols)


def identifiers_in(syntax: Syntax, span: Span) -> frozenset[str]:
    """The identifiers that begin in ``span``, by the tree."""
    leaves = (node for node in nodes(syntax.tree.root_node) if node.child_count == 0 and "identifier" in node.type)
    return frozenset(
        _decoded(syntax.data, node.start_byte, node.end_byte)
        for node in leaves
        if span.start <= syntax.offsets.to_char(node.start_byte) < span.end
    )


def statement_spans(syntax: Syntax, span: Span) -> tuple[Span, ...]:
    """The statements of the outermost body in ``span`` whose statements all begin on lines of their own; else nothing."""
    start, end = syntax.offsets.to_byte(span.start), syntax.offsets.to_byte(span.end)
    for node in nodes(syntax.tree.root_node):
        if node.end_byte <= start or node.start_byte >= end or node.named_child_count < MIN_STATEMENTS:
            continue
        if not _BODY.search(node.type):
            continue
        children = [child for child in node.named_children if child.start_byte >= start and child.end_byte <= end]
        is_apart = all(not _before_on_line(syntax.data, child.start_byte).strip() for child in children)
        if len(children) >= MIN_STATEMENTS and is_apart:
            return tuple(syntax.span(child.start_byte, child.end_byte) for child in children)
    return ()


def file_outline(language: Language, data: bytes, path: str, seconds: float) -> Outline:
    """What ``data``, UTF-8 text of the file at ``path``, defines and imports.

    Empty without a grammar, and where parsing takes longer than ``seconds``. Never raises.
    """
    grammar = loaded_grammar(language)
    tree = parse_bytes(grammar.language, data, None, seconds) if grammar else None
    if grammar is None or tree is None:
        return Outline()
    values = _VALUES.get(language.queries, {})
    captured = file_definitions(tree, grammar, values, MAX_NODES)
    entries = [entry for node in captured.definitions if (entry := _definition_entry(node, data))]
    starts = {entry.start for entry in entries}
    value_entries = (_value_entry(node, values[node.type], data) for node in captured.values)
    entries += [entry for entry in value_entries if entry is not None and entry.start not in starts]
    entries.sort(key=lambda entry: (entry.start, -entry.end))
    calls = [call.encode() for call in language.import_calls]
    statements = sorted((node.start_byte, node.end_byte) for node in import_nodes(tree, grammar, data, calls))
    texts = (_stripped(data, start, min(end, start + MAX_IMPORT)) for start, end in statements)
    return Outline(_with_containers(entries[:MAX_DEFINITIONS], language, data, path), tuple(texts))


def _symbol(syntax: Syntax, definition: DefinitionNode, depth: int) -> Symbol:
    data, name = syntax.data, definition.name
    first = min(statement_start(data, definition.inner.start_byte), definition.outer.start_byte)
    text = "" if name is None else _decoded(data, name.start_byte, name.end_byte)
    return Symbol(definition.kind, text, syntax.span(decorators_start(data, first), definition.outer.end_byte), depth)


def _definition_entry(definition: DefinitionNode, data: bytes) -> _Entry | None:
    if definition.name is None:
        return None
    inner, outer = definition.inner.start_byte, definition.outer.start_byte
    start = _line_start(data, outer if inner - outer <= _DECORATORS else inner)
    name = _decoded(data, definition.name.start_byte, definition.name.end_byte)
    return _Entry(name, definition.kind, start, definition.outer.end_byte, (start, definition.header_end(data)))


def _value_entry(node: tree_sitter.Node, field: str, data: bytes) -> _Entry | None:
    name = node.child_by_field_name(field)
    if name is None or name.end_byte - name.start_byte > 100:
        return None
    text = data[name.start_byte : name.end_byte]
    if not _NAME.match(text):
        return None
    start = _line_start(data, node.start_byte)
    line_end = data.find(b"\n", node.start_byte, node.end_byte)
    end = node.end_byte if line_end < 0 else line_end
    return _Entry(text.decode("utf-8", "replace"), "value", start, node.end_byte, (start, end))


def _with_containers(entries: list[_Entry], language: Language, data: bytes, path: str) -> tuple[Definition, ...]:
    definitions: list[Definition] = []
    open_entries: list[_Entry] = []
    row, counted = 0, 0
    for number, entry in enumerate(entries):
        while open_entries and open_entries[-1].end <= entry.start:
            open_entries.pop()
        row, counted = row + data.count(b"\n", counted, entry.start), max(entry.start, counted)
        outer = open_entries[-1] if open_entries else None
        members: list[_Entry] = []
        if entry.kind == "class":
            members = list(takewhile(lambda inner, end=entry.end: inner.start < end, islice(entries, number + 1, None)))  # type: ignore[misc]
            open_entries.append(entry)
        signature, doc = _signature(entry, members, data), _doc(entry, language, data)
        n_lines = data.count(b"\n", entry.start, entry.end) + 1
        container = outer.name if outer else ""
        definitions.append(Definition(entry.name, entry.kind, signature, doc, path, row, container, n_lines))
    return tuple(definitions)


def _signature(entry: _Entry, members: Sequence[_Entry], data: bytes) -> str:
    header = _cut(_stripped(data, *entry.header), MAX_SIGNATURE)
    if entry.kind != "class":
        return header if entry.kind == "value" else _elided(header)
    if entry.end - entry.start <= _WHOLE_CLASS and not any(member.kind == "function" for member in members):
        return _stripped(data, entry.start, entry.end)
    lines, room = [header], MAX_CLASS - len(header)
    for member in members:
        text = "    " + " ".join(_cut(_stripped(data, *member.header), MAX_SIGNATURE).split())
        text = text if member.kind == "value" else _elided(text)
        room -= len(text) + 1
        if room < 0:
            break
        lines.append(text)
    return "\n".join(lines)


def _elided(header: str) -> str:
    """A header with an ellipsis for its body."""
    return f"{header} ... }}" if header.endswith("{") else f"{header} ..." if header.endswith(":") else header


def _doc(entry: _Entry, language: Language, data: bytes) -> str:
    """The first line of the description: of the docstring in an offside language, else of the comment above."""
    if language.offside and entry.kind != "value":
        body = data[entry.header[1] : entry.header[1] + 400].lstrip()
        match = re.match(rb'[rRuU]?("""|\'\'\'|")\s*([^\n"\']{1,400})', body)
        return _cut(match[2].decode("utf-8", "replace").strip(), MAX_DOC) if match else ""
    above = data[max(0, entry.start - 1_000) : entry.start].decode("utf-8", "replace").rstrip().split("\n")
    block: list[str] = []
    marks = tuple(mark for mark in (*language.doc_comments, language.line_comment, "*", "@", "#[") if mark)
    for line in reversed(above):
        if not line.strip().startswith(marks):
            break
        block.append(line.strip())
    words = [line.strip("/*#!- \t") for line in reversed(block) if not line.startswith(("@", "#["))]
    return _cut(next((line for line in words if line), ""), MAX_DOC)


def _cut(text: str, limit: int) -> str:
    """``text`` to the end of its last word within ``limit`` characters: nothing recognizes half a token as a secret."""
    return text if len(text) <= limit else re.sub(r"\S*\Z", "", text[: limit + 1]).rstrip()


def _line_start(data: bytes, at: int) -> int:
    """The first word of the line, so that ``export`` and ``pub`` are included; ``at`` where other code precedes it."""
    start = data.rfind(b"\n", max(0, at - 200), at) + 1
    before = data[start:at]
    if start == 0 and at > 200:
        return at
    if re.search(rb"[^\w\s@():,*&<>]", before):
        return at
    return start + len(before) - len(before.lstrip())


def _before_on_line(data: bytes, at: int) -> bytes:
    return data[data.rfind(b"\n", 0, at) + 1 : at]


def _decoded(data: bytes, start: int, end: int) -> str:
    return data[start:end].decode("utf-8", "replace")


def _stripped(data: bytes, start: int, end: int) -> str:
    return _decoded(data, start, end).rstrip()
