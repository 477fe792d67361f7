"""The columns of the table of languages: how a language writes comments, strings, blocks and imports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Grammar(NamedTuple):
    """Where a grammar wheel keeps its language: ``module.function()`` is the pointer tree-sitter takes."""

    module: str
    function: str = "language"


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One row: a language as editors name it, and how it writes comments, blocks and imports."""

    id: str
    """The LSP ``languageId``."""
    name: str
    """For people."""
    aliases: tuple[str, ...] = ()
    """Other ``languageId`` values that mean this row."""
    extensions: tuple[str, ...] = ()
    """File name endings, lower case, with the dot."""
    filenames: tuple[str, ...] = ()
    """Whole file names, lower case."""
    grammar: Grammar | None = None
    queries: str = ""
    """The folder under ``queries/``; empty without a grammar."""
    line_comment: str | None = None
    block_comment: tuple[str, str] | None = None
    doc_comments: tuple[str, ...] = ()
    """How a comment begins that describes the definition after it."""
    quotes: str = "\"'"
    """Characters that begin and end a string on one line."""
    long_quotes: tuple[str, ...] = ()
    """What begins and ends a string that may hold line ends."""
    regexes: bool = False
    """Does a pattern stand between slashes where an expression may begin?"""
    offside: bool = False
    """Blocks are made by indentation alone."""
    block_openers: tuple[str, ...] = ("{",)
    """What a line ends with that opens a block."""
    opens: str = r"\{$"
    """A pattern, searched in a line without comment and trailing space: the line opens a block. Empty: none does."""
    closers: tuple[str, ...] = ("}", ")", "]")
    """What a line begins with that ends or continues a block."""
    items: tuple[str, ...] = ()
    """What a line of a block may begin with that stands no further right than the line that opens the block."""
    loose_brackets: bool = False
    """A bracket may stand alone: in prose and mark-up, at the labels of a shell's ``case``."""
    import_calls: tuple[str, ...] = ()
    """Functions and commands a call of which is an import; for the query."""
    imports: str = ""
    """A pattern, matched where a line begins: the line begins an import or names the package. Empty: none does."""
