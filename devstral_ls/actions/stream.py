"""``StreamedEdit``: an edit that is still being written, as a value."""

from __future__ import annotations

from dataclasses import dataclass, replace

from devstral_ls.errors import EditConflict
from devstral_ls.text import Edit, Span, single_edit

_LOOK_AHEAD = 60
"""Lines of the old text looked at for the one that was just written."""


@dataclass(frozen=True, slots=True)
class StreamedEdit:
    """What the document read, which piece of it changes, and what stands there now."""

    before: str
    """The document's text without the edit; what others changed outside of the piece is in it."""
    span: Span
    """The piece of ``before`` that is replaced."""
    shown: str
    """What stands in its place."""

    @staticmethod
    def begin(text: str, span: Span) -> StreamedEdit:
        """Nothing is written yet."""
        return StreamedEdit(text, span, text[span.start : span.end])

    @property
    def text(self) -> str:
        """The whole document as it must read now."""
        return self.before[: self.span.start] + self.shown + self.before[self.span.end :]

    def saying(self, shown: str) -> StreamedEdit:
        """The next state."""
        return replace(self, shown=shown)

    def undone(self) -> StreamedEdit:
        """With the old text in its place again."""
        return replace(self, shown=self.before[self.span.start : self.span.end])

    def edit_to(self, after: StreamedEdit) -> Edit | None:
        """The edit of ``text`` that leads to ``after``; ``None`` if there is nothing to do."""
        if after.shown == self.shown:
            return None
        small = single_edit(self.shown, after.shown)
        return Edit(Span(self.span.start + small.span.start, self.span.start + small.span.end), small.text)

    def rebased(self, text: str) -> StreamedEdit:
        """The same edit in a document that somebody else changed to ``text`` meanwhile.

        Raises:
            EditConflict: they changed the piece itself, or its very edge.
        """
        expected = self.text
        if text == expected:
            return self
        theirs = single_edit(expected, text)
        end = self.span.start + len(self.shown)
        delta = len(theirs.text) - len(theirs.span)
        if theirs.span.end < self.span.start:
            before = text[: self.span.start + delta]
            rest = self.before[self.span.start :]
            return StreamedEdit(before + rest, Span(self.span.start + delta, self.span.end + delta), self.shown)
        if theirs.span.start > end:
            return replace(self, before=self.before[: self.span.end] + text[end:])
        raise EditConflict("the code was changed while it was being rewritten")


def merged(old: str, written: list[str]) -> str:
    """``written`` lines of a new text with what is left of the ``old`` one: what is shown while it is being written.

    The old text goes on behind the line that was written last, as far as it can be told.
    """
    lines = old.split("\n")
    at = 0
    for line in written:
        ahead = lines[at : at + _LOOK_AHEAD]
        if line.strip() and line in ahead:
            at += ahead.index(line) + 1
    return "\n".join([*written, *lines[at:]])
