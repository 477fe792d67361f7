"""StreamedEdit: an edit that is still being written, as a value."""

from __future__ import annotations

from dataclasses import dataclass, replace

from devstral_ls.errors import EditConflict
from devstral_ls.text import Edit, Span, single_edit

_LOOK_AHEAD = 60
"""Lines of the old text that are compared with the last one written."""


@dataclass(frozen=True, slots=True)
class StreamedEdit:
    """The document before the edit, the piece that changes, and its text now."""

    before: str
    """The document without the edit, but with the user's own changes outside of the piece."""
    span: Span
    """The piece of ``before`` that the edit replaces."""
    shown: str
    """The text in its place now."""

    @staticmethod
    def begin(text: str, span: Span) -> StreamedEdit:
        """The state before anything is written."""
        return StreamedEdit(text, span, text[span.start : span.end])

    @property
    def text(self) -> str:
        """The whole document now."""
        return self.before[: self.span.start] + self.shown + self.before[self.span.end :]

    def saying(self, shown: str) -> StreamedEdit:
        """The state with ``shown`` in the place of the piece."""
        return replace(self, shown=shown)

    def undone(self) -> StreamedEdit:
        """The state with the old text in its place again."""
        return replace(self, shown=self.before[self.span.start : self.span.end])

    def edit_to(self, after: StreamedEdit) -> Edit | None:
        """The edit of ``text`` that leads to ``after``; None if nothing changes."""
        if after.shown == self.shown:
            return None
        small = single_edit(self.shown, after.shown)
        return Edit(Span(self.span.start + small.span.start, self.span.start + small.span.end), small.text)

    def rebased(self, text: str) -> StreamedEdit:
        """The same edit in the document after the user has changed it to ``text``.

        Raises:
            EditConflict: the change touches the piece or its very edge.
        """
        expected = self.text
        if text == expected:
            return self
        change = single_edit(expected, text)
        end = self.span.start + len(self.shown)
        delta = len(change.text) - len(change.span)
        if change.span.end < self.span.start:
            before = text[: self.span.start + delta]
            rest = self.before[self.span.start :]
            return StreamedEdit(before + rest, Span(self.span.start + delta, self.span.end + delta), self.shown)
        if change.span.start > end:
            return replace(self, before=self.before[: self.span.end] + text[end:])
        raise EditConflict("the code was changed while it was being rewritten")


def merged(old: str, written: list[str]) -> str:
    """The text to show while a new one is written: the ``written`` lines and the remaining lines of ``old``.

    The remaining lines are those behind the last written line that is also in ``old``.
    """
    lines = old.split("\n")
    at = 0
    for line in written:
        window = lines[at : at + _LOOK_AHEAD]
        if line.strip() and line in window:
            at += window.index(line) + 1
    return "\n".join([*written, *lines[at:]])
