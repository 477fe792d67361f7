"""What the model wrote, with the cursor it was written for: the value the post-processing steps pass on."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property

from devstral_ls.languages.language import Language
from devstral_ls.languages.lexing import BracketScan, open_string, scan_brackets
from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.languages.scopes.lines import MAX_LINE_CHARS
from devstral_ls.languages.scopes.tree import literal_end
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.text import Snapshot, unix_newlines

_N_LINES = 200
"""Lines above and below that count for brackets; what is compared with an answer are the nearest."""


_INTERPOLATION = re.compile(r"\{|\$\(|\\\(")
"""How code begins in a string: ``{`` of Python and C#, ``${``, ``#{``, the shell's ``$(``, Swift's ``\\(``."""


@dataclass(frozen=True)
class CursorContext:
    """The cursor's surroundings, cut small."""

    line_before: str
    """The cursor's line up to the cursor; of an overlong one, the end of that."""
    line_after: str
    """The cursor's line from the cursor on, without the line end; of an overlong one, the beginning of that."""
    lines_above: tuple[str, ...]
    """The lines before the cursor's, nearest last."""
    lines_below: tuple[str, ...]
    """The lines after the cursor's, nearest first."""
    multiline: bool
    """True when the suggestion may have several lines."""
    language: Language
    in_comment: bool = False
    in_string: bool = False
    fills_gap: bool = False
    """True when the suggestion may have several lines that end on the cursor's line again, before ``line_after``."""
    follows_accepted: bool = False
    """True when a suggestion has just finished the line: the next line may be suggested, beginning with the line end."""
    invoked: bool = False
    """True for a manual request."""
    removed: str = ""
    """What was just deleted here."""
    n_inside: int = 0
    """The first of ``lines_above`` that lie in a comment or string which begins further up."""

    @cached_property
    def next_line(self) -> str:
        """The first line below that is not blank; empty where there is none."""
        return next((line for line in self.lines_below if line.strip()), "")

    @cached_property
    def _code_above(self) -> str:
        return "\n".join([*self.lines_above[self.n_inside :], self.line_before])

    @cached_property
    def _string(self) -> tuple[str, str]:
        """The quote of the string that is open at the cursor, and its text so far; empty outside of strings."""
        above = self._code_above
        for quote in self.language.long_quotes:
            if self.in_string and above.count(quote) % 2:
                return quote, above[above.rindex(quote) + len(quote) :]
        quote, start = open_string(self.line_before, self.language)
        return (quote, self.line_before[start:]) if quote else ("", "")

    @cached_property
    def _interpolated(self) -> str:
        """The closers due of code that is interpolated into the string at the cursor; empty where there is none."""
        quote, text = self._string
        return scan_brackets(text, self.language).due if quote and _INTERPOLATION.search(text) else ""

    @property
    def quote(self) -> str:
        """The quote of the string whose text the cursor is in; empty in code, also in code inside a string."""
        return self._string[0] if self.in_string and not self._interpolated else ""

    @property
    def outer(self) -> str:
        """The quote of the string into which the code at the cursor is interpolated; empty elsewhere."""
        return self._string[0] if self._interpolated and not self.in_comment else ""

    def scan(self, text: str) -> BracketScan:
        """What ``text``, written or standing at the cursor, leaves open or closes."""
        return scan_brackets(text, self.language, self.quote, self.outer)

    @cached_property
    def before(self) -> BracketScan:
        """What is open at the cursor; of a string around it, only the code that is interpolated there."""
        code = self._code_above
        quote = self.quote or self.outer
        if not quote:
            return scan_brackets(code, self.language)
        around = scan_brackets(code[: len(code) - len(self._string[1]) - len(quote)], self.language)
        return BracketScan(around.closing, self._interpolated + around.due)

    @cached_property
    def missing(self) -> str:
        """The closers that are due at the cursor and that no line below gives, innermost first."""
        if not self.before.due:  # of most cursors in Python: the lines below are not looked at
            return ""
        below = self.scan("\n".join([self.line_after, *self.lines_below]))
        n_given = sum(c in self.before.due for _, c in below.closing)
        return self.before.due[: max(0, len(self.before.due) - n_given)]


def cursor_context_at(
    snapshot: Snapshot,
    offset: int,
    scope: CursorScope,
    language: Language,
    *,
    multiline: bool,
    syntax: Syntax | None = None,
) -> CursorContext:
    """The surroundings of ``offset``. ``syntax`` is the tree of ``snapshot``, if there is one."""
    line = snapshot.line_at(offset)
    span = snapshot.line_span(line)
    starts = [*snapshot.line_starts[max(0, line - _N_LINES) : line + 2 + _N_LINES], len(snapshot.text)]
    here = min(line, _N_LINES)
    code = literal_end(syntax, starts[0])
    return CursorContext(
        line_before=snapshot.text[max(span.start, offset - MAX_LINE_CHARS) : min(offset, span.end)],
        line_after=snapshot.text[offset : min(span.end, offset + MAX_LINE_CHARS)],
        lines_above=_lines(snapshot.text[starts[0] : starts[here]]),
        lines_below=_lines(snapshot.text[starts[here + 1] : starts[min(here + 1 + _N_LINES, len(starts) - 1)]]),
        multiline=multiline,
        language=language,
        in_comment=scope.in_comment,
        in_string=scope.in_string,
        n_inside=snapshot.line_at(code) + 1 - max(0, line - _N_LINES) if starts[0] < code < offset else 0,
    )


def _lines(text: str) -> tuple[str, ...]:
    """The whole lines of ``text``, which begins with one; cheaper for many than to ask for each."""
    lines = unix_newlines(text).split("\n")
    return tuple(lines if lines[-1] else lines[:-1])


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer on its way to a suggestion."""

    text: str
    place: CursorContext
    complete: bool = True
    """True when the answer ended by itself, or where we stopped on purpose; else its last line may be half a line."""
    unsure: bool = False
    """True when it was cut because the model was not sure of what came next."""
    n_replaced: int = 0
    """Characters of ``place.line_after`` that the text takes the place of."""

    def with_text(self, text: str) -> Draft:
        """The same draft with another text."""
        return self if text == self.text else replace(self, text=text)
