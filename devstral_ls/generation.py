"""What is asked of an engine and what comes back: plain types that both sides of the process boundary share.

Nothing here knows HTTP, models or documents. Text and control tokens never mix: a prompt is a tuple of
``Special`` and ``Text`` parts, and only ``Special`` may become a control token.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Special:
    """A control token, by its name in the model's vocabulary; it goes into the prompt as exactly one id."""

    token: str


@dataclass(frozen=True, slots=True)
class Text:
    """Ordinary text: tokenized with special parsing off, whatever it contains."""

    text: str
    is_markup: bool = False
    """True for text of a chat format that means a role without being a control token: ``[INST]`` of Llama 2. Never true
    for anything from a document. It matters only where prompts are sent as text."""


Prompt = tuple[Special | Text, ...]


class Priority(IntEnum):
    """What a request is for; lower numbers go first. A request makes those of higher numbers wait or pause."""

    INLINE = 0
    """A suggestion at the cursor of a user who is typing."""
    NEXT_EDIT = 1
    """A suggestion elsewhere in the document."""
    ACTION = 2
    """A code action: the user waits, with progress in view."""
    AGENT = 3
    """A program that the user let use the model."""
    BACKGROUND = 4
    """Prefetch and calibration: nothing waits for it."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One run of the model."""

    prompt: Prompt
    max_tokens: int
    """The most tokens to generate. With 0 the answer is empty and ends as soon as the prompt is in the KV cache."""
    stop: tuple[str, ...] = ()
    """Strings before which the answer ends; they are not part of it."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 0.95
    """Tokens are drawn from the likeliest that make up this share, 0 to 1. With 0.95, one that is surer is certain."""
    begins_with: str = ""
    """What the answer must begin with (token healing): text taken back from the end of the prompt. It is part of the
    answer as the chunks give it."""
    time_limit_ms: int | None = None
    """The most milliseconds of decoding, counted by the engine from the first token on."""
    conversation: str = ""
    """Requests with the same one go on from each other's KV cache: a document's URI, or that and what is done with it.
    Only a hash of it leaves the process."""
    priority: Priority = Priority.INLINE
    logprobs: bool = False
    """True when the logarithms of the tokens' probabilities are wanted. Not every engine can."""


class FinishReason(Enum):
    """Why a generation ended by itself."""

    STOP = "stop"
    """The model ended it, or a stop string was met."""
    LENGTH = "length"
    """``max_tokens`` or ``time_limit_ms`` was reached."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a generation cost, as the engine counted it. Times in milliseconds."""

    prompt_tokens: int
    cached_tokens: int
    """How many of ``prompt_tokens`` were in the KV cache already."""
    generated_tokens: int
    prefill_ms: float
    decode_ms: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the answer; the last one of a generation that ended by itself has ``finish``."""

    text: str
    finish: FinishReason | None = None
    usage: Usage | None = None
    """What the generation cost so far, where the engine says it."""
    logprobs: tuple[float, ...] = ()
    """Natural logarithms of the probabilities the model gave to the tokens of ``text``, where asked for and told."""


LINE_TOKENS = 48
"""The most tokens of one line: 73 characters at the 95th percentile (``peers.md``) are some 25."""

LINES_TOKENS = 192
"""The most tokens of several lines."""

LINE_TIME = 4
"""Decoding of one line may take this many times ``inline.latencyBudgetMs``; what is there then is shown."""

LINES_TIME = 10
"""The same for several lines."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the middle may know of the model behind an engine."""

    name: str
    """Short, for people: a catalog name, or the file's stem."""
    family: str
    """Key of ``models.family.FAMILIES``."""
    layouts: tuple[str, ...]
    """Names of the prompt layouts it takes, best first; never empty."""
    context_tokens: int
    """How many tokens, prompt and answer together, one request may have."""
    prompt_budget: int
    """How many prompt tokens a suggestion should spend, from the machine's rate."""
    bos: str | None
    """The control token every prompt begins with, if the model wants one."""
    line_tokens: int = LINE_TOKENS
    """The most tokens of a suggestion of one line."""
    lines_tokens: int = LINES_TOKENS
    """The most tokens of a suggestion of several lines."""
    slow: bool = False
    """True when it is too slow on this machine for automatic suggestions; manual requests still work."""
    parameters: int | None = None
    """The number of the model's parameters; None where the engine does not tell it."""


class Engine(Protocol):
    """What the middle asks for text. ``engine.client`` speaks to a real one, tests script one."""

    @property
    def model(self) -> ModelInfo | None:
        """The model that would answer now; ``None`` while there is none."""
        ...

    def generate(self, request: GenerationRequest) -> AbstractAsyncContextManager[AsyncIterator[Chunk]]:
        """Run ``request``; leaving the ``async with`` cancels what is left of it.

        Raises:
            EngineUnavailable: no engine answers.
            EngineBusy: it is still loading.
            GenerationFailed: it broke off.
            PromptTooLong: the prompt does not fit its context.
        """
        ...


class GenerationObserver(Protocol):
    """Told by an engine client how each generation goes. Its methods return at once and raise nothing.

    ``started`` is followed by exactly one ``finished``, whatever becomes of the generation: it ends by itself, fails, or
    its caller leaves.
    """

    def started(self, request: GenerationRequest) -> None:
        """The engine was asked to run ``request``."""
        ...

    def finished(self, request: GenerationRequest) -> None:
        """The generation has ended, or was left by its caller."""
        ...
