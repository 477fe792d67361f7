"""How an answer comes to begin with ``GenerationRequest.begins_with``.

Three ways: a grammar forces the model to write it, it stands at the end of the prompt and is given back by us, or the
model was asked to repeat it. An ``AnswerPrefix`` reads the answer as it streams and returns what may be handed on; the
whole of that always begins with the wanted text.
"""

from __future__ import annotations

from typing import Protocol

_FENCE = "```"
_MAX_LEAD = 400
"""Characters a model may write around the beginning before we take them for the answer itself."""


class AnswerPrefix(Protocol):
    """The state of one answer."""

    @property
    def closed(self) -> bool:
        """True when the answer is over, whatever still comes."""
        ...

    def feed(self, text: str) -> str:
        """The text to hand on now that ``text`` has come."""
        ...

    def rest(self) -> str:
        """The text that was held back, to hand on at the end."""
        ...


class GrammarPrefix:
    """A grammar makes the model write it: nothing to do here."""

    closed = False

    def __init__(self, begins_with: str) -> None:
        pass

    def feed(self, text: str) -> str:
        """All of it."""
        return text

    def rest(self) -> str:
        """Nothing."""
        return ""


class PromptPrefix:
    """It stands at the end of the prompt, and the model writes what follows it: put it in front of the answer."""

    closed = False

    def __init__(self, begins_with: str) -> None:
        self._due = begins_with

    def feed(self, text: str) -> str:
        """The beginning once, then all of it."""
        due, self._due = self._due, ""
        return due + text

    def rest(self) -> str:
        """The beginning, where nothing else came."""
        return self.feed("")


class EchoedPrefix:
    """The model was asked to repeat it, and may have: with other spaces, inside a Markdown fence, or not at all.

    Where the answer does not begin so, the model wrote only what was missing.
    """

    def __init__(self, begins_with: str) -> None:
        self.closed = False
        self._wanted = begins_with
        self._held: str | None = ""
        self._line = ""  # the last line so far, while it may become a fence
        self._fenced = False
        self._fresh = False  # at the beginning of a line

    def feed(self, text: str) -> str:
        """Nothing until it is clear how the answer begins; then all of it, up to a closing fence."""
        if self._held is None:
            return self._unfenced(text)
        self._held += text
        after = self._after_the_beginning(self._held, ended=False)
        if after is None:
            return ""
        self._held = None
        return self._wanted + self._unfenced(after)

    def rest(self) -> str:
        """The beginning where only a part of it came; else what could have become a fence."""
        if self._held is None:
            line, self._line = self._line, ""
            return "" if self.closed or line.startswith(_FENCE) else line
        held, self._held = self._held, None
        return self._wanted + self._unfenced(self._after_the_beginning(held, ended=True) or "") + self.rest()

    def _after_the_beginning(self, text: str, *, ended: bool) -> str | None:
        """``text`` without the repeated beginning; None while more of it is to come."""
        inside = text.lstrip()
        whole_fence = inside.startswith(_FENCE) and "\n" in inside
        if not ended and _FENCE.startswith(inside[:3]) and not whole_fence:
            return None if len(text) < _MAX_LEAD else text
        if inside.startswith(_FENCE):
            self._fenced = True
            text = inside.partition("\n")[2]
        if text.startswith(self._wanted):
            return text[len(self._wanted) :]
        if not ended and self._wanted.startswith(text):
            return None
        at = _behind(self._wanted.split(), text)
        if at is None:
            return None if not ended else ""
        if at < 0:
            return text
        if not self._wanted[-1:].isspace():
            return text[at:]
        return text[at:].lstrip() or ("" if ended else None)

    def _unfenced(self, text: str) -> str:
        """``text`` up to the line that closes the fence; backquotes at a line's beginning wait for what follows."""
        if self.closed or not self._fenced:
            return "" if self.closed else text
        given = ""
        text, self._line = self._line + text, ""
        while text:
            line, end, text = text.partition("\n")
            if self._fresh and line.startswith(_FENCE):
                self.closed = True
                break
            if self._fresh and line and not end and _FENCE.startswith(line):
                self._line = line
                break
            given += line + end
            self._fresh = bool(end) or (self._fresh and not line)
        return given


def _behind(words: list[str], text: str) -> int | None:
    """Where ``text`` goes on behind ``words``, whatever the spaces; -1 where it begins otherwise; None: too short yet."""
    characters = "".join(words)
    n_found = 0
    for at, c in enumerate(text):
        if n_found == len(characters):
            return at
        if c.isspace():
            continue
        if c != characters[n_found]:
            return -1
        n_found += 1
    return len(text) if n_found == len(characters) else None
