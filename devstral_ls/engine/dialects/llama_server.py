"""llama-server's own API: token ids in, server-sent events out. Our managed engines speak it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from devstral_ls.engine.dialects.events import Dialect, End, Event, Piece, Progress, sendable
from devstral_ls.errors import DevstralError, EngineBusy, EngineUnavailable, GenerationFailed, PromptTooLong
from devstral_ls.generation import FinishReason, GenerationRequest, Priority, Usage

_FINAL_FIELDS = ("content", "stop", "stop_type", "tokens_evaluated", "tokens_predicted", "timings")
"""Without this choice llama-server sends the whole prompt back at the end."""


def _llama_body(ids: Sequence[int], request: GenerationRequest, model: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "prompt": list(ids),
        "n_predict": request.max_tokens,
        "stream": True,
        "cache_prompt": True,
        # An event for each batch: the write that fails is what tells llama-server that we left during a prefill.
        "return_progress": True,
        "response_fields": _FINAL_FIELDS,
        # What is told as ids can be gone on from, exactly.
        "return_tokens": request.priority is not Priority.INLINE,
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


def _llama_event(line: bytes) -> Event | None:
    kind, _, payload = line.partition(b":")
    if kind not in (b"data", b"error") or payload.strip() == b"[DONE]":
        return None
    try:
        event = json.loads(payload)
        if kind == b"error" or "error" in event:
            raise _llama_error(500, payload)
        if event.get("stop"):
            return _llama_end(event)
        if "prompt_progress" in event:
            progress = event["prompt_progress"]
            return Progress(int(progress["cache"]), int(progress["processed"]), float(progress["time_ms"]))
        tokens = event.get("tokens") or [None]
        return Piece(str(event["content"]), tokens[-1], int(event.get("tokens_predicted", 0)), _logprobs(event))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise GenerationFailed(f"the engine answered what nobody understands: {error!r:.200}") from error


def _logprobs(event: Mapping[str, Any]) -> tuple[float, ...]:
    """Of the tokens of one event, as the model gave them before any sampler looked at them; an impossible one is null."""
    told = (token["logprob"] for token in event.get("completion_probabilities") or ())
    return tuple(-100.0 if logprob is None else max(-100.0, float(logprob)) for logprob in told)


def _llama_end(event: Mapping[str, Any]) -> End:
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


def _llama_error(status: int, body: bytes) -> DevstralError:
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


def _tokenize_body(text: str, specials: bool, _model: str | None) -> dict[str, Any]:
    return {"content": sendable(text), "add_special": False, "parse_special": specials}


LLAMA_SERVER = Dialect(
    name="llama-server",
    prompt="ids",
    completion="/completion",
    tokenize="/tokenize",
    tokenize_body=_tokenize_body,
    health="/health",
    slots="/slots",
    progress=("/metrics", "llamacpp:n_decode_total "),
    body=_llama_body,
    event=_llama_event,
    error=_llama_error,
)
