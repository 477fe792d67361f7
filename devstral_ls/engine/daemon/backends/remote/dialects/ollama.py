"""Ollama's ``/api/generate`` with ``raw``: our own prompt as text, without its template; an answer of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from devstral_ls.engine.daemon.answer_prefix import PromptPrefix
from devstral_ls.engine.daemon.backends.backend import BackendRequest, Capabilities, End, Event, Piece
from devstral_ls.engine.daemon.backends.remote.dialects.dialect import Dialect, text_of
from devstral_ls.engine.daemon.prompt_text import sendable
from devstral_ls.errors import DevstralError, EngineBusy, EngineUnavailable, GenerationFailed, ModelNotFound
from devstral_ls.generation import FinishReason, Usage

CONTEXT_TOKENS = 8192
"""Context to request unless ``model.contextTokens`` says otherwise. Always the same: Ollama loads the model anew for
another, and silently cuts the beginning off a longer prompt (its own default was 2,048 and is 4,096)."""

_NS = 1e6
"""Nanoseconds in a millisecond."""


def body_for(context_tokens: int) -> Callable[[BackendRequest, str | None], dict[str, Any]]:
    """``Dialect.body`` with this many tokens of context."""

    def body(request: BackendRequest, model: str | None) -> dict[str, Any]:
        sampling = request.sampling
        options: dict[str, Any] = {
            "num_predict": max(sampling.max_tokens, 1),
            "num_ctx": context_tokens,
            "temperature": sampling.temperature,
            "stop": [sendable(text) for text in sampling.stop],
            "repeat_penalty": 1.0,
        }
        if sampling.temperature <= 0:
            options["top_k"] = 1
        return {"model": model, "prompt": request.prompt, "raw": True, "stream": True, "options": options}

    return body


def _event(line: bytes) -> Event | None:
    if not line.strip():
        return None
    try:
        event = json.loads(line)
        if "error" in event:
            raise _error(500, line)
        text = text_of(event.get("response"))
        if event.get("done"):
            finish = FinishReason.LENGTH if event.get("done_reason") == "length" else FinishReason.STOP
            return End(text, finish, _usage(event))
        return Piece(text)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise GenerationFailed(f"the engine's answer makes no sense: {error!r:.200}") from error


def _usage(event: Mapping[str, Any]) -> Usage:
    """A prompt that was cached has no count and no time."""
    return Usage(
        prompt_tokens=int(event.get("prompt_eval_count") or 0),
        cached_tokens=0,
        generated_tokens=int(event.get("eval_count") or 0),
        prefill_ms=float(event.get("prompt_eval_duration") or 0) / _NS,
        decode_ms=float(event.get("eval_duration") or 0) / _NS,
    )


def _error(status: int, body: bytes) -> DevstralError:
    try:
        message = str(json.loads(body)["error"])[:500]
    except (ValueError, TypeError, KeyError, RecursionError):
        message = f"HTTP status {status}"
    if status == 404:
        return ModelNotFound(
            f"the engine has no such model: {message}", hint="`ollama list` shows what engine.remoteModel may be."
        )
    if status == 503:
        return EngineBusy(f"the engine is busy: {message}")
    if status in (401, 403):
        return EngineUnavailable("the engine refuses our key")
    return GenerationFailed(f"the engine refused the request: {message}")


OLLAMA = Dialect(
    name="ollama",
    capabilities=Capabilities(prompt="text", answer_prefix=PromptPrefix, prefix_in_prompt=True),
    completion="/api/generate",
    health="/api/version",
    body=body_for(CONTEXT_TOKENS),
    event=_event,
    error=_error,
)
