"""What the rows of DIALECTS are made of: the events an answer is read as, and the columns of a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from devstral_ls.engine.dialects.leads import Forced, Lead
from devstral_ls.errors import DevstralError
from devstral_ls.generation import FinishReason, GenerationRequest, Usage


@dataclass(frozen=True, slots=True)
class Progress:
    """A part of the prompt is evaluated. Nothing of the answer yet."""

    cached: int
    """Tokens that were in the KV cache already."""
    processed: int
    """Tokens evaluated or cached so far."""
    ms: float


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of the answer: of one token, usually."""

    text: str
    """Empty while what was generated may be the begin of a stop string."""
    token: int | None = None
    """The last one, where the engine tells it."""
    n_generated: int = 0
    """Tokens so far. It jumps where a character took several: no event says the first of those."""
    logprobs: tuple[float, ...] = ()
    """Of its tokens, where they were asked for."""


@dataclass(frozen=True, slots=True)
class End:
    """The generation ended by itself."""

    text: str
    finish: FinishReason
    usage: Usage | None
    """None where the engine does not say it here."""


Event = Progress | Piece | End

Sent = list[int] | str | list[dict[str, str]]
"""A prompt as it is sent: token ids, one text, or the messages of a conversation."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to say a request and to read the answer."""

    name: str
    prompt: Literal["ids", "text", "messages"]
    """What a prompt is sent as."""
    completion: str
    """Path of the endpoint that takes the prompt and streams the answer."""
    health: str
    body: Callable[[Any, GenerationRequest, str | None], dict[str, Any]]
    """The request for an answer to this ``Sent``, from the model of this name where the engine has several."""
    event: Callable[[bytes], Event | None]
    """What a line of the stream says; None for one that says nothing. Raises GenerationFailed, PromptTooLong."""
    error: Callable[[int, bytes], DevstralError]
    """The error that a status other than 200 and its body mean."""
    tokenize: str = ""
    """Path of the tokenizer; where there is none, prompts are not sent as ids."""
    tokenize_body: Callable[[str, bool, str | None], dict[str, Any]] = field(default=lambda text, specials, model: {})
    """The request for the ids of a text; whether control tokens in it are to be taken as such; the model's name."""
    parses_specials: bool = False
    """Does the tokenizer take the names of control tokens in any text as such, whatever it is asked?"""
    slots: str = ""
    """Path that says which slots are busy, where a client may choose one: by ``id_slot`` in the request."""
    progress: tuple[str, str] = ("", "")
    """Path of the metrics, and how the line begins that counts the batches."""
    lead: Callable[[str], Lead] = Forced
    """How the answer comes to begin with ``GenerationRequest.begins_with``."""
    continues: bool = False
    """Is ``begins_with`` put at the end of the prompt, since nothing can force the model to write it?"""


def sendable(text: str) -> str:
    """``text`` without lone surrogates, which UTF-8 has no bytes for: each becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def text_of(value: object) -> str:
    """``value``, which an answer gives as its text; nothing where it gives none.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, str | None):
        raise TypeError("a text that is none")
    return value or ""
