"""llama-server's own API: token ids in, server-sent events out; its paths, and what bodies, events and errors mean.

llama.cpp in process speaks it, and so does any other ``llama-server``.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from devstral_ls.engine.daemon.backends.backend import End, Event, Piece, Progress
from devstral_ls.engine.daemon.prompt_text import sendable
from devstral_ls.errors import DevstralError, EngineBusy, EngineUnavailable, GenerationFailed, PromptTooLong
from devstral_ls.generation import FinishReason, GenerationRequest, Usage

COMPLETION = "/completion"
TOKENIZE = "/tokenize"
HEALTH = "/health"
METRICS = "/metrics"
BATCHES = "llamacpp:n_decode_total "
"""How the line of ``METRICS`` begins that counts the batches."""

_FINAL_FIELDS = ("content", "stop", "stop_type", "tokens_evaluated", "tokens_predicted", "timings")
"""Without this choice llama-server sends the whole prompt back at the end."""


def completion_body(
    ids: Sequence[int], request: GenerationRequest, model: str | None = None, *, return_tokens: bool = False
) -> dict[str, Any]:
    """The request for an answer to ``ids``, from ``model`` where the server has several."""
    body: dict[str, Any] = {
        "prompt": list(ids),
        "n_predict": request.max_tokens,
        "stream": True,
        "cache_prompt": True,
        # An event for each batch: the write that fails is what tells llama-server that we left during a prefill.
        "return_progress": True,
        "response_fields": _FINAL_FIELDS,
        "return_tokens": return_tokens,
        "temperature": request.temperature,
        "stop": [sendable(text) for text in request.stop],
    }
    if request.temperature > 0:
        body |= {"samplers": ["top_k", "top_p", "temperature"], "top_k": 40, "top_p": request.top_p}
    else:
        body |= {"samplers": ["top_k"], "top_k": 1}
    if model is not None:
        body["model"] = model
    if request.time_limit_ms is not None:
        body["t_max_predict_ms"] = request.time_limit_ms
    if request.logprobs:
        body["n_probs"] = 1
    if request.begins_with:
        body["grammar"] = f"root ::= {_literal(sendable(request.begins_with))} [^\\x00]*"
    return body


def _literal(text: str) -> str:
    """``text`` as a GBNF literal."""
    names = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
    return '"' + "".join(names.get(c) or (c if c >= " " else f"\\x{ord(c):02x}") for c in text) + '"'


def event_of(line: bytes) -> Event | None:
    """What a line of the stream says; None for one that says nothing.

    Raises:
        GenerationFailed, PromptTooLong: the line is an error, or makes no sense.
    """
    kind, _, payload = line.partition(b":")
    if kind not in (b"data", b"error") or payload.strip() == b"[DONE]":
        return None
    try:
        event = json.loads(payload)
        if kind == b"error" or "error" in event:
            raise error_of(500, payload)
        if event.get("stop"):
            return _end_of(event)
        if "prompt_progress" in event:
            progress = event["prompt_progress"]
            return Progress(int(progress["cache"]), int(progress["processed"]), float(progress["time_ms"]))
        tokens = event.get("tokens") or [None]
        return Piece(str(event["content"]), tokens[-1], int(event.get("tokens_predicted", 0)), _logprobs(event))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise GenerationFailed(f"the engine answered what makes no sense: {error!r:.200}") from error


def _logprobs(event: Mapping[str, Any]) -> tuple[float, ...]:
    """Of the tokens of one event, as the model gave them before any sampler looked at them; an impossible one is null."""
    logprobs = (token["logprob"] for token in event.get("completion_probabilities") or ())
    return tuple(-100.0 if logprob is None else max(-100.0, float(logprob)) for logprob in logprobs)


def _end_of(event: Mapping[str, Any]) -> End:
    timings = event["timings"]
    finish = FinishReason.STOP if event.get("stop_type") in ("eos", "word") else FinishReason.LENGTH
    usage = Usage(
        prompt_tokens=int(timings["cache_n"]) + int(timings["prompt_n"]),
        cached_tokens=int(timings["cache_n"]),
        generated_tokens=int(timings["predicted_n"]),
        prefill_ms=float(timings["prompt_ms"]),
        decode_ms=float(timings["predicted_ms"]),
    )
    return End(str(event.get("content", "")), finish, usage)


def error_of(status: int, body: bytes) -> DevstralError:
    """The error that a status other than 200 and its body mean."""
    try:
        values = json.loads(body)
        error = values.get("error", values)
        if error.get("type") == "exceed_context_size_error":
            return PromptTooLong(int(error["n_prompt_tokens"]), int(error["n_ctx"]))
        status, message = int(error.get("code", status)), str(error.get("message", ""))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        message = f"HTTP status {status}"
    if status == 503:
        return EngineBusy(f"the engine is loading: {message}")
    if status in (401, 403):
        return EngineUnavailable("the engine does not know our key")
    return GenerationFailed(f"the engine refused the request: {message}")


def tokenize_body(text: str, *, parse_special: bool) -> dict[str, Any]:
    """The request for the ids of ``text``."""
    return {"content": sendable(text), "add_special": False, "parse_special": parse_special}


def tokens_of(content: bytes) -> list[int]:
    """The ids in the tokenizer's answer, of 32 bits as models have them.

    Raises:
        GenerationFailed: there are none.
    """
    try:
        return list(array("i", map(int, json.loads(content)["tokens"])))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise GenerationFailed(f"the engine's tokenizer answered what makes no sense: {error!r:.200}") from error
