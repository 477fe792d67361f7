"""The columns of DIALECTS: how a request is written, and what the lines of an answer mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from devstral_ls.engine.daemon.backends.backend import BackendRequest, Capabilities, Event
from devstral_ls.errors import DevstralError


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API."""

    name: str
    capabilities: Capabilities
    completion: str
    """Path of the endpoint that takes the prompt and streams the answer."""
    health: str
    """Path that answers 200 when the server is ready."""
    body: Callable[[BackendRequest, str | None], dict[str, Any]]
    """The body of a request, to the model of this name where the server has several."""
    event: Callable[[bytes], Event | None]
    """The event in a line of the stream; None for a line that carries none. Raises GenerationFailed, PromptTooLong."""
    error: Callable[[int, bytes], DevstralError]
    """The error that a status other than 200 and its body mean."""
    tokenize: str = ""
    """Path of the tokenizer; empty where prompts are not sent as ids."""
    tokenize_body: Callable[[str, bool, str | None], dict[str, Any]] = field(default=lambda text, specials, model: {})
    """The body of a request for the ids of a text: the text, ``parse_special``, the model's name."""
    progress: tuple[str, str] = ("", "")
    """Path of the metrics, and how the line begins that counts evaluated batches."""


def text_of(value: object) -> str:
    """``value``, the text in an answer; empty where it is missing.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, str | None):
        raise TypeError("a text that is none")
    return value or ""
