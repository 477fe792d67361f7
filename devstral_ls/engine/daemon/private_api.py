"""The private API between a client and the daemon: its paths, and requests, chunks and errors as JSON.

``runtime_dir.PROTOCOL`` is part of every path: a client and a daemon of different versions do not understand each other,
and say so.
"""

from __future__ import annotations

import json
from typing import Any

from devstral_ls import errors
from devstral_ls.engine.runtime_dir import PROTOCOL
from devstral_ls.errors import DevstralError, GenerationFailed, PromptTooLong
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, Priority, Prompt, Special, Text, Usage

ROOT = f"/engine/v{PROTOCOL}"
GENERATE = f"{ROOT}/generate"
"""POST a request; the answer is a stream of lines, each a chunk or an error."""
HEALTH = f"{ROOT}/health"
STATUS = f"{ROOT}/status"
ATTACH = f"{ROOT}/attach"
"""A WebSocket: the daemon stays as long as one is open, and tells the rates it measures."""
NEIGHBOUR = f"{ROOT}/neighbour"
"""A WebSocket between the daemons of two models on one processor."""
LEAVE = f"{ROOT}/leave"
"""POST: leave if no client is attached."""

MAX_REQUEST_BYTES = 64 << 20

_NOT_UNDERSTOOD = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)

_ERRORS: dict[str, type[DevstralError]] = {
    cls.code: cls
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, DevstralError) and cls is not PromptTooLong
}


def request_to_json(request: GenerationRequest, conversation: str) -> dict[str, Any]:
    """``request``, with what stands for its conversation: the daemon need not know a document's URI."""
    return {
        "prompt": prompt_to_json(request.prompt),
        "max_tokens": request.max_tokens,
        "stop": request.stop,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "begins_with": request.begins_with,
        "time_limit_ms": request.time_limit_ms,
        "conversation": conversation,
        "priority": request.priority.name,
        "logprobs": request.logprobs,
    }


def request_from_json(values: Any) -> GenerationRequest:
    """The request back.

    Raises:
        GenerationFailed: it is none.
    """
    try:
        limit = values["time_limit_ms"]
        return GenerationRequest(
            prompt=prompt_from_json(values["prompt"]),
            max_tokens=int(values["max_tokens"]),
            stop=tuple(map(str, values["stop"])),
            temperature=float(values["temperature"]),
            top_p=float(values["top_p"]),
            begins_with=str(values["begins_with"]),
            time_limit_ms=None if limit is None else int(limit),
            conversation=str(values["conversation"]),
            priority=Priority[values["priority"]],
            logprobs=bool(values["logprobs"]),
        )
    except _NOT_UNDERSTOOD as error:
        raise GenerationFailed(f"the engine does not understand the request: {type(error).__name__}") from error


def prompt_to_json(prompt: Prompt) -> list[list[str]]:
    """``["special", NAME]`` and ``["text", TEXT]``."""
    return [["special", part.token] if isinstance(part, Special) else ["text", part.text] for part in prompt]


def prompt_from_json(values: Any) -> Prompt:
    """The parts back. Raises what a value of the wrong shape raises."""
    kinds: dict[str, type[Special] | type[Text]] = {"special": Special, "text": Text}
    return tuple(kinds[kind](str(value)) for kind, value in values)


def chunk_to_line(chunk: Chunk) -> bytes:
    """``chunk`` as one line of a stream."""
    values: dict[str, Any] = {"text": chunk.text}
    if chunk.finish is not None:
        values["finish"] = chunk.finish.value
    if chunk.usage is not None:
        usage = chunk.usage
        values["usage"] = [
            usage.prompt_tokens,
            usage.cached_tokens,
            usage.generated_tokens,
            usage.prefill_ms,
            usage.decode_ms,
        ]
    if chunk.logprobs:
        values["logprobs"] = chunk.logprobs
    return json.dumps(values).encode() + b"\n"


def error_to_line(error: DevstralError) -> bytes:
    """``error`` as the last line of a stream."""
    values: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
    if isinstance(error, PromptTooLong):
        values |= {"n_tokens": error.n_tokens, "limit": error.limit}
    return json.dumps({"error": values}).encode() + b"\n"


def chunk_from_line(line: bytes) -> Chunk:
    """The chunk that a line of a stream is.

    Raises:
        DevstralError: the line is an error, which is raised.
    """
    try:
        values = json.loads(line)
        if "error" in values:
            raise _error(values["error"])
        finish, usage = values.get("finish"), values.get("usage")
        return Chunk(
            str(values["text"]),
            None if finish is None else FinishReason(finish),
            None if usage is None else Usage(*map(int, usage[:3]), *map(float, usage[3:])),
            tuple(map(float, values.get("logprobs", ()))),
        )
    except _NOT_UNDERSTOOD as error:
        raise GenerationFailed(f"the engine answered what makes no sense: {error!r:.200}") from error


def _error(values: dict[str, Any]) -> DevstralError:
    if values["code"] == PromptTooLong.code:
        return PromptTooLong(int(values["n_tokens"]), int(values["limit"]))
    cls = _ERRORS.get(str(values["code"]), GenerationFailed)
    return cls(str(values["message"]), hint=str(values["hint"]))
