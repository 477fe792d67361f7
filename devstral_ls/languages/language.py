"""The columns of the table of languages: how a language writes comments, strings, blocks and imports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Grammar(NamedTuple):
    """Where a grammar wheel exports its language: ``module.function()`` returns the pointer that tree-sitter takes."""

    module: str
    function: str = "language"


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One row: a language by its LSP id, and how it writes comments, blocks and imports."""

    id: str
    """The LSP ``languageId``."""
    name: str
    """The name shown to the user."""
    aliases: tuple[str, ...] = ()
    """Other ``languageId`` values that mean this row."""
    extensions: tuple[str, ...] = ()
    """File name extensions in lower case, with the dot."""
    filenames: tuple[str, ...] = ()
    """Whole file names in lower case."""
    grammar: Grammar | None = None
    queries: str = ""
    """Its folder under ``queries/``; empty without a grammar."""
    line_comment: str | None = None
    block_comment: tuple[str, str] | None = None
    doc_comments: tuple[str, ...] = ()
    """The openings of comments that describe the definition after them."""
    quotes: str = "\"'"
    """The quotes of strings that end on their line."""
    long_quotes: tuple[str, ...] = ()
    """The quotes of strings that may hold line ends."""
    regexes: bool = False
    """True when slashes enclose a regular expression where an expression may begin."""
    offside: bool = False
    """True when indentation alone delimits blocks (the offside rule)."""
    block_openers: tuple[str, ...] = ("{",)
    """What a line that opens a block ends with."""
    opens: str = r"\{$"
    """A pattern found in every line that opens a block, comment and trailing space removed; empty: no line does."""
    closers: tuple[str, ...] = ("}", ")", "]")
    """What a line that ends or continues a block begins with."""
    items: tuple[str, ...] = ()
    """What lines of a block begin with that are indented no further than the line that opens it."""
    loose_brackets: bool = False
    """True when brackets need not match: in prose and mark-up, at the labels of a shell's ``case``."""
    import_calls: tuple[str, ...] = ()
    """Functions and commands whose calls are imports; for the query."""
    imports: str = ""
    """A pattern matched at the start of lines that begin an import or name the package; empty: no line does."""
