"""The ``Backend`` protocol: what the queue asks of whatever runs the model, and the values that pass between them.

A backend evaluates prompts and streams tokens. It knows nothing of ranks, conversations, clients or HTTP towards
clients: those belong to the queue in front of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from devstral_ls.engine.daemon.answer_prefix import AnswerPrefix, GrammarPrefix
from devstral_ls.generation import FinishReason, GenerationRequest, Usage


@dataclass(frozen=True, slots=True)
class Progress:
    """A part of the prompt was evaluated; the answer has not begun."""

    cached: int
    """Prompt tokens that were in the KV cache already."""
    processed: int
    """Prompt tokens evaluated or cached so far."""
    ms: float
    """Milliseconds of prefill so far."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of the answer: of one token, usually."""

    text: str
    """Empty while what was generated may be the beginning of a stop string, or is part of a character."""
    token: int | None = None
    """Id of the last token of ``text``, where the backend tells it. The queue resumes from these ids."""
    n_generated: int = 0
    """Tokens generated so far. It jumps by more than one where no event was sent for a token."""
    logprobs: tuple[float, ...] = ()
    """Natural logarithms of the probabilities of the tokens, where the request asked for them."""


@dataclass(frozen=True, slots=True)
class End:
    """The generation ended by itself: the last event of a stream."""

    text: str
    finish: FinishReason
    usage: Usage | None
    """None where the backend does not count."""


Event = Progress | Piece | End

PreparedPrompt = list[int] | str | list[dict[str, str]]
"""A prompt in the form that ``Capabilities.prompt`` names: token ids, one text, or the messages of a conversation."""


@dataclass(frozen=True, slots=True)
class BackendRequest:
    """One run of the model, ready to be sent."""

    prompt: PreparedPrompt
    sampling: GenerationRequest
    """How to sample: ``max_tokens`` (0: evaluate the prompt only), ``stop``, ``temperature``, ``top_p``,
    ``begins_with``, ``time_limit_ms``, ``logprobs``. Its ``prompt``, ``priority`` and ``conversation`` are the queue's
    business and must be ignored.
    """
    slot: int | None = None
    """The slot to run in; None unless ``Capabilities.has_slots``."""
    resumable: bool = False
    """True when ``Piece.token`` is needed: the generation may be paused and resumed from its ids."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The columns of a row: fixed when the backend has started, read by the queue."""

    prompt: Literal["ids", "text", "messages"] = "ids"
    """The form in which a prompt is sent. With ``ids``, ``Backend.tokenize`` must work."""
    has_slots: bool = False
    """True when the caller may choose the slot, and each slot has a KV cache of its own."""
    is_shared_processor: bool = False
    """True when the model computes on this machine's CPU: two that decode together take more than twice as long as
    one, so the queue runs one inline request at a time, and engines of other models yield as well.
    """
    resumable: bool = False
    """True when a generation may be left at any time and resumed from prompt ids and answer ids at little cost. Only
    then are lower ranks made to wait for higher ones and paused by them; otherwise ranks decide the order of waiting
    requests alone.
    """
    parses_specials: bool = False
    """True when ``tokenize`` may find control tokens in any text, even with ``parse_special=False``, and not all of their
    ids are known: the queue then cuts their names in document text.
    """
    logprobs: bool = False
    """True when ``GenerationRequest.logprobs`` is honoured."""
    answer_prefix: Callable[[str], AnswerPrefix] = GrammarPrefix
    """How the answer comes to begin with ``GenerationRequest.begins_with``; see ``answer_prefix``."""
    prefix_in_prompt: bool = False
    """True when ``begins_with`` is put at the end of the prompt, since nothing can force the model to write it."""


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """What a started backend says of itself and its model."""

    software: str
    """For people: ``llama.cpp (xllamacpp 1.2.3)``."""
    context_tokens: int
    """Tokens, prompt and answer together, that one request may have."""
    slots: int
    """Requests that may run at once."""
    bos: str | None = None
    """The control token every prompt begins with."""
    specials: Mapping[str, int] = field(default_factory=dict)
    """Ids of control tokens by name, as far as they are known without asking ``tokenize``."""
    reserved: frozenset[str] = frozenset()
    """Control tokens that document text must never become."""
    space_prefix: bool = False
    """True when the tokenizer puts a space in front of each text (SentencePiece)."""
    batch: int = 512
    """Prompt tokens evaluated between two points at which a request can be left."""
    threads: int = 0
    gpu_layers: int = 0
    """-1 for all."""
    prefill_rate: float = 0.0
    """Tokens a second, measured or estimated; 0 where nothing is known."""
    rate_key: str = ""
    """The name under which rates measured on this machine are kept; empty: they are not kept."""
    kv_type: str = "f16"
    bytes_needed: int = 0
    """Memory, from the fit check; 0 where the model is not on this machine."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the software that runs the model, by name."""


class Backend(Protocol):
    """Whatever runs the model. Made once, started once, stopped once; used from one event loop."""

    @property
    def capabilities(self) -> Capabilities:
        """The columns of this row. Final once ``start`` has returned."""
        ...

    @property
    def info(self) -> BackendInfo:
        """What it said when it started. Not to be read before ``start`` has returned."""
        ...

    async def start(self) -> None:
        """Load the model, or find the server. May block the event loop while a library loads: nothing runs yet.

        Raises:
            ModelError: the model cannot be loaded; the message says why.
            EngineUnavailable, EngineBusy: a server is away or loading.
        """
        ...

    async def stop(self) -> None:
        """Let go of everything. Again does nothing; streams still open fail with ``GenerationFailed``."""
        ...

    async def tokenize(self, text: str, *, parse_special: bool = False) -> list[int]:
        """The ids of ``text`` without BOS. With ``parse_special`` names of control tokens become their ids.

        Raises:
            GenerationFailed: the answer makes no sense. EngineUnavailable: the backend does not answer.
        """
        ...

    def stream(self, request: BackendRequest) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Run ``request``: any number of ``Progress``, then ``Piece``, then one ``End``.

        Leaving the ``async with`` cancels what is left and must not wait for the model (a batch may take 0.2 s). The
        caller may enter the next stream of the same slot at once; the backend sees to it that they do not overlap.

        Raises (on entering or while iterating):
            PromptTooLong, EngineBusy, EngineUnavailable, GenerationFailed. Nothing else reaches the queue.
        """
        ...

    async def progress(self) -> str | None:
        """A word that changes whenever the model has evaluated a batch of any request; None where it cannot be told.

        Asked only by the watchdog, when a stream has been silent for long.
        """
        ...
